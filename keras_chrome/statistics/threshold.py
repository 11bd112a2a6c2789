"""From which probability on a gene counts as predicted ON."""

import numpy as np
from sklearn.metrics import roc_curve


def on_threshold(label: np.ndarray, probability: np.ndarray, rule: str) -> float | None:
    """The threshold that does best by a rule, of those between neighbouring probabilities.

    Args:
        label: Integers `(genes,)`, 0 or 1.
        probability: Floats `(genes,)` in [0, 1].
        rule: `balanced`, of the best balanced accuracy, the mean of the share of high genes at or
            above it and of low genes below it; or `rate`, at or above which lie as many genes as
            are labelled high, or as near to that as equal probabilities allow.

    Returns:
        In the middle between the two probabilities that it parts; of equally good thresholds the
        one nearest 0.5. None where there is no choice: the labels are all the same, or the
        probabilities are.

    Example:
        >>> on_threshold(np.array([0, 0, 1]), np.array([0.1, 0.2, 0.4]), "balanced")
        0.3
    """
    num_high = int((label == 1).sum())
    num_low = len(label) - num_high
    if not num_high or not num_low or np.ptp(probability) == 0:
        return None
    # In double precision there is a number between any two float32.
    of_genes = probability.astype(np.float64)
    low_on, high_on, parted = roc_curve(label, of_genes, drop_intermediate=False)
    # From the first to the last, no gene lies above and none below.
    low_on, high_on = low_on[1:-1], high_on[1:-1]
    threshold = (parted[1:-1] + parted[2:]) / 2
    missed = 1 - high_on
    cost = {
        "balanced": (low_on + missed) / 2,
        "rate": abs(num_low * low_on - num_high * missed) / len(label),
    }[rule]
    best = threshold[np.isclose(cost, cost.min(), rtol=0, atol=1e-12)]
    return float(best[abs(best - 0.5).argmin()])
