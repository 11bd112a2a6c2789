"""From the signal of a gene region to a row of features.

Each transformer takes float `(genes, bins, marks)` and gives float `(genes, features)`; the names
of its features say mark and position: `H3K4me3[+200]` is the bin that begins 200 bp right of the
TSS.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from keras_chrome.baselines.baseline import SignalSpec


class AllBins(TransformerMixin, BaseEstimator):
    """Every bin of every mark.

    Args:
        spec: The signal.
    """

    def __init__(self, spec: SignalSpec) -> None:
        self.spec = spec

    def fit(self, signal: np.ndarray, label: np.ndarray | None = None) -> "AllBins":
        """Nothing is learnt."""
        return self

    def transform(self, signal: np.ndarray) -> np.ndarray:
        """Lay the bins out in a row, the marks of a bin side by side."""
        return signal.reshape(len(signal), -1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names, in the order of the features."""
        bins = range(self.spec.num_bins)
        return np.array([bin_name(self.spec, m, b) for b in bins for m in self.spec.marks])


class BinsAndSummaries(TransformerMixin, BaseEstimator):
    """Every bin of every mark, and numbers that sum up a mark or compare two.

    Of each mark the mean, the standard deviation, the maximum and the position of its bin, the
    share of empty bins, the centre of mass in bp from the TSS, the mean right of the TSS less that
    left of it, and the means of 5, 10 and 20 segments of the region, as far as these are longer
    than a bin. Of each two marks the difference of their means, in the whole region and in its
    middle fifth, which of log(1 + signal) is a log ratio, and the correlation over bins.

    Args:
        spec: The signal.
    """

    def __init__(self, spec: SignalSpec) -> None:
        self.spec = spec

    def fit(self, signal: np.ndarray, label: np.ndarray | None = None) -> "BinsAndSummaries":
        """Nothing is learnt."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, signal: np.ndarray) -> np.ndarray:
        """Lay the bins out in a row, and the summaries after them."""
        return np.concatenate([values for _, values in self._features(signal)], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names, in the order of the features."""
        nothing = np.zeros((1, self.spec.num_bins, len(self.spec.marks)))
        return np.concatenate([names for names, _ in self._features(nothing)])

    def _features(self, signal: np.ndarray) -> Iterator[tuple[list[str], np.ndarray]]:
        """Yields features by their names, each `(genes, features)`."""
        bins = AllBins(self.spec)
        yield bins.get_feature_names_out().tolist(), bins.transform(signal)
        for name, values in self._of_marks(signal):
            yield [f"{mark} {name}" for mark in self.spec.marks], values
        for name, values in _of_pairs(signal):
            pairs = combinations(self.spec.marks, 2)
            yield [f"{first}, {second} {name}" for first, second in pairs], values

    def _of_marks(self, signal: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Yields what sums up each mark, `(genes, marks)`."""
        num_bins, bin_bp = self.spec.num_bins, self.spec.bin_bp
        flank_bp = num_bins * bin_bp // 2
        yield "mean", signal.mean(axis=1)
        yield "sd", signal.std(axis=1)
        yield "max", signal.max(axis=1)
        yield "max at", signal.argmax(axis=1) * bin_bp - flank_bp
        yield "empty", (signal == 0).mean(axis=1)
        middle_bp = (np.arange(num_bins) + 0.5) * bin_bp - num_bins * bin_bp / 2
        moment, mass = np.einsum("gbm,b->gm", signal, middle_bp), signal.sum(axis=1)
        yield "centre", np.divide(moment, mass, out=np.zeros_like(moment), where=mass > 0)
        if num_bins > 1:
            left, right = signal[:, : num_bins // 2], signal[:, -(num_bins // 2) :]
            yield "right - left", right.mean(axis=1) - left.mean(axis=1)
        for num_segments in (5, 10, 20):
            if num_segments >= num_bins:
                break
            for part in np.array_split(np.arange(num_bins), num_segments):
                start, end = (edge * bin_bp - flank_bp for edge in (part[0], part[-1] + 1))
                yield f"mean[{start:+d}:{end:+d}]", signal[:, part].mean(axis=1)


def _of_pairs(signal: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yields what compares each two marks, `(genes, pairs)`."""
    num_bins, num_marks = signal.shape[1:]
    first, second = np.triu_indices(num_marks, 1)
    edge = 2 * num_bins // 5
    for name, part in (
        ("difference", signal),
        ("middle difference", signal[:, edge : -edge or None]),
    ):
        mean = part.mean(axis=1)
        yield name, mean[:, first] - mean[:, second]
    centred = signal - signal.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=1)
    product = np.einsum("gbi,gbj->gij", centred, centred)[:, first, second]
    norms = norm[:, first] * norm[:, second]
    yield "correlation", np.divide(product, norms, out=np.zeros_like(product), where=norms > 0)


class MaxOfMark(TransformerMixin, BaseEstimator):
    """The greatest signal of each mark anywhere in the gene region.

    Args:
        marks: Names of the marks.
    """

    def __init__(self, marks: Sequence[str]) -> None:
        self.marks = marks

    def fit(self, signal: np.ndarray, label: np.ndarray | None = None) -> "MaxOfMark":
        """Nothing is learnt."""
        return self

    def transform(self, signal: np.ndarray) -> np.ndarray:
        """Take the maximum over the bins."""
        greatest: np.ndarray = signal.max(axis=1)
        return greatest

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names, in the order of the features."""
        return np.array([f"{mark} max" for mark in self.marks])


class BestBin(TransformerMixin, BaseEstimator):
    """Of each mark the one bin whose signal correlates most with the label, either way.

    Args:
        spec: The signal.

    Attributes:
        bins_: Integers `(marks,)`, the bins.
        correlations_: Floats `(marks,)`, their Pearson correlation with the label.
    """

    def __init__(self, spec: SignalSpec) -> None:
        self.spec = spec

    def fit(self, signal: np.ndarray, label: np.ndarray) -> "BestBin":
        """Find the bins on training genes; a bin without variance correlates with nothing."""
        centred = signal - signal.mean(axis=0, dtype=np.float64)
        label = label - np.mean(label)
        norms = np.linalg.norm(centred, axis=0) * np.linalg.norm(label)
        correlations = np.zeros(norms.shape)
        np.divide(np.tensordot(label, centred, 1), norms, out=correlations, where=norms > 0)
        self.bins_ = np.abs(correlations).argmax(axis=0)
        self.correlations_ = correlations[self.bins_, range(signal.shape[2])]
        return self

    def transform(self, signal: np.ndarray) -> np.ndarray:
        """Take those bins."""
        return signal[:, self.bins_, range(signal.shape[2])]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names, in the order of the features."""
        pairs = zip(self.spec.marks, self.bins_, strict=True)
        return np.array([bin_name(self.spec, mark, b) for mark, b in pairs])


def bin_name(spec: SignalSpec, mark: str, bin_index: int) -> str:
    """A bin by its mark and the distance of its left edge from the TSS in bp."""
    start = bin_index * spec.bin_bp - spec.num_bins * spec.bin_bp // 2
    return f"{mark}[{start:+d}]"


def signal_pipeline(features: BaseEstimator, classifier: BaseEstimator, transform: str) -> Pipeline:
    """A pipeline of the steps `transform`, `features` and `classifier`."""
    return Pipeline(
        [
            ("transform", FunctionTransformer(np.log1p if transform == "log1p" else None)),
            ("features", features),
            ("classifier", classifier),
        ]
    )
