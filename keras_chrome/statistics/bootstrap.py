"""The bootstrap: how a statistic varies with the genes, and the trainings, that it is of.

A sample of the genes is a weight for each: how often it was drawn. With several trainings of a
network, trainings are drawn as well as genes, and those drawn share a sample's genes.

Functions that draw trainings draw one fewer than there are. The mean of n drawn among n varies by
(n - 1) / n too little, with three trainings by a third of the variance; the mean of n - 1 drawn has
the variance over trainings without bias. What no drawing mends is that an interval never reaches
beyond the trainings at hand: where genes vary little, it covers the mean of all trainings in 75 %
of cases with three trainings, in 87 % with five, rather than in 95 %. Where a gene answers to
the training as much as to anything, an interval is up to 1.8 times too wide.

References:
    McCarthy & Snowden, The Bootstrap and Finite Population Sampling, 1985 (n - 1 of n); Owen, The
    Pigeonhole Bootstrap, Annals of Applied Statistics 2007 (rows and columns of a table drawn
    independently, and what that makes too wide).
"""

import warnings
from collections.abc import Callable, Sequence
from itertools import chain
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
    return with_interval_over_trainings([statistic], num_genes, seed=seed)


def with_interval_over_trainings(
    statistics: Sequence[Callable[[np.ndarray], Any]], num_genes: int, *, seed: int
) -> np.ndarray:
    """The mean of a statistic over trainings, and its interval over genes and trainings.

    Args:
        statistics: The statistic of each training, as in `with_interval`, which this is with one.
        num_genes: Number of genes, the same for each training.
        seed: Seeds the samples.

    Returns:
        `(3, ...)`: of all genes and trainings, and the ends of the 95 % percentile interval.

    Example:
        >>> with_interval_over_trainings(
        ...     [weighted_auroc(label, probability) for probability in probabilities],
        ...     len(label),
        ...     seed=0,
        ... )
    """
    rng = np.random.default_rng(seed)
    drawn = (
        np.bincount(rng.integers(num_genes, size=num_genes), minlength=num_genes)
        for _ in range(NUM_RESAMPLES)
    )
    weights = chain([np.ones(num_genes, int)], drawn)
    samples = np.array([[statistic(weight) for statistic in statistics] for weight in weights])
    return _with_interval(over_trainings(samples, seed=seed))


def over_trainings(samples: np.ndarray, *, seed: int) -> np.ndarray:
    """The mean over trainings of a statistic, and over drawn trainings in each sample of genes.

    Args:
        samples: Floats `(1 + NUM_RESAMPLES, trainings, ...)`: of all genes first, then of samples
            of the genes, each the same for all trainings. NaN where the statistic is not defined.
        seed: Seeds the draw of trainings, apart from that of genes with an equal seed. Equal
            numbers of trainings and seeds give the same trainings.

    Returns:
        float64 `(1 + NUM_RESAMPLES, ...)`, of all genes and trainings first; means over those
        trainings of which the statistic is defined, NaN where it is of none. With one training,
        its `samples`.

    Example:
        How like the mean profiles of two marks are, in the mean of several trainings:

        >>> means = mean_profiles_by_training(profiles, seed=0)  # (1001, trainings, 2, bins)
        >>> r = over_trainings(bin_correlation(means[:, :, 0], means[:, :, 1]), seed=0)
        >>> r[0], interval95(r[1:])
    """
    num_trainings = samples.shape[1]
    # A stream of its own: genes are drawn with the bare seed.
    rng = np.random.default_rng((seed, 1))
    times = np.ones((len(samples), num_trainings))
    times[1:] = rng.multinomial(
        max(num_trainings - 1, 1), np.full(num_trainings, 1 / num_trainings), len(samples) - 1
    )
    return _weighted_mean("st,st...->s...", times, samples)


def mean_profiles(profiles: np.ndarray, *, seed: int) -> np.ndarray:
    """The mean profile over genes, and over bootstrap samples of the genes.

    Args:
        profiles: Floats `(genes, ...)`.
        seed: Seeds the samples. Equal numbers of genes and seeds give the same genes.

    Returns:
        float64 `(1 + NUM_RESAMPLES, ...)`, of all genes first.
    """
    return np.tensordot(_gene_weights(len(profiles), seed), profiles, axes=1) / len(profiles)


def mean_profiles_by_training(profiles: np.ndarray, *, seed: int) -> np.ndarray:
    """Each training's mean profile over genes, and over bootstrap samples of the genes.

    Args:
        profiles: Floats `(trainings, genes, ...)`; NaN where a gene is not to count, such as one
            that a training does not predict ON.
        seed: Seeds the samples, which are the same for all trainings, and as in `mean_profiles`.

    Returns:
        float64 `(1 + NUM_RESAMPLES, trainings, ...)`, of all genes first. `over_trainings` makes
        one of the trainings, at once or after what is computed of each.
    """
    weights = _gene_weights(profiles.shape[1], seed)
    return np.stack([_weighted_mean("sg,g...->s...", weights, p) for p in profiles], axis=1)


def mean_with_interval_over_trainings(values: np.ndarray, *, seed: int) -> np.ndarray:
    """The mean of one value a gene and training, and its interval over genes and trainings.

    Args:
        values: Floats `(trainings, genes)`; NaN where unknown.
        seed: Seeds the samples.

    Returns:
        `(3,)`: the mean over trainings of means over known genes, and the ends of its 95 %
        percentile interval, with one training those of `mean_interval95`; NaN if none is known.
    """
    known = values[:, np.isfinite(values).any(axis=0)]
    if not known.size:
        return np.full(3, np.nan)
    return _with_interval(over_trainings(mean_profiles_by_training(known, seed=seed), seed=seed))


def _gene_weights(num_genes: int, seed: int) -> np.ndarray:
    """How often each gene stands in all genes and in samples, `(1 + NUM_RESAMPLES, genes)`."""
    weights = np.ones((1 + NUM_RESAMPLES, num_genes))
    # All samples at once, so that their means are one product of matrices.
    rng = np.random.default_rng(seed)
    weights[1:] = rng.multinomial(num_genes, np.full(num_genes, 1 / num_genes), NUM_RESAMPLES)
    return weights


def _weighted_mean(axes: str, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Weighted mean of what is known, over the axis that `np.einsum` sums; NaN if none is."""
    is_known = np.isfinite(values)
    total = np.einsum(axes, weights, np.where(is_known, values, 0), optimize=True)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = total / np.einsum(axes, weights, is_known.astype(float), optimize=True)
    return mean


def _with_interval(samples: np.ndarray) -> np.ndarray:
    """What stands first, and the interval of what follows, `(3, ...)`."""
    return np.stack([samples[0], *interval95(samples[1:])])


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
