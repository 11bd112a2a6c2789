"""From the signal of a gene region to a row of features.

Each transformer takes float `(genes, bins, marks)` and gives float `(genes, features)`; the names
of its features say mark and position: `H3K4me3[+200]` is the bin that begins 200 bp right of the
TSS.
"""

from collections.abc import Sequence
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
