"""What the importance methods ask of a network: its logit, its gradient, its scale."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Union

import keras
import numpy as np
import tensorflow as tf

from keras_chrome.errors import InputError
from keras_chrome.layers import SignalTransform
from keras_chrome.models import logit_model, logit_output
from keras_chrome.models.backend import require_tensorflow
from keras_chrome.vocabulary import WRT

if TYPE_CHECKING:
    from keras_chrome.baselines import Baseline
    from keras_chrome.models.mixed_ensemble import MixedEnsemble

Model = Union[keras.Model, "Baseline", "MixedEnsemble"]


def require_network(model: Model, method: str) -> keras.Model:
    """The model itself; one that has no gradient is refused.

    Raises:
        InputError: If the model is no Keras model, or Keras does not run on TensorFlow.
    """
    require_tensorflow()
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected a neural network, for the gradient that {method} takes. Received: "
            f"model={type(model).__name__}. Occlusion needs no gradient"
        )
    return model


# What is asked of a model again is the same object, so that it is compiled once.
@functools.lru_cache(maxsize=8)
def logit_answer(model: keras.Model) -> keras.Model:
    """The same layers and weights, from the signal to a dict of `logit` `(batch, 1)` alone."""
    return keras.Model(model.input, {"logit": logit_output(model)})


@functools.lru_cache(maxsize=8)
def logit_gradient(model: keras.Model) -> Callable[..., dict[str, tf.Tensor]]:
    """A function from a batch to `logit` `(batch, 1)` and its `gradient` `(batch, bins, marks)`.

    The gradient is that with respect to the signal as measured; `to_transformed_gradient` turns
    it into that with respect to what `to_transformed` gives.
    """
    to_logit = logit_model(model)

    def gradient(batch: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(batch)
            logit = to_logit(batch, training=training)
        return {"logit": logit, "gradient": tape.gradient(logit, batch)}

    return gradient


def to_transformed(model: keras.Model, signal: np.ndarray) -> np.ndarray:
    """The signal in the scale that the network adds and multiplies in.

    That is log(1 + signal), or the signal itself if the model's transform is `"none"`. The
    standardisation that follows is left out: it moves and stretches each mark, and a straight line
    stays one.
    """
    return np.log1p(signal) if takes_log(model) else signal


def to_measured(model: keras.Model, transformed: np.ndarray) -> np.ndarray:
    """The inverse of `to_transformed`."""
    return np.expm1(transformed) if takes_log(model) else transformed


def to_transformed_gradient(
    model: keras.Model, gradient: np.ndarray, signal: np.ndarray
) -> np.ndarray:
    """The gradient at a signal as measured, with respect to what `to_transformed` makes of it."""
    return gradient * (1 + signal) if takes_log(model) else gradient


def gradient_with_respect_to(
    wrt: str, model: keras.Model, gradient: np.ndarray, signal: np.ndarray
) -> np.ndarray:
    """The gradient at a signal as measured, with respect to that or to `to_transformed` of it.

    Args:
        wrt: One of `keras_chrome.vocabulary.WRT`.
        model: The network.
        gradient: With respect to the signal as measured, float32 `(genes, bins, marks)`.
        signal: Where it was taken, likewise.
    """
    return to_transformed_gradient(model, gradient, signal) if wrt == WRT[1] else gradient


def takes_log(model: keras.Model) -> bool:
    """Whether the network computes with log(1 + signal), or a member of the ensemble does."""
    transforms = [layer for layer in model.layers if isinstance(layer, SignalTransform)]
    return any(transform.transform == "log1p" for transform in transforms)
