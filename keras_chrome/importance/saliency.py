"""Saliency: the gradient of the logit, through tf-keras-vis."""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import Model, gradient_with_respect_to, require_network
from keras_chrome.importance.registry import check_wrt
from keras_chrome.models import logit_output


def saliency(
    model: Model,
    signal: np.ndarray,
    *,
    wrt: str = "signal",
    signed: bool = False,
    batch_size: int = 512,
) -> np.ndarray:
    """How steeply the logit changes with the signal of each bin. Needs the extra `explain`.

    Where the model takes log(1 + signal), one more read counts for 1 / (1 + signal) of that scale:
    the same gradient of the network is a hundred times larger where nothing was measured than
    where 99 reads were. With respect to the signal as measured, saliency then prefers empty bins;
    with respect to log(1 + signal), it is what the network itself does there. The two differ by
    the factor 1 + signal, and thus in how they rank the bins.

    Args:
        model: From `keras_chrome.load_model`; a baseline has no gradient.
        signal: float32 `(genes, bins, marks)`, as measured.
        wrt: With respect to what: `"signal"` as measured, or `"transformed"`, log(1 + signal) if
            the model takes that; both are the same if its transform is `"none"`.
        signed: Whether to keep the sign, by which more signal there raises or lowers the logit.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        Magnitude of the gradient, or the gradient itself if `signed`, float32
        `(genes, bins, marks)`, in logit a unit of signal or of log(1 + signal).

    Raises:
        InputError: If the model is a baseline, or `wrt` is unknown.

    Reference: Simonyan et al., Deep Inside Convolutional Networks, 2013, section 3. It, and the
    extra's own default, take the magnitude.
    """
    network = require_network(model, "saliency")
    check_wrt(wrt)
    (answers,) = answers_in_batches(
        visualized_gradient(model), [signal], batch_size=batch_size, title="saliency"
    )
    gradient = gradient_with_respect_to(wrt, network, answers["gradient"], signal)
    return gradient if signed else np.abs(gradient)


@functools.lru_cache(maxsize=8)
def visualized_gradient(model: keras.Model) -> Callable[..., dict[str, tf.Tensor]]:
    """tf-keras-vis's `Saliency` as a function from a batch to the `gradient` of its logits.

    Nothing in it keeps TensorFlow from tracing it, so that it compiles as any other function.
    """
    from tf_keras_vis.saliency import Saliency

    visualizer = Saliency(visualizable(model))

    def gradient(batch: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        # Its defaults take the greatest magnitude over the marks and stretch it to [0, 1].
        values = visualizer(
            tf.identity,
            batch,
            training=training,
            keepdims=True,
            gradient_modifier=None,
            normalize_map=False,
        )
        return {"gradient": values}

    return gradient


def visualizable(model: keras.Model) -> keras.Model:
    """A view of the model as tf-keras-vis wants it: one output, the logit, and a list of inputs."""
    return keras.Model(model.inputs, logit_output(model))
