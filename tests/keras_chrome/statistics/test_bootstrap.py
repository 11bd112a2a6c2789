"""Intervals against formulas, and samples that pair."""

import math

import numpy as np
import pytest

from keras_chrome.statistics.bootstrap import (
    NUM_RESAMPLES,
    interval95,
    mean_interval95,
    mean_profiles,
    mean_profiles_by_training,
    mean_with_interval_over_trainings,
    over_trainings,
    with_interval,
    with_interval_over_trainings,
)
from keras_chrome.statistics.metrics import weighted_auroc

VALUES = np.random.default_rng(4).normal(size=(200, 3))


def test_mean_profiles_begin_with_all_genes_and_pair_their_samples() -> None:
    means = mean_profiles(VALUES, seed=1)
    assert means.shape == (1 + NUM_RESAMPLES, 3)
    np.testing.assert_allclose(means[0], VALUES.mean(axis=0))
    # The standard error of a mean, by the bootstrap and by its formula.
    np.testing.assert_allclose(means[1:].std(axis=0), VALUES.std(axis=0) / np.sqrt(200), rtol=0.1)
    np.testing.assert_allclose(mean_profiles(2 * VALUES, seed=1), 2 * means)


def test_a_statistic_of_weights_has_the_interval_that_theory_says() -> None:
    sums = with_interval(VALUES.T.dot, len(VALUES), seed=0)
    mean, low, high = sums / len(VALUES)
    np.testing.assert_allclose(mean, VALUES.mean(axis=0))
    half_width = 1.96 * VALUES.std(axis=0) / np.sqrt(200)
    np.testing.assert_allclose(low, mean - half_width, atol=0.02)
    np.testing.assert_allclose(high, mean + half_width, atol=0.02)
    np.testing.assert_array_equal(sums, with_interval(VALUES.T.dot, len(VALUES), seed=0))


def test_samples_without_the_statistic_are_left_out() -> None:
    # Of two genes, a quarter of the samples has the first one twice.
    estimate = with_interval(lambda weight: math.nan if weight[0] == 2 else weight[1], 2, seed=0)
    assert estimate.tolist() == [1, 1, 2]
    assert np.isnan(with_interval(lambda _: math.nan, 5, seed=0)).all()
    assert np.isnan(with_interval(lambda _: math.nan, 0, seed=0)).all()


def test_intervals_pass_over_what_is_unknown() -> None:
    assert interval95(np.array([np.nan, *range(101)])) == pytest.approx((2.5, 97.5))
    assert np.isnan(interval95(np.array([np.nan]))).all()
    low, high = mean_interval95(np.array([1.0, 3.0, np.nan] * 50), seed=0)
    assert 1.7 < low < 2 < high < 2.3


def test_one_training_has_the_interval_over_genes() -> None:
    statistic = weighted_auroc(np.arange(200) % 2, VALUES[:, 0])
    np.testing.assert_array_equal(
        with_interval_over_trainings([statistic], 200, seed=3),
        with_interval(statistic, 200, seed=3),
    )
    np.testing.assert_allclose(
        over_trainings(mean_profiles_by_training(VALUES[np.newaxis], seed=3), seed=3),
        mean_profiles(VALUES, seed=3),
    )
    values = np.where(VALUES[:, 0] > -1, VALUES[:, 0], np.nan)
    mean, *interval = mean_with_interval_over_trainings(values[np.newaxis], seed=3)
    assert mean == pytest.approx(np.nanmean(values))
    np.testing.assert_allclose(interval, mean_interval95(values, seed=3))


@pytest.mark.parametrize("num_trainings", [2, 3, 5])
def test_the_variances_over_genes_and_over_trainings_add_up(num_trainings: int) -> None:
    of_trainings = 0.1 * np.random.default_rng(1).normal(size=num_trainings)
    values = VALUES[:, 0] + of_trainings[:, np.newaxis]
    samples = over_trainings(mean_profiles_by_training(values, seed=0), seed=0)
    assert samples[0] == pytest.approx(values.mean())
    # With the variance over trainings without bias, however few they are.
    variance = VALUES[:, 0].var() / 200 + of_trainings.var(ddof=1) / num_trainings
    assert samples[1:].var() == pytest.approx(variance, rel=0.1)
    np.testing.assert_allclose(
        mean_with_interval_over_trainings(values, seed=0),
        [samples[0], *np.percentile(samples[1:], [2.5, 97.5])],
    )


def test_an_auroc_over_trainings_counts_genes_and_trainings() -> None:
    rng = np.random.default_rng(2)
    label = rng.integers(0, 2, 400)
    # What a training adds to the noise of its own makes it better or worse on all genes.
    statistics = [
        weighted_auroc(label, label + noise * rng.normal(size=400)) for noise in (0.7, 1, 1.3)
    ]
    aurocs = [statistic(np.ones(400, int)) for statistic in statistics]
    mean, low, high = with_interval_over_trainings(statistics, 400, seed=0)
    assert mean == pytest.approx(np.mean(aurocs))
    # The widest sample has one training twice; genes widen it further.
    assert low < min(aurocs) < max(aurocs) < high
    (_, one_low, one_high) = with_interval(statistics[1], 400, seed=0)
    assert high - low > 1.5 * (one_high - one_low)


def test_trainings_share_the_genes_of_a_sample() -> None:
    means = mean_profiles_by_training(np.stack([VALUES, VALUES + 1]), seed=0)
    assert means.shape == (1 + NUM_RESAMPLES, 2, 3)
    np.testing.assert_allclose(means[:, 1], means[:, 0] + 1)


def test_what_a_training_does_not_know_is_left_out_of_its_mean() -> None:
    values = np.array([[1.0, 3, np.nan, np.nan], [2, np.nan, 6, np.nan]])
    means = mean_profiles_by_training(values, seed=0)
    np.testing.assert_allclose(means[0], [2, 4])
    assert np.isnan(means[1:]).any()  # None of two known genes was drawn.
    assert mean_with_interval_over_trainings(values, seed=0)[0] == 3
    assert np.isnan(mean_with_interval_over_trainings(np.full((2, 4), np.nan), seed=0)).all()
    # A training without the statistic has no say; with none that has it, nothing is known.
    samples = np.tile([5.0, np.nan, np.nan], (1 + NUM_RESAMPLES, 1))
    drawn = over_trainings(samples, seed=0)
    assert drawn[0] == 5
    assert set(drawn[np.isfinite(drawn)]) == {5}
    # Two are drawn of three: neither is the known one in four of nine.
    assert np.isnan(drawn).mean() == pytest.approx(4 / 9, abs=0.05)
