"""What a model is trained towards: labels as they are, or softened by how sure they are.

A label is a threshold on a number that was measured with noise: a gene just above the epigenome's
median says little. A soft target is the probability that the gene would be labelled high if its
expression were measured again.
"""

import numpy as np

from keras_chrome.errors import InputError

_PSEUDOCOUNT = 0.1
_MOST_DIGITS = 12


def soft_targets(
    rpkm: np.ndarray, label: np.ndarray, *, labels: str, median: float, width: float = 1.0
) -> np.ndarray:
    """Probability of a high label, were the expression measured again.

    log2(rpkm + 0.1) is taken to have logistic noise of scale `width`. For labels of `median` the
    target is sigmoid((log2(rpkm + 0.1) - log2(median + 0.1)) / width); the published labels,
    which compare numbers as text, have several ranges of high expression.

    Args:
        rpkm: Expression `(genes,)`, in any unit; NaN or negative where unknown.
        label: `(genes,)`, 1 for high expression, 0 for low, which stays where `rpkm` is unknown.
        labels: The rule of the labels, `median` or `published`.
        median: The epigenome's median, in the same unit.
        width: Scale of the noise, in doublings of the expression.

    Returns:
        float32 `(genes,)` in [0, 1].

    Raises:
        InputError: If `width` is not positive and finite.
    """
    if not 0 < width < np.inf:
        raise InputError(f"Expected a positive number. Received: target_width={width}")
    from scipy.special import expit

    measured = log_expression(rpkm)[:, np.newaxis]
    ends = log_expression(ranges_of_high(labels, median))
    below = expit((ends[np.newaxis] - measured[..., np.newaxis]) / width)
    target = (below[..., 1] - below[..., 0]).sum(axis=1)
    return np.where(np.isnan(target), label, target).astype(np.float32)


def log_expression(rpkm: np.ndarray, median: float | None = None) -> np.ndarray:
    """log2(rpkm + 0.1), float64; less that of the median, if one is given.

    It is NaN where expression is unknown, or is itself a logarithm, and negative.
    """
    measured = np.asarray(rpkm, np.float64)
    log: np.ndarray = np.log2(np.where(measured >= 0, measured, np.nan) + _PSEUDOCOUNT)
    return log if median is None else log - np.log2(median + _PSEUDOCOUNT)


def ranges_of_high(labels: str, median: float) -> np.ndarray:
    """The ranges of expression that a rule labels high.

    Args:
        labels: `median`, above it as a number; or `published`, above it as text.
        median: The epigenome's.

    Returns:
        Floats `(ranges, 2)`, where each begins and ends; the last may be infinite.
    """
    if labels == "median":
        return np.array([[median, np.inf]])
    # Among numbers with as many digits before the point as the median has, text compares as
    # numbers do. A longer number has a digit where the median has its point, and is above it if
    # it begins with the same digits or greater ones; a shorter one must begin with greater ones.
    digits = str(int(median))
    ranges = []
    for length in range(1, _MOST_DIGITS + 1):
        first, end = 0 if length == 1 else 10 ** (length - 1), 10**length
        if length == len(digits):
            start = median
        elif length > len(digits):
            start = int(digits) * 10 ** (length - len(digits))
        else:
            start = int(digits[:length]) + 1
        if max(start, first) < end:
            ranges.append((max(start, first), end))
    return np.array(ranges, np.float64)
