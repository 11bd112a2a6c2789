"""The bootstrap: how a statistic varies with the genes it is of.

A sample of the genes is a weight for each: how often it was drawn.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

NUM_RESAMPLES = 1000


def with_interval(
    statistic: Callable[[np.ndarray], Any], num_genes: int, *, seed: int
) -> np.ndarray:
    """A statistic, and its 95 % percentile interval over bootstrap samples of the genes.

    Args:
        statistic: A function of how often each gene stands in a sample, integers `(genes,)`, to a
            number or an array; NaN where it is not defined.
        num_genes: Number of genes.
        seed: Seeds the samples.

    Returns:
        `(3, ...)`: of all genes, and the low and the high end of the interval, of the samples of
        which the statistic is defined.
    """
    rng = np.random.default_rng(seed)
    weights = (
        np.bincount(rng.integers(num_genes, size=num_genes), minlength=num_genes)
        for _ in range(NUM_RESAMPLES)
    )
    low, high = interval95(np.array([statistic(weight) for weight in weights]))
    return np.stack([statistic(np.ones(num_genes, int)), low, high])


def mean_profiles(profiles: np.ndarray, *, seed: int) -> np.ndarray:
    """The mean profile over genes, and over bootstrap samples of the genes.

    Args:
        profiles: Floats `(genes, ...)`.
        seed: Seeds the samples. Equal numbers of genes and seeds give the same genes.

    Returns:
        float64 `(1 + NUM_RESAMPLES, ...)`, of all genes first.
    """
    num_genes = len(profiles)
    weights = np.ones((1 + NUM_RESAMPLES, num_genes))
    # All samples at once, so that their means are one product of matrices.
    rng = np.random.default_rng(seed)
    weights[1:] = rng.multinomial(num_genes, np.full(num_genes, 1 / num_genes), NUM_RESAMPLES)
    return np.tensordot(weights, profiles, axes=1) / num_genes


def interval95(samples: np.ndarray) -> np.ndarray:
    """Percentiles 2.5 and 97.5 over the first axis of what is known, `(2, ...)`; NaN if none is."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        low_and_high: np.ndarray = np.nanpercentile(samples, [2.5, 97.5], axis=0)
    return low_and_high


def known_mean(values: np.ndarray) -> float:
    """The mean of the values that are known; NaN if none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def mean_interval95(values: np.ndarray, *, seed: int) -> np.ndarray:
    """The 95 % bootstrap interval of the mean of one value a gene, of those that are known."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(2, np.nan)
    return interval95(mean_profiles(known, seed=seed)[1:])
