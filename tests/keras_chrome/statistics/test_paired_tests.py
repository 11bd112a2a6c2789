"""DeLong's test against its definition over all pairs of genes; Wilcoxon's and Holm's by hand."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from keras_chrome.errors import InputError
from keras_chrome.statistics.metrics import auroc_interval, weighted_auroc
from keras_chrome.statistics.paired_tests import (
    DelongTest,
    auroc_with_error,
    compare_placements,
    delong_interval,
    holm,
    placements,
    wilcoxon_test,
)


def two_models(num_genes: int, *, decimals: int | None = None) -> tuple[np.ndarray, ...]:
    """Labels, and probabilities (2, genes) of two models that agree in part."""
    rng = np.random.default_rng(7)
    label = (rng.random(num_genes) < 0.3).astype(int)
    core = rng.normal(size=num_genes)
    score = [strength * label + core + 0.7 * rng.normal(size=num_genes) for strength in (1.4, 1)]
    probability = 1 / (1 + np.exp(-np.array(score)))
    return label, probability if decimals is None else probability.round(decimals)


def delong_test(
    label: np.ndarray, probability_a: np.ndarray, probability_b: np.ndarray
) -> DelongTest:
    return compare_placements(
        [placements(label, probability_a)], [placements(label, probability_b)]
    )


def covariance_over_all_pairs(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """The covariance of AUROCs as DeLong et al. define it: kernel psi of each (high, low) pair."""
    high, low = probability[:, label == 1, None], probability[:, label == 0][:, None]
    psi = (high > low) + 0.5 * (high == low)
    return np.cov(psi.mean(axis=2)) / high.shape[1] + np.cov(psi.mean(axis=1)) / low.shape[2]


@pytest.mark.parametrize("decimals", [None, 1], ids=["no ties", "many ties"])
def test_delong_equals_its_definition(decimals: int | None) -> None:
    label, probability = two_models(300, decimals=decimals)
    test = delong_test(label, *probability)
    assert test.auroc_a == pytest.approx(roc_auc_score(label, probability[0]))
    assert test.auroc_b == pytest.approx(roc_auc_score(label, probability[1]))
    assert test.difference == pytest.approx(test.auroc_a - test.auroc_b)
    contrast = np.array([1, -1])
    variance = contrast @ covariance_over_all_pairs(label, probability) @ contrast
    assert test.standard_error == pytest.approx(math.sqrt(variance))
    assert test.p_value == pytest.approx(2 * norm.sf(test.difference / math.sqrt(variance)))


def test_placements_of_either_class_have_the_auroc_as_their_mean() -> None:
    label, (probability, _) = two_models(100, decimals=1)
    high, low = placements(label, probability)
    assert (len(high), len(low)) == (label.sum(), (1 - label).sum())
    assert high.mean() == pytest.approx(roc_auc_score(label, probability))
    assert low.mean() == pytest.approx(high.mean())


def test_seeds_are_a_contrast_of_all_aurocs() -> None:
    label, (first, second) = two_models(200)
    rng = np.random.default_rng(1)
    seeds = np.concatenate([np.clip(first + rng.normal(0, 0.1, (3, 200)), 0, 1), second[None]])
    test = delong_test(label, seeds[:3], seeds[3])
    contrast = np.array([1 / 3, 1 / 3, 1 / 3, -1])
    aurocs = [roc_auc_score(label, seed) for seed in seeds]
    assert test.difference == pytest.approx(contrast @ aurocs)
    variance = contrast @ covariance_over_all_pairs(label, seeds) @ contrast
    assert test.standard_error == pytest.approx(math.sqrt(variance))


def test_standard_error_is_the_bootstraps() -> None:
    label, probability = two_models(800)
    rng = np.random.default_rng(0)
    aurocs = [weighted_auroc(label, p) for p in probability]
    differences = []
    for _ in range(500):
        sample = np.bincount(rng.integers(800, size=800), minlength=800)
        first, second = (auroc(sample) for auroc in aurocs)
        differences.append(first - second)
    assert delong_test(label, *probability).standard_error == pytest.approx(
        np.std(differences), rel=0.1
    )


def test_identical_predictions_do_not_differ() -> None:
    label, (probability, _) = two_models(100)
    assert delong_test(label, probability, probability)[2:] == (0, 0, 1)
    test = delong_test(label, np.stack([probability] * 3), probability)
    assert test.p_value == 1


def test_swapping_the_models_swaps_the_sign() -> None:
    label, (first, second) = two_models(100)
    there, back = delong_test(label, first, second), delong_test(label, second, first)
    assert (there.difference, there.p_value) == pytest.approx((-back.difference, back.p_value))


def test_two_models_of_a_hundred_thousand_genes() -> None:
    # All pairs of genes would be tens of gigabytes.
    label, probability = two_models(100_000)
    assert delong_test(label, *probability).p_value < 1e-100


@pytest.mark.parametrize(
    ("label", "first", "second"),
    [
        pytest.param([1, 0, 0], [0.5, 0.6, 0.1], [0.9, 0.2, 0.3], id="one gene in a class"),
        pytest.param([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], [0.5] * 4, id="no variance"),
    ],
)
def test_too_few_genes_for_a_test(label: list[int], first: list, second: list) -> None:
    assert math.isnan(delong_test(np.array(label), np.array(first), np.array(second)).p_value)


@pytest.mark.parametrize(
    ("label", "probability", "message"),
    [
        ([1, 1], [0.2, 0.3], r"some of each\. Received: labels \[1\]"),
        ([0, 2], [0.2, 0.3], r"labels \[0, 2\]"),
        ([0, 1], [0.2, math.nan], "finite"),
        ([0, 1], [0.2], r"shapes \(2,\) and \(1, 1\)"),
    ],
)
def test_bad_genes_are_refused(label: list, probability: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        placements(np.array(label), np.array(probability))


def test_folds_have_the_variance_of_independent_genes() -> None:
    label, probability = two_models(400)
    halves = np.arange(400) < 150, np.arange(400) >= 150
    of_a, of_b = ([placements(label[h], p[h]) for h in halves] for p in probability)
    whole = compare_placements(of_a, of_b)
    parts = [delong_test(label[h], *probability[:, h]) for h in halves]
    assert whole.difference == pytest.approx(np.mean([p.difference for p in parts]))
    assert whole.standard_error == pytest.approx(math.hypot(*(p.standard_error for p in parts)) / 2)


def test_interval_is_the_bootstraps() -> None:
    label, (probability, _) = two_models(2000)
    interval = delong_interval(*auroc_with_error([placements(label, probability)]))
    assert interval == pytest.approx(auroc_interval(label, probability), abs=0.002)


def test_interval_stays_between_zero_and_one() -> None:
    low, high = delong_interval(0.98, 0.02)
    assert 0.85 < low < 0.98 < high < 1
    assert delong_interval(1.0, 0.0) == (1, 1)


def test_wilcoxon_by_hand() -> None:
    auroc = np.array([0.71, 0.72, 0.73, 0.74, 0.75, 0.76])
    better = auroc + np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    # All six of one sign: 2 of the 64 equally likely patterns of signs.
    assert wilcoxon_test(better, auroc) == pytest.approx(2 / 64)
    assert wilcoxon_test(auroc, auroc) == 1
    assert math.isnan(wilcoxon_test(better[:5], auroc[:5]))


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(
        holm([0.01, math.nan, 0.04, 0.03, 0.5]), [0.04, math.nan, 0.09, 0.09, 0.5]
    )
    np.testing.assert_array_equal(holm([0.6, 0.7]), [1, 1])
    assert holm([]).size == 0
