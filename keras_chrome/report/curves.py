"""What a figure shows of how answers agree with what was measured."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

# A figure is some 300 pixels wide.
_DECIMALS = 3
_NUM_GROUPS = 10
_NUM_ERROR_BINS = 25


class Tenth(NamedTuple):
    """A tenth of the genes, by predicted expression.

    Attributes:
        num_genes: How many.
        predicted: Mean of the predictions.
        measured: Mean of what was measured.
        measured_sd: Its standard deviation over the genes.
    """

    num_genes: int
    predicted: float
    measured: float
    measured_sd: float


def roc_points(label: np.ndarray, probability: np.ndarray) -> list[list[float]]:
    """The ROC curve from (0, 0) to (1, 1): false positive rate, true positive rate.

    Args:
        label: Integers `(genes,)`, 0 or 1, both present.
        probability: Floats `(genes,)`.
    """
    false_positive_rate, true_positive_rate, _ = roc_curve(label, probability)
    return _thinned(false_positive_rate, true_positive_rate)


def precision_recall_points(label: np.ndarray, probability: np.ndarray) -> list[list[float]]:
    """The precision-recall curve from recall 0 to 1: recall, precision.

    To be drawn as steps: precision between two points is that of the right one, as average
    precision counts it. Arguments as of `roc_points`.
    """
    precision, recall, _ = precision_recall_curve(label, probability)
    return _thinned(recall[::-1], precision[::-1])


def tenths(measured: np.ndarray, predicted: np.ndarray) -> list[Tenth]:
    """Genes in ten groups of about the same size, from the lowest prediction to the highest.

    Args:
        measured: Floats `(genes,)`.
        predicted: Floats `(genes,)`.
    """
    order = np.argsort(predicted, kind="stable")
    groups = [group for group in np.array_split(order, _NUM_GROUPS) if len(group)]
    return [
        Tenth(
            len(group),
            float(predicted[group].mean()),
            float(measured[group].mean()),
            float(measured[group].std()),
        )
        for group in groups
    ]


def error_histogram(
    measured: np.ndarray, predicted: np.ndarray
) -> tuple[list[int], tuple[float, float]]:
    """How many genes were predicted how much too high or too low.

    Arguments as of `tenths`.

    Returns:
        Counts of bins of predicted less measured, and where the first begins and the last ends, as
        far below 0 as above.
    """
    error = predicted - measured
    furthest = float(np.abs(error).max()) or 1.0
    counts, _ = np.histogram(error, _NUM_ERROR_BINS, (-furthest, furthest))
    return list(counts.tolist()), (-furthest, furthest)


def _thinned(x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    """Points in order, without those that round to the one before."""
    points = np.round(np.stack([x, y], axis=1), _DECIMALS)
    is_new = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
    return list(points[is_new].tolist())
