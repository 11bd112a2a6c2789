"""The signatures of an exported model, as plain TensorFlow functions."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_chrome.layers.implementation import use_recurrence
from keras_chrome.models import logit_output
from keras_chrome.models.task import task_of

# The key under which the model's description, a JSON text, is served and stored.
DESCRIPTION_KEY = "description"


Answering = Callable[[tf.Tensor], dict[str, tf.Tensor]]


class Servable(NamedTuple):
    """What `tf.saved_model.save` needs: the variables, and a function for each signature."""

    module: tf.Module
    signatures: dict[str, tf.types.experimental.ConcreteFunction]


def build_servable(model: keras.Model, description: str) -> Servable:
    """Trace the signatures of a model.

    - `serving_default`: signal `(n, bins, marks)` to all that the model answers: probability
      `(n,)`, and where it has them alpha and contribution `(n, marks, bins)`, beta `(n, marks)`
      and, of an ensemble, `probability_sd`, `alpha_sd` and `beta_sd`. Of regression, here and
      below, it is `expression`, log2(expression + 1), that stands in the place of probability.
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
        model: Functional model from signal to a dict of outputs, with a layer `logit`.
        description: The text that `describe` answers.

    Returns:
        A module that holds the variables that the signatures use and nothing else, and the
        signatures.
    """
    shape = model.input_shape
    output = task_of(model.output).output
    saliency_model = keras.Model(model.input, (logit_output(model), model.output[output]))
    serving_default, predict = answering_functions(model)

    def saliency(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = tf.ensure_shape(signal, shape)
        with tf.GradientTape() as tape:
            tape.watch(signal)
            logit, answer = saliency_model(signal, training=False)
        return {"gradient": tape.gradient(logit, signal), output: answer}

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
    variables = [v.value for v in model.variables]
    module = tf.Module()
    # The variables alone: the Keras model would bring its layers and seed generators with it.
    module.weights = [v for v in variables if id(v) in used]
    return Servable(module, signatures)


def answering_functions(model: keras.Model) -> tuple[Answering, Answering]:
    """`serving_default` and `predict` of `build_servable`, to be traced."""
    output = task_of(model.output).output
    answer_model = keras.Model(model.input, model.output[output])

    def serving_default(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = tf.ensure_shape(signal, model.input_shape)
        return dict(model(signal, training=False))

    def predict(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = tf.ensure_shape(signal, model.input_shape)
        return {output: answer_model(signal, training=False)}

    return serving_default, predict
