"""Means over genes and their bootstrap intervals."""

import numpy as np


def mean_profiles(profiles: np.ndarray, *, num_resamples: int, seed: int) -> np.ndarray:
    """The mean profile over genes, and over bootstrap samples of the genes.

    Args:
        profiles: Floats `(genes, bins)`.
        num_resamples: How many samples.
        seed: Seeds the samples. Equal numbers of genes and seeds give the same genes.

    Returns:
        float64 `(1 + num_resamples, bins)`, of all genes first.
    """
    num_genes = len(profiles)
    times = np.ones((1 + num_resamples, num_genes))
    rng = np.random.default_rng(seed)
    times[1:] = rng.multinomial(num_genes, np.full(num_genes, 1 / num_genes), num_resamples)
    return times @ profiles / num_genes


def interval95(values: np.ndarray) -> tuple[float, float]:
    """Percentiles 2.5 and 97.5 of the values that are known; NaN if none is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def known_mean(values: np.ndarray) -> float:
    """The mean of the values that are known; NaN if none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else np.nan


def mean_interval95(values: np.ndarray, *, num_resamples: int, seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean of one value a gene."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.nan, np.nan
    means = mean_profiles(known[:, np.newaxis], num_resamples=num_resamples, seed=seed)
    return interval95(means[1:, 0])
