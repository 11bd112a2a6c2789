"""Attention as importance: over bins, or over bins times over marks."""

import numpy as np

from keras_chrome.importance.network import Model
from keras_chrome.importance.outputs import read_outputs


def alpha(model: Model, signal: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
    """How much of each mark's embedding comes from each bin.

    Args:
        model: From `keras_chrome.load_model`, of a variant with attention over bins.
        signal: float32 `(genes, bins, marks)`, as measured.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        alpha, float32 `(genes, bins, marks)`, which sums to one over the bins of each mark. It
        says where the network looks, not whether what it sees there speaks for high or low
        expression.

    Raises:
        InputError: If the model has no such attention.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """
    (weights,) = read_outputs(model, signal, "alpha", batch_size=batch_size)
    return np.swapaxes(weights, 1, 2)


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

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """
    of_bins, of_marks = read_outputs(model, signal, "alpha", "beta", batch_size=batch_size)
    return np.swapaxes(of_bins * of_marks[:, :, np.newaxis], 1, 2)
