"""Correlations over bins against values by hand and by other means."""

import numpy as np
import pytest
from scipy import stats

from keras_chrome.statistics.correlation import bin_correlation, weighted_spearman

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


def test_weighted_spearman_is_that_of_the_repeated_genes() -> None:
    rng = np.random.default_rng(0)
    # Whole numbers, so that there are ties.
    x = rng.integers(0, 12, size=60).astype(float)
    y = x + rng.integers(0, 12, size=60)
    rows = rng.integers(60, size=60)
    weight = np.bincount(rows, minlength=60)
    correlation = weighted_spearman(x, y)
    assert correlation(weight) == pytest.approx(stats.spearmanr(x[rows], y[rows]).statistic)
    assert correlation(np.ones(60, int)) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert np.isnan(weighted_spearman(x, np.zeros(60))(weight))
