"""Integrated gradients, with as many steps as each gene's path needs."""

from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from keras_chrome.errors import InputError
from keras_chrome.importance.network import (
    Model,
    logit_gradient,
    require_network,
    to_measured,
    to_transformed,
    to_transformed_gradient,
)
from keras_chrome.models.prediction import batch_predictor, predict_batches

# The gradients along the paths of so many genes are kept in memory at a time.
_GENES_AT_A_TIME = 512
# Segments of the path, in float32, that are not worth halving.
_LEAST_WIDTH = 1e-6


def integrated_gradients(
    model: Model,
    signal: np.ndarray,
    *,
    baseline: ArrayLike = 0.0,
    steps: int = 16,
    tolerance: float | None = 0.1,
    max_steps: int = 1000,
    share_remainder: bool = True,
    batch_size: int = 64,
) -> np.ndarray:
    """What each bin adds to the logit on the way from a baseline to the gene's signal.

    The way is straight in the scale that the network computes in: where the model takes
    log(1 + signal), a way straight in the signal as measured would leave half of that scale behind
    with its first step. The attribution is as much of the signal as measured, since the logarithm
    is taken bin by bin.

    A trained recurrent network often changes its logit by switches: over a thousandth of the way,
    with gradients there that an even sum misses or overrates many times. What tells them is the
    logit itself, which is known at every step: where the gradients of a segment do not add up to
    its change, the segment is halved, until the gene's errors together are within the tolerance.
    Smooth genes are done after the first steps. What a segment then still lacks of the logit's
    change in it, or has too much, is shared out among its bins in proportion to their magnitudes.

    On 48 test genes of E012 the default takes 56 gradients a gene and is 0.9 % away from the
    converged integral (sum of absolute differences); 51 even gradients without that are 32 % away.

    Args:
        model: From `keras_chrome.load_model`; a baseline has no gradient.
        signal: float32 `(genes, bins, marks)`, as measured.
        baseline: Where the way begins, as measured: a number, one a mark, or `(bins, marks)`.
        steps: Even segments to begin with.
        tolerance: The errors of a gene's segments together, as a share of the changes of its logit
            in them, at which it is done. None to leave it at the even segments.
        max_steps: Segments after which a gene is done in any case.
        share_remainder: Whether to share out what segments lack. The sums are then right by
            construction, and `completeness` says nothing of the error of the steps; without, it
            does.
        batch_size: Points of paths a batch; the result does not depend on it.

    Returns:
        float32 `(genes, bins, marks)`, in logit. A gene's sum is its logit less that of the
        baseline; near it, without `share_remainder`.

    Raises:
        InputError: If the model is a baseline, or there is no gene or no step.

    Reference: Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017, section 3;
    the completeness of ways that are not straight, section 4.
    """
    require_network(model, "integrated_gradients")
    if steps < 1:
        raise InputError(f"Expected at least 1. Received: steps={steps}")
    if not len(signal):
        raise InputError(f"Expected one gene or more. Received: shape={signal.shape}")
    start = to_transformed(model, np.asarray(baseline, np.float32))
    total = np.empty(signal.shape, np.float32)
    with tqdm(desc="integrated_gradients", unit="gene", total=len(signal), disable=None) as bar:
        for first in range(0, len(signal), _GENES_AT_A_TIME):
            genes = slice(first, first + _GENES_AT_A_TIME)
            way = to_transformed(model, signal[genes]) - start
            path = _Path(model, start, way, batch_size)
            gene, part = np.divmod(np.arange(len(way) * (steps + 1)), steps + 1)
            path.visit(gene, part / steps)
            num_active = len(way)
            while len((middles := path.halves(tolerance, max_steps))[0]):
                path.visit(*middles)
                bar.update(num_active - (num_active := len(np.unique(middles[0]))))
            bar.update(num_active)
            total[genes] = path.integral(share_remainder=share_remainder)
    return total


class _Points(NamedTuple):
    """Places on the ways of genes, in the order of gene and place; every array `(points,)`."""

    gene: np.ndarray
    part: np.ndarray  # of the way, 0 at the baseline and 1 at the signal
    logit: np.ndarray
    slope: np.ndarray  # of the logit along the way
    row: np.ndarray  # where the point's gradient is kept


