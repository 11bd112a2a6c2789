"""What each bin adds to the answer of a model whose answer is a sum over bins."""

import keras
import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import Model


def contribution(model: Model, signal: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
    """What each bin of each mark adds to the logit, beyond what an empty region's adds there.

    The logit is that of an empty region and the sum of this map: the model decides by it, and
    nothing is estimated.

    Args:
        model: From `keras_chrome.load_model`, of a variant that is additive.
        signal: float32 `(genes, bins, marks)`, as measured.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        float32 `(genes, bins, marks)`, in logit; positive where a bin speaks for high expression.

    Raises:
        InputError: If the model is not additive.
    """
    if not isinstance(model, keras.Model) or "contribution" not in model.output:
        given = model.name if isinstance(model, keras.Model) else type(model).__name__
        raise InputError(
            "Expected a model whose logit is a sum over bins, such as additive_chrome. "
            f"Received: model={given!r}"
        )
    additive = keras.Model(model.input, {"contribution": model.output["contribution"]})
    both = np.concatenate([np.zeros((1, *signal.shape[1:]), np.float32), signal])
    (answers,) = answers_in_batches(additive, [both], batch_size=batch_size, title="contribution")
    of_both = np.swapaxes(answers["contribution"], 1, 2)
    beyond_empty: np.ndarray = of_both[1:] - of_both[:1]
    return beyond_empty
