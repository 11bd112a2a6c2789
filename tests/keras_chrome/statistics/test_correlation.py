"""Correlations over bins against values by hand and by other means."""

import numpy as np
import pytest
from scipy import stats

from keras_chrome.statistics.bootstrap import interval95, mean_interval95, mean_profiles
from keras_chrome.statistics.correlation import bin_correlation

RNG = np.random.default_rng(4)
X, Y, Z = RNG.normal(size=(3, 6, 40))


@pytest.mark.parametrize(
    ("statistic", "reference"), [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)]
)
def test_without_controls_it_is_scipys(statistic: str, reference: object) -> None:
    expected = [reference(x, y).statistic for x, y in zip(X, Y, strict=True)]
    np.testing.assert_allclose(bin_correlation(X, Y, statistic=statistic), expected, atol=1e-12)


def test_one_control_follows_the_textbook_formula() -> None:
    xy, xz, yz = (bin_correlation(a, b) for a, b in ((X, Y), (X, Z), (Y, Z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    np.testing.assert_allclose(bin_correlation(X, Y, [Z]), expected, atol=1e-12)


def test_what_is_shared_through_the_control_alone_vanishes() -> None:
    common = np.linspace(-3, 3, 4000)
    noise = np.random.default_rng(0).normal(size=(2, 4000))
    x, y = common + noise
    assert bin_correlation(x, y) > 0.7
    assert abs(bin_correlation(x, y, [common])) < 0.05


@pytest.mark.parametrize("statistic", ["pearson", "spearman"])
def test_constants_and_copies_of_the_controls_are_unknown(statistic: str) -> None:
    constant = np.full_like(X, 0.1)
    assert np.isnan(bin_correlation(constant, Y, statistic=statistic)).all()
    assert np.isnan(bin_correlation(X, Y, [3 * X + 7], statistic=statistic)).all()
    assert np.isfinite(bin_correlation(X, Y, [constant], statistic=statistic)).all()


def test_controls_that_depend_on_each_other_count_once() -> None:
    np.testing.assert_allclose(
        bin_correlation(X, Y, [Z, 2 * Z + 1]), bin_correlation(X, Y, [Z]), atol=1e-9
    )


def test_a_control_may_be_one_for_all_profiles() -> None:
    expected = [bin_correlation(x, y, [Z[0]]) for x, y in zip(X, Y, strict=True)]
    np.testing.assert_allclose(bin_correlation(X, Y, [Z[:1]]), expected, atol=1e-12)


def test_mean_profiles_begin_with_all_genes_and_pair_their_samples() -> None:
    means = mean_profiles(X, num_resamples=2000, seed=1)
    np.testing.assert_allclose(means[0], X.mean(axis=0))
    # The standard error of a mean, by the bootstrap and by its formula.
    np.testing.assert_allclose(means[1:].std(axis=0), X.std(axis=0) / np.sqrt(6), rtol=0.1)
    np.testing.assert_allclose(mean_profiles(2 * X, num_resamples=2000, seed=1), 2 * means)


def test_intervals_pass_over_what_is_unknown() -> None:
    assert interval95(np.array([np.nan, *range(101)])) == pytest.approx((2.5, 97.5))
    assert np.isnan(interval95(np.array([np.nan]))).all()
    low, high = mean_interval95(np.array([1.0, 3.0, np.nan] * 50), num_resamples=500, seed=0)
    assert 1.7 < low < 2 < high < 2.3
