"""ROC and precision-recall curves, thinned to what a figure can show."""

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

# A figure is some 300 pixels wide.
_DECIMALS = 3


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


def _thinned(x: np.ndarray, y: np.ndarray) -> list[list[float]]:
    """Points in order, without those that round to the one before."""
    points = np.round(np.stack([x, y], axis=1), _DECIMALS)
    is_new = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
    return list(points[is_new].tolist())
