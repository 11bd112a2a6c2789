"""What each bin adds to the answer of a model whose answer is a sum over bins."""

import numpy as np

from keras_chrome.importance.network import Model
from keras_chrome.importance.outputs import read_outputs


def contribution(model: Model, signal: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
    """What each bin of each mark adds to the logit, beyond that of an empty region.

    The logit is that of an empty region and the sum of this map: the model decides by it, and
    nothing is estimated.

    Args:
        model: From `keras_chrome.load_model`, of a variant that is additive.
        signal: float32 `(genes, bins, marks)`, as measured.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        float32 `(genes, bins, marks)`, in logit; positive where a bin speaks for high expression,
        and 0 where it is empty.

    Raises:
        InputError: If the model is not additive.
    """
    (contributions,) = read_outputs(model, signal, "contribution", batch_size=batch_size)
    return np.swapaxes(contributions, 1, 2)
