"""DeLong's test against its definition, the bootstrap against formulas, the rest by hand."""

import math

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import norm
from scipy.stats import t as student_t
from sklearn.metrics import roc_auc_score

from keras_chrome.errors import InputError
from keras_chrome.statistics.metrics import auroc_interval, weighted_auroc
from keras_chrome.statistics.paired_tests import (
    PairedTest,
    Placements,
    auroc_samples,
    auroc_with_error,
    compare_placements,
    compare_samples,
    holm,
    logit_interval,
    over_genes_and_seeds,
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
) -> PairedTest:
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
    assert (high.shape, low.shape) == ((1, label.sum()), (1, (1 - label).sum()))
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
    interval = logit_interval(*auroc_with_error([placements(label, probability)]))
    assert interval == pytest.approx(auroc_interval(label, probability), abs=0.002)


def test_interval_stays_between_zero_and_one() -> None:
    low, high = logit_interval(0.98, 0.02)
    assert 0.85 < low < 0.98 < high < 1
    assert logit_interval(1.0, 0.0) == (1, 1)


def retrained(skills: list[float], *, num_genes: int = 600, seed: int = 0) -> Placements:
    """A model whose trainings differ in their skill, and otherwise agree on each gene but a bit."""
    label = (np.arange(num_genes) < 0.4 * num_genes).astype(int)
    core = np.random.default_rng(0).normal(size=num_genes)  # the same for all models
    noise = np.random.default_rng([seed, 1]).normal(0, 0.1, (len(skills), num_genes))
    return placements(label, np.array(skills)[:, None] * label + core + noise)


def test_samples_of_genes_have_delongs_variance() -> None:
    """Whatever the seeds, and between two models on the same genes."""
    a, b = retrained([1.5, 1.6, 1.7]), retrained([1.4], seed=1)
    for fold in (a, b):
        samples = auroc_samples(fold, seed=0)
        np.testing.assert_allclose(samples[0], fold.high.mean(axis=1))
        expected = auroc_with_error([fold])[1]
        assert samples[1:].mean(axis=1).std() == pytest.approx(expected, rel=0.1)
    difference = auroc_samples(a, seed=0).mean(axis=1) - auroc_samples(b, seed=0)[:, 0]
    expected = compare_placements([a], [b]).standard_error
    assert difference[1:].std() == pytest.approx(expected, rel=0.1)


def test_a_bootstrap_adds_the_variance_over_seeds() -> None:
    a, b = retrained([1.2, 1.6, 1.9]), retrained([1.0, 1.2, 1.4], seed=1)
    samples = [[auroc_samples(fold, seed=0)] for fold in (a, b)]
    of_seeds = [fold.high.mean(axis=1).var(ddof=1) / len(fold.high) for fold in (a, b)]
    for model, fold, variance in zip(samples, (a, b), of_seeds, strict=True):
        auroc, standard_error, degrees = over_genes_and_seeds(model)
        assert auroc == pytest.approx(fold.high.mean())
        total = auroc_with_error([fold])[1] ** 2 + variance
        assert standard_error == pytest.approx(math.sqrt(total), rel=0.1)
        # Satterthwaite's: what seeds add is known as well as there are seeds but one.
        assert degrees == pytest.approx((total / variance) ** 2 * (len(fold.high) - 1), rel=0.5)
    delong = compare_placements([a], [b])
    test = compare_samples(*samples)
    assert test[:3] == pytest.approx(delong[:3])
    total = delong.standard_error**2 + sum(of_seeds)
    assert test.standard_error == pytest.approx(math.sqrt(total), rel=0.1)
    degrees = total**2 / sum(variance**2 / 2 for variance in of_seeds)
    expected = 2 * student_t.sf(test.difference / math.sqrt(total), degrees)
    assert test.p_value == pytest.approx(expected, rel=0.3)
    assert delong.p_value < 0.01 < test.p_value
    swapped = compare_samples(*samples[::-1])
    assert swapped.difference == pytest.approx(-test.difference)


def test_one_seed_leaves_the_bootstrap_with_the_genes() -> None:
    a, b = retrained([1.6]), retrained([1.5], seed=1)
    test = compare_samples(*([auroc_samples(fold, seed=0)] for fold in (a, b)))
    delong = compare_placements([a], [b])
    assert tuple(test) == pytest.approx(tuple(delong), rel=0.25)
    assert compare_samples([auroc_samples(a, seed=0)], [auroc_samples(a, seed=0)]).p_value == 1


def test_folds_have_trainings_of_their_own() -> None:
    folds = [retrained([1.2, 1.6, 1.9]), retrained([1.1, 1.5, 1.8], seed=1)]
    samples = [auroc_samples(fold, seed=number) for number, fold in enumerate(folds)]
    auroc, standard_error, _ = over_genes_and_seeds(samples)
    each = [over_genes_and_seeds([of_fold]) for of_fold in samples]
    assert auroc == pytest.approx(np.mean([fold.auroc for fold in each]))
    expected = math.hypot(*(fold.standard_error for fold in each)) / 2
    assert standard_error == pytest.approx(expected, rel=0.1)


def test_a_bootstrap_of_one_gene_knows_nothing() -> None:
    probability = np.array([[0.5, 0.6, 0.1], [0.9, 0.2, 0.3]])
    either = [placements(np.array([1, 0, 0]), p) for p in (probability, 1 - probability)]
    samples = [[auroc_samples(fold, seed=0)] for fold in either]
    assert math.isnan(over_genes_and_seeds(samples[0]).standard_error)
    test = compare_samples(*samples)
    assert test.difference == 0.5
    assert math.isnan(test.p_value)


@pytest.mark.slow
def test_a_bootstrap_holds_its_level_where_delongs_test_does_not() -> None:
    """Two models of the same skill, three trainings each, whose AUROCs vary by about 0.02."""
    rng = np.random.default_rng(5)
    num_rejected = np.zeros(2)
    for _ in range(200):
        label = (np.arange(300) < 120).astype(int)
        core = rng.normal(size=300)
        a, b = (
            placements(
                label,
                (1.5 + 0.15 * rng.normal(size=(3, 1))) * label
                + core
                + rng.normal(0, 0.3, (3, 300)),
            )
            for _ in range(2)
        )
        tests = (
            compare_placements([a], [b]),
            compare_samples([auroc_samples(a, seed=0)], [auroc_samples(b, seed=0)]),
        )
        num_rejected += [test.p_value < 0.05 for test in tests]
    of_delong, of_bootstrap = num_rejected / 200
    assert of_delong > 0.2
    assert 0.01 <= of_bootstrap <= 0.08


def test_an_interval_takes_the_quantile_of_students_t() -> None:
    # 4.303 standard errors on either side with two degrees of freedom.
    low, high = logit_interval(0.8, 0.01, 2)
    assert logit(np.array([low, high])) - logit(0.8) == pytest.approx(
        4.303 * 0.01 / 0.16 * np.array([-1, 1]), rel=1e-3
    )


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
