"""What a network answers beside the probability, for the methods that read it off."""

import keras
import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import Model

_WORDS = {
    "alpha": "attention alpha",
    "beta": "attention beta",
    "contribution": "contributions, whose logit is a sum over bins",
}


def read_outputs(
    model: Model, signal: np.ndarray, *names: str, batch_size: int
) -> list[np.ndarray]:
    """The outputs of those names: `alpha` and `contribution` `(genes, marks, bins)`, or `beta`.

    The model itself is asked, which is compiled once for all methods that do.

    Raises:
        InputError: If the model has no output of such a name.
    """
    for name in names:
        if not isinstance(model, keras.Model) or name not in model.output:
            given = model.name if isinstance(model, keras.Model) else type(model).__name__
            raise InputError(
                f"Expected a model with {_WORDS[name]}. Received: model={given!r}, which has none"
            )
    (answers,) = answers_in_batches(
        model, [signal], batch_size=batch_size, title=" and ".join(names)
    )
    return [answers[name] for name in names]
