"""Correlation over the bins of a region, also with controls held fixed, and over genes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

STATISTICS = ("pearson", "spearman")
# What is left of a profile once controls explain it, as a share, that is only rounding.
_ROUNDING = 1e-5


def bin_correlation(
    x: np.ndarray,
    y: np.ndarray,
    controls: Sequence[np.ndarray] = (),
    *,
    statistic: str = "pearson",
) -> np.ndarray:
    """Correlate profiles over their bins, with controls held fixed.

    Args:
        x: Floats `(..., bins)`.
        y: Likewise.
        controls: Profiles likewise, whose linear effect is taken out of `x` and `y` before they
            are correlated (partial correlation).
        statistic: `"pearson"`, or `"spearman"`, which ranks all of them first.

    Returns:
        float64 `(...)` in [-1, 1]; NaN where `x` or `y` is constant, or a copy of the controls.
    """
    profiles = [np.asarray(p, np.float64) for p in (x, y, *controls)]
    if statistic == "spearman":
        profiles = [rankdata(p, axis=-1) for p in profiles]
    centred = [p - p.mean(axis=-1, keepdims=True) for p in profiles]
    residuals = centred[:2]
    if controls:
        basis = _basis(centred[2:], np.broadcast_shapes(*(p.shape for p in profiles)))
        residuals = [_residual(p, basis) for p in residuals]
    x_left, y_left = residuals
    norms = [np.sqrt((r * r).sum(axis=-1)) for r in residuals]
    is_nothing = False
    for norm, before, profile in zip(norms, centred[:2], profiles[:2], strict=True):
        scale = np.sqrt((before * before).sum(axis=-1))
        # A constant is not exactly constant after its mean is taken away.
        scale = np.maximum(scale, _ROUNDING * np.abs(profile).max(axis=-1))
        is_nothing |= norm <= _ROUNDING * scale
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (x_left * y_left).sum(axis=-1) / (norms[0] * norms[1])
    return np.where(is_nothing, np.nan, np.clip(r, -1, 1))


def _basis(controls: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """An orthonormal basis of centred controls, `(..., bins, controls)`, zeros where dependent."""
    scaled = []
    for control in controls:
        control = np.broadcast_to(control, shape)
        norm = np.sqrt((control * control).sum(axis=-1, keepdims=True))
        scaled.append(control / np.where(norm > 0, norm, 1))
    left, singular, _ = np.linalg.svd(np.stack(scaled, axis=-1), full_matrices=False)
    return left * (singular > 1e-9)[..., np.newaxis, :]


def _residual(profile: np.ndarray, basis: np.ndarray) -> np.ndarray:
    explained = np.einsum("...bk,...b->...k", basis, profile)
    residual: np.ndarray = profile - np.einsum("...bk,...k->...b", basis, explained)
    return residual


def weighted_spearman(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], float]:
    """Spearman's rank correlation of a sample in which a gene may stand several times.

    The genes are sorted once, and ranks, ties sharing theirs, follow from the weights: a bootstrap
    of thousands of genes then takes a second.

    Args:
        x: Floats `(genes,)`.
        y: Floats `(genes,)`.

    Returns:
        A function of the weights, integers `(genes,)`: how often each gene stands in the sample.
        It answers NaN where `x` or `y` is the same for all.
    """
    places = [np.unique(values, return_inverse=True)[1] for values in (x, y)]

    def correlation(weight: np.ndarray) -> float:
        if not weight.any():
            return math.nan
        ranks = []
        for place in places:
            times = np.bincount(place, weight)
            ranks.append((np.cumsum(times) - times / 2)[place])
        return _weighted_r(ranks, weight)

    return correlation


def weighted_pearson(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], float]:
    """Pearson's correlation of a sample in which a gene may stand several times.

    Args:
        x: Floats `(genes,)`.
        y: Floats `(genes,)`.

    Returns:
        A function of the weights, integers `(genes,)`: how often each gene stands in the sample.
        It answers NaN where `x` or `y` is the same for all.
    """
    both = np.stack([x, y]).astype(np.float64)
    return lambda weight: _weighted_r(both, weight)


def _weighted_r(both: Any, weight: np.ndarray) -> float:
    """Pearson's correlation of two rows; NaN where one does not vary."""
    (var_x, cov), (_, var_y) = np.cov(both, fweights=weight, ddof=0)
    return cov / math.sqrt(var_x * var_y) if var_x > 0 and var_y > 0 else math.nan
