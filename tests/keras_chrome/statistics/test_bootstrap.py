"""Intervals against formulas, and samples that pair."""

import math

import numpy as np
import pytest

from keras_chrome.statistics.bootstrap import (
    NUM_RESAMPLES,
    interval95,
    mean_interval95,
    mean_profiles,
    with_interval,
)

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
