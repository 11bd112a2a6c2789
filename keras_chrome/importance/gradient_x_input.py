"""Gradient times input."""

import numpy as np

from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import Model, logit_gradient, require_network


def gradient_x_input(model: Model, signal: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
    """What the signal of each bin would add to the logit if the network were linear.

    The gradient is that with respect to the signal as measured. Where the model takes
    log(1 + signal), the product is signal / (1 + signal) times the gradient in that scale: it is
    zero where nothing was measured, where the gradient alone is largest.

    Args:
        model: From `keras_chrome.load_model`; a baseline has no gradient.
        signal: float32 `(genes, bins, marks)`, as measured.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        Signal times gradient, float32 `(genes, bins, marks)`, in logit; positive where the signal
        speaks for high expression.

    Raises:
        InputError: If the model is a baseline.

    Reference: Shrikumar et al., Not Just a Black Box, 2016.
    """
    require_network(model, "gradient_x_input")
    (answers,) = answers_in_batches(
        logit_gradient(model), [signal], batch_size=batch_size, title="gradient_x_input"
    )
    product: np.ndarray = signal * answers["gradient"]
    return product