class _Path:
    """The straight ways of genes, with the gradients at the points visited so far."""

    def __init__(
        self, model: keras.Model, start: np.ndarray, way: np.ndarray, batch_size: int
    ) -> None:
        self._model, self._start, self._way, self._batch_size = model, start, way, batch_size
        self._predictor = batch_predictor(logit_gradient(model))
        self._gradients: list[np.ndarray] = []
        none = np.zeros(0, np.int64)
        self._points = _Points(none, np.zeros(0), np.zeros(0), np.zeros(0), none)

    def visit(self, gene: np.ndarray, part: np.ndarray) -> None:
        """Take the logit and the gradient at points."""
        gradient, logit, slope = [], [], []
        for begin in range(0, len(gene), self._batch_size):
            here = slice(begin, begin + self._batch_size)
            # One shape for all batches: each is compiled.
            filled = np.resize(np.arange(len(gene))[here], self._batch_size)
            way = self._way[gene[filled]]
            signal = to_measured(
                self._model,
                (self._start + part[filled, np.newaxis, np.newaxis] * way).astype(np.float32),
            )
            answers = predict_batches(self._predictor, signal, self._batch_size)
            along = way * to_transformed_gradient(self._model, answers["gradient"], signal)
            num_points = len(gene[here])
            gradient.append(along[:num_points].astype(np.float32))
            logit.append(answers["logit"][:num_points, 0])
            slope.append(along[:num_points].sum(axis=(1, 2), dtype=np.float64))
        num_before = len(self._points.gene)
        self._gradients += gradient
        new = _Points(
            gene,
            part,
            np.concatenate(logit).astype(np.float64),
            np.concatenate(slope),
            num_before + np.arange(len(gene)),
        )
        together = [np.concatenate(both) for both in zip(self._points, new, strict=True)]
        order = np.lexsort((together[1], together[0]))
        self._points = _Points(*(values[order] for values in together))

    def halves(self, tolerance: float | None, max_steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Genes and places of the points in the middle of the segments that are not right yet."""
        part = self._points.part
        gene, first = self._segments()
        width = part[first + 1] - part[first]
        change, summed = self._changes(first)
        error, num_segments = abs(summed - change), np.bincount(gene)
        allowed = np.full(len(num_segments), np.inf)
        if tolerance is not None:
            allowed = tolerance * np.bincount(gene, abs(change))
        is_active = (np.bincount(gene, error) > allowed) & (num_segments < max_steps)
        # Some segment has more than an equal share of an error that is too large.
        is_halved = is_active[gene] & (error > (allowed / num_segments)[gene])
        is_halved &= width > _LEAST_WIDTH
        return gene[is_halved], (part[first] + 0.5 * width)[is_halved]

    def integral(self, *, share_remainder: bool) -> np.ndarray:
        """The integral of the gradients along each way by trapezoids, `(genes, bins, marks)`."""
        points = self._points
        gene, first = self._segments()
        half = 0.5 * (points.part[first + 1] - points.part[first])
        change, summed = self._changes(first)
        gradient = np.concatenate(self._gradients)
        total = np.zeros(self._way.shape, np.float32)
        for one in range(len(total)):
            here = gene == one
            left, right = (gradient[points.row[first[here] + i]] for i in (0, 1))
            parts = _each(half[here]) * (left + right)
            if share_remainder:
                magnitude = np.abs(parts)
                whole = np.maximum(magnitude.sum(axis=(1, 2)), np.finfo(np.float32).tiny)
                parts += _each((change - summed)[here] / whole) * magnitude
            total[one] = parts.sum(axis=0)
        return total

    def _segments(self) -> tuple[np.ndarray, np.ndarray]:
        """The gene of each segment, and the position of the point where it begins."""
        gene = self._points.gene
        first = np.flatnonzero(gene[1:] == gene[:-1])
        return gene[first], first

    def _changes(self, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How the logit changes in each segment, and what its gradients say, `(segments,)`."""
        _, part, logit, slope, _ = self._points
        width = part[first + 1] - part[first]
        return logit[first + 1] - logit[first], 0.5 * width * (slope[first] + slope[first + 1])


def _each(values: np.ndarray) -> np.ndarray:
    """A value an item as float32 `(items, 1, 1)`."""
    return values.astype(np.float32)[:, np.newaxis, np.newaxis]
