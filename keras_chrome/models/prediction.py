"""A model's answers for many genes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from keras_chrome.data import broken_bins
from keras_chrome.errors import InputError
from keras_chrome.models.backend import require_tensorflow
from keras_chrome.models.sharding import num_shards, split_batch
from keras_chrome.models.task import CLASSIFICATION, task_of

Answering: TypeAlias = "keras.Model | Callable[[np.ndarray], Mapping[str, np.ndarray]]"
"""A network, or any function from the signal to a dict with its answer, as a baseline is."""


class Prediction(NamedTuple):
    """What a model says of genes.

    Attributes:
        answer: float32 `(genes,)`, what `output` names.
        alpha: float32 `(genes, marks, bins)`, sums to one over bins; None where the variant has
            no attention over bins.
        beta: float32 `(genes, marks)`, sums to one over marks; None likewise.
        contribution: float32 `(genes, marks, bins)`, sums to the logit less that of an empty
            region; None where the variant is not additive.
        answer_sd: Of an ensemble, how far its members lie apart: their standard deviation,
            `(genes,)`; None of another model.
        alpha_sd: Likewise, `(genes, marks, bins)`.
        beta_sd: Likewise, `(genes, marks)`.
        output: `probability`, or of regression `expression`: see `keras_chrome.models.task`.
    """

    answer: np.ndarray
    alpha: np.ndarray | None = None
    beta: np.ndarray | None = None
    contribution: np.ndarray | None = None
    answer_sd: np.ndarray | None = None
    alpha_sd: np.ndarray | None = None
    beta_sd: np.ndarray | None = None
    output: str = CLASSIFICATION.output

    @property
    def probability(self) -> np.ndarray:
        """Of high expression, float32 `(genes,)`.

        Raises:
            InputError: If the model is of regression.
        """
        if self.output != CLASSIFICATION.output:
            raise InputError(
                "Expected a model that tells the probability of high expression. Received: one "
                f"that tells {self.output}; train one with --task classification"
            )
        return self.answer

    @property
    def probability_sd(self) -> np.ndarray | None:
        """Of an ensemble, the standard deviation of its members' probabilities, `(genes,)`."""
        return self.answer_sd


def predict(model: Answering, signal: np.ndarray, *, batch_size: int = 512) -> Prediction:
    """Predict genes in large batches, compiled by XLA; one gene alone is not worth compiling for.

    The last batch is filled up, so that one shape is compiled; the result does not depend on
    `batch_size`. For a handful of genes call the model itself: it does not compile.

    Args:
        model: From `keras_chrome.load_model`; a baseline answers all genes at once.
        signal: float32 `(genes, bins, marks)`, as measured.
        batch_size: Genes a batch.

    Raises:
        InputError: If an answer is not finite.
    """
    answers = answer_all(model, signal, batch_size=batch_size)
    output = task_of(answers).output
    spread = answers.pop(f"{output}_sd", None)
    return Prediction(answers.pop(output), answer_sd=spread, output=output, **answers)


def answer_all(
    model: Answering, signal: np.ndarray, *, batch_size: int = 512
) -> dict[str, np.ndarray]:
    """All that a model answers, by name: `predict` for a model of any outputs."""
    if isinstance(model, keras.Model) and len(signal) > 1:
        return predict_batches(batch_predictor(model), signal, batch_size)
    answers = {name: np.asarray(values) for name, values in model(signal).items()}
    check_finite(answers, signal)
    return answers


def check_finite(answers: Mapping[str, np.ndarray], signal: np.ndarray) -> None:
    """See that what was computed from signal is a finite number everywhere.

    Whatever a command says of genes has come through here: NaN goes no further.

    Args:
        answers: By name, `(genes, ...)`.
        signal: Of the genes, `(genes, bins, marks)`.

    Raises:
        InputError: If it is not; it says whether the signal or the model is at fault.
    """
    for name, values in answers.items():
        is_finite = np.isfinite(values).reshape(len(values), -1)
        if is_finite.all():
            continue
        is_broken = ~is_finite.all(axis=1)
        gene = int(is_broken.argmax())
        value = np.reshape(values[gene], -1)[~is_finite[gene]][0]
        raise InputError(
            f"Expected finite numbers from the model. Received: {name}={value:g} for "
            f"{int(is_broken.sum())} of {len(values)} genes, the first at position {gene}, "
            f"{_why_not_finite(signal[gene])}"
        )


def _why_not_finite(signal: np.ndarray) -> str:
    broken = broken_bins(signal)
    if len(broken):
        bin_, mark = broken[0]
        return (
            f"whose signal is {signal[bin_, mark]:g} in bin {bin_ + 1} of mark {mark + 1}; give "
            "signal of 0 or more, such as read counts, depth or fold change"
        )
    return (
        f"whose signal, {signal.min():g} to {signal.max():g}, is in order: the model's weights are "
        "not; train it again with a lower --learning-rate or with --clip-norm"
    )


@functools.lru_cache(maxsize=16)
def batch_predictor(
    model: Callable[..., dict[str, tf.Tensor]],
) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """A function from one batch to the model's answers, compiled once a batch shape.

    Asked again for the same model it is the same function, with what it has compiled: weights may
    have changed in between.

    Args:
        model: A Keras model that answers a dict, or what is called like one.

    Raises:
        InputError: If Keras does not run on TensorFlow.
    """
    require_tensorflow()

    @tf.function(jit_compile=True, autograph=False)
    def shard(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        return model(signal, training=False)

    @tf.function(autograph=False)
    def shards(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        answers = [shard(part) for part in split_batch(signal)]
        return {name: tf.concat([a[name] for a in answers], axis=0) for name in answers[0]}

    @functools.cache
    def of(spec: tf.TensorSpec) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        # One gene takes 0.7 ms, and a function around it would add 0.1.
        function = shard if num_shards(spec.shape[0]) == 1 else shards
        # TensorFlow warns of one that is called, and traced, for several models or shapes.
        concrete: Callable[[tf.Tensor], dict[str, tf.Tensor]] = function.get_concrete_function(spec)
        return concrete

    def predictor(signal: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = tf.convert_to_tensor(signal)
        return of(tf.TensorSpec(signal.shape, signal.dtype))(signal)

    return predictor


def predict_batches(
    predictor: Callable[[tf.Tensor], dict[str, tf.Tensor]], signal: np.ndarray, batch_size: int
) -> dict[str, np.ndarray]:
    """Apply a `batch_predictor` to all genes.

    Raises:
        InputError: If an answer is not finite.
    """
    batch_size = min(batch_size, len(signal))
    parts = []
    for start in range(0, len(signal), batch_size):
        # Wraps around to the first genes; what they add is cut off below.
        batch = np.asarray(signal[np.arange(start, start + batch_size) % len(signal)])
        parts.append({k: v.numpy() for k, v in predictor(tf.constant(batch)).items()})
    answers = {k: np.concatenate([p[k] for p in parts])[: len(signal)] for k in parts[0]}
    check_finite(answers, signal)
    return answers
