"""Attention over bins times attention over marks."""

import numpy as np

from keras_chrome.importance.alpha import attention
from keras_chrome.importance.network import Model


def alpha_beta(model: Model, signal: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
    """How much of the gene embedding is looked for in each bin of each mark.

    Unlike alpha, which gives every mark the same sum, it tells marks apart.

    Args:
        model: From `keras_chrome.load_model`, of a variant with attention over bins and marks.
        signal: float32 `(genes, bins, marks)`, as measured.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        alpha x beta, float32 `(genes, bins, marks)`, which sums to one over a gene.

    Raises:
        InputError: If the model lacks either attention.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, equations 2 and 4.
    """
    alpha, beta = attention(model, signal, batch_size, "alpha", "beta")
    return np.swapaxes(alpha * beta[:, :, np.newaxis], 1, 2)
