"""Integrated gradients."""

from collections.abc import Iterator

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_chrome.errors import InputError
from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import (
    Model,
    logit_answer,
    logit_gradient,
    require_network,
    to_measured,
    to_transformed,
)

# Parts of the way, in float32, that are not worth halving.
_LEAST_WIDTH = 1e-6


def integrated_gradients(
    model: Model,
    signal: np.ndarray,
    *,
    baseline: ArrayLike = 0.0,
    steps: int = 50,
    exact_sum: bool = False,
    batch_size: int = 512,
) -> np.ndarray:
    """What each bin adds to the logit on the way from a baseline to the gene's signal.

    The way is straight in the scale that the network computes in: where the model takes
    log(1 + signal), a way straight in the signal as measured would leave half of that scale behind
    with its first step. The attribution is as much of the signal as measured, since the logarithm
    is taken bin by bin.

    Trained recurrent networks can change their logit within a thousandth of the way, and have
    gradients there that an even sum of fifty misses or overrates many times. So half of the steps
    go where the logit changes most. What error is left
    `keras_chrome.importance.completeness.completeness` reports.

    Args:
        model: From `keras_chrome.load_model`; a baseline has no gradient.
        signal: float32 `(genes, bins, marks)`, as measured.
        baseline: Where the way begins, as measured: a number, one a mark, or `(bins, marks)`.
        steps: Segments of the way, each with the gradient in its middle.
        exact_sum: Whether to share out what a step's attribution lacks of the logit's change in
            it, or has too much, in proportion to its magnitudes. The sums are then right by
            construction, and say nothing of the error of the steps.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        float32 `(genes, bins, marks)`, in logit. A gene's sum is near its logit less that of the
        baseline.

    Raises:
        InputError: If the model is a baseline, or there is no step.

    Reference: Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017, section 3;
    the completeness of ways that are not straight, section 4.
    """
    require_network(model, "integrated_gradients")
    if steps < 1:
        raise InputError(f"Expected at least 1. Received: steps={steps}")
    start = to_transformed(model, np.asarray(baseline, np.float32))
    way = to_transformed(model, signal) - start
    edges, logits = _segments(model, start, way, steps, batch_size)
    total = np.zeros(signal.shape, np.float32)
    gradients = answers_in_batches(
        logit_gradient(model, transformed=True),
        (start + _each(middle) * way for middle in (edges[:, :-1] + edges[:, 1:]).T / 2),
        num_versions=steps,
        batch_size=batch_size,
        title="integrated_gradients",
    )
    for width, change, answers in zip(np.diff(edges).T, np.diff(logits).T, gradients, strict=True):
        part = _each(width) * way * answers["gradient"]
        if exact_sum:
            magnitude = np.abs(part)
            whole = np.maximum(magnitude.sum(axis=(1, 2)), np.finfo(np.float32).tiny)
            part += _each((change - part.sum(axis=(1, 2))) / whole) * magnitude
        total += part
    return total


def _segments(
    model: keras.Model, start: np.ndarray, way: np.ndarray, count: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each gene's edges between segments, as parts of the way, and its logits there.

    Half of the segments are even; then the one in which the logit changes most is halved, again
    and again. Both arrays are float32 `(genes, count + 1)`.
    """
    halvings = count // 2
    edges = logits = np.zeros((len(way), 0), np.float32)

    def new_edges() -> Iterator[np.ndarray]:
        for edge in np.linspace(0, 1, count - halvings + 1, dtype=np.float32):
            yield np.full(len(way), edge)
        # Each is asked for when the logits at those before it are known.
        for _ in range(halvings):
            changes = np.abs(np.diff(logits))
            changes[np.diff(edges) < _LEAST_WIDTH] = 0
            steepest = changes.argmax(axis=1, keepdims=True)
            ends = np.take_along_axis(edges, np.concatenate([steepest, steepest + 1], 1), 1)
            yield ends.mean(axis=1)

    asked = []

    def versions() -> Iterator[np.ndarray]:
        for edge in new_edges():
            asked.append(edge)
            yield to_measured(model, start + _each(edge) * way)

    for answers in answers_in_batches(
        logit_answer(model),
        versions(),
        num_versions=count + 1,
        batch_size=batch_size,
        title="integrated_gradients, segments",
    ):
        edges = np.column_stack([edges, asked[-1]])
        logits = np.column_stack([logits, answers["logit"]])
        order = edges.argsort(axis=1, kind="stable")
        edges, logits = (np.take_along_axis(a, order, 1) for a in (edges, logits))
    return edges, logits


def _each(values: np.ndarray) -> np.ndarray:
    """A value a gene, `(genes,)`, as `(genes, 1, 1)`."""
    return values[:, np.newaxis, np.newaxis]
