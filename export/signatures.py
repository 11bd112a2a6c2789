"""The signatures of an exported model, as plain TensorFlow functions."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_chrome.layers.implementation import use_recurrence
from keras_chrome.models import logit_output

# The key under which the model's description, a JSON text, is served and stored.
DESCRIPTION_KEY = "description"


class Servable(NamedTuple):
    """What `tf.saved_model.save` needs: the variables, and a function for each signature."""

    module: tf.Module
    signatures: dict[str, tf.types.experimental.ConcreteFunction]


def build_servable(models: Sequence[keras.Model], description: str) -> Servable:
    """Trace the signatures of a model, or of an ensemble, which answers the mean of its members.

    - `serving_default`: signal `(n, bins, marks)` to all that the variant has: probability `(n,)`,
      alpha `(n, marks, bins)`, beta `(n, marks)`. An ensemble also answers how far its members
      lie apart, their population standard deviation, in the same shapes: `probability_sd`,
      `alpha_sd`, `beta_sd`.
    - `predict`: signal to probability alone, without the layers that only attention needs.
    - `saliency`: signal to gradient `(n, bins, marks)` and probability. The gradient is that of the
      logit, the class score before it is normalised (Simonyan et al., Deep Inside Convolutional
      Networks, 2013, section 3).
    - `describe`: query `(n,)`, any numbers, to description `(n,)`, a text, the same n times.

    All numbers are float32 and n is free.

    `describe` lets a client learn the marks from the server itself. Its input and its output have
    a batch dimension because TensorFlow Serving, when it batches requests, refuses a signature
    without inputs and an output that does not grow with them.

    Each signature checks the shape of its signal. TensorFlow Serving does not, and a signal of
    the wrong shape would fail deep inside the network, or not at all.

    Args:
        models: Functional models, at least one, from the same signal to a dict of the same
            outputs, each with a layer `logit`.
        description: The text that `describe` answers.

    Returns:
        A module that holds the variables that the signatures use and nothing else, and the
        signatures.
    """
    shape = models[0].input_shape
    probability_models = [keras.Model(m.input, m.output["probability"]) for m in models]
    saliency_models = [
        keras.Model(m.input, (logit_output(m), m.output["probability"])) for m in models
    ]

    def serving_default(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = tf.ensure_shape(signal, shape)
        return _mean_and_spread([model(signal, training=False) for model in models])

    def predict(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = tf.ensure_shape(signal, shape)
        return {"probability": _mean([m(signal, training=False) for m in probability_models])}

    def saliency(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = tf.ensure_shape(signal, shape)
        with tf.GradientTape() as tape:
            tape.watch(signal)
            answers = [m(signal, training=False) for m in saliency_models]
            logit, probability = map(_mean, zip(*answers, strict=True))
        return {"gradient": tape.gradient(logit, signal), "probability": probability}

    def describe(query: tf.Tensor) -> dict[str, tf.Tensor]:
        # Each number is answered with the whole text: no shape that multiplies them passes.
        query = tf.ensure_shape(query, (None,))
        return {DESCRIPTION_KEY: tf.fill(tf.shape(query), description)}

    signal_spec = tf.TensorSpec(shape, tf.float32, name="signal")
    query_spec = tf.TensorSpec((None,), tf.float32, name="query")
    specs = {
        serving_default: signal_spec,
        predict: signal_spec,
        saliency: signal_spec,
        describe: query_spec,
    }
    # Without XLA this is the fastest, and what `stock` needs beside weights cannot be saved.
    with use_recurrence("block"):
        signatures = {
            function.__name__: tf.function(function, autograph=False).get_concrete_function(spec)
            for function, spec in specs.items()
        }
    used = {id(v) for function in signatures.values() for v in function.graph.variables}
    variables = [v.value for model in models for v in model.variables]
    module = tf.Module()
    # The variables alone: the Keras model would bring its layers and seed generators with it.
    module.weights = [v for v in variables if id(v) in used]
    return Servable(module, signatures)


def _mean_and_spread(outputs: Sequence[Mapping[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """The members' mean of each output and, of more than one member, the standard deviation."""
    by_key = {key: [member[key] for member in outputs] for key in outputs[0]}
    answer = {key: _mean(values) for key, values in by_key.items()}
    if len(outputs) > 1:
        spread = {f"{key}_sd": tf.math.reduce_std(values, 0) for key, values in by_key.items()}
        answer.update(spread)
    return answer


def _mean(values: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(values) / len(values)
