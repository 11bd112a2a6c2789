"""Metrics by hand."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from keras_chrome.statistics.correlation import weighted_pearson
from keras_chrome.statistics.metrics import (
    auroc_interval,
    classification_metrics,
    regression_metrics,
    weighted_auroc,
)


def test_metrics_by_hand() -> None:
    metrics = classification_metrics(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
    # Of the four (high, low) pairs three are in order and one is a tie.
    assert metrics["auroc"] == pytest.approx(3.5 / 4)
    assert metrics["brier"] == pytest.approx((0.01 + 0.36 + 0.16 + 0.04) / 4)
    assert metrics["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.4, 0.6, 0.8])), rel=1e-6)
    assert (metrics["num_genes"], metrics["positive_rate"]) == (4, 0.5)
    assert metrics["mean_probability"] == pytest.approx(1.7 / 4)
    # In bins of one, two and one gene: |0 - .1| + 2 |.5 - .4| + |1 - .8|, over 4 genes.
    assert metrics["ece"] == pytest.approx(0.5 / 4)


def test_interval_has_the_width_that_theory_says() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 2000)
    score = rng.normal(size=2000) + label
    probability = 1 / (1 + np.exp(-score))
    low, high = auroc_interval(label, probability)
    auroc = classification_metrics(label, probability)["auroc"]
    assert low < auroc < high
    # Hanley and McNeil (1982), for scores with this AUROC.
    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    n1, n0 = label.sum(), (1 - label).sum()
    variance = auroc * (1 - auroc) + (n1 - 1) * (q1 - auroc**2) + (n0 - 1) * (q2 - auroc**2)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(variance / n1 / n0), rel=0.15)


def test_weighted_auroc_is_that_of_the_repeated_genes() -> None:
    rng = np.random.default_rng(0)
    # Whole numbers, so that there are ties.
    label, score = rng.integers(0, 2, 60), rng.integers(0, 12, 60)
    rows = rng.integers(60, size=60)
    auroc = weighted_auroc(label, score)
    expected = roc_auc_score(label[rows], score[rows])
    assert auroc(np.bincount(rows, minlength=60)) == pytest.approx(expected)
    assert auroc(np.ones(60, int)) == pytest.approx(roc_auc_score(label, score))
    assert np.isnan(auroc(label))


def test_interval_of_ties_is_one_half() -> None:
    label = np.array([0, 1] * 20)
    np.testing.assert_allclose(auroc_interval(label, np.full(40, 0.3)), 0.5)


def test_interval_depends_on_the_seed_alone() -> None:
    label, probability = np.array([0, 1, 1, 0, 1]), np.array([0.2, 0.9, 0.4, 0.5, 0.6])
    assert auroc_interval(label, probability) == auroc_interval(label, probability)


def test_a_gene_that_stands_in_several_epigenomes_narrows_no_interval() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 80)
    score = label + rng.normal(size=80)
    gene_id = np.arange(80).astype(str)
    low, high = auroc_interval(label, score)
    thrice = [np.tile(values, 3) for values in (label, score, gene_id)]
    own = auroc_interval(thrice[0], thrice[1], gene_id=thrice[2])
    assert own[1] - own[0] == pytest.approx(high - low, rel=0.1)
    taken_apart = auroc_interval(thrice[0], thrice[1])
    assert taken_apart[1] - taken_apart[0] < 0.7 * (high - low)


def test_regression_by_hand() -> None:
    measured, predicted = np.array([0.0, 1, 2, 3]), np.array([1.0, 0, 2, 4])
    metrics = regression_metrics(measured, predicted)
    assert metrics["pearson"] == pytest.approx(5.5 / np.sqrt(5 * 8.75))
    assert metrics["spearman"] == pytest.approx(0.8)
    assert metrics["r2"] == pytest.approx(1 - 3 / 5)
    assert metrics["num_genes"] == 4


def test_the_interval_of_pearson_is_that_of_samples_of_genes() -> None:
    rng = np.random.default_rng(0)
    measured = rng.normal(size=400)
    predicted = 0.6 * measured + 0.8 * rng.normal(size=400)
    low, high = regression_metrics(measured, predicted)["pearson_ci95"]
    # Fisher's interval, of normal variables.
    r = np.corrcoef(measured, predicted)[0, 1]
    expected = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / np.sqrt(397))
    np.testing.assert_allclose([low, high], expected, atol=0.015)


def test_one_prediction_for_all_genes_tells_nothing() -> None:
    metrics = regression_metrics(np.array([0.0, 1, 2]), np.ones(3))
    assert metrics["pearson"] == metrics["spearman"] == metrics["r2"] == 0
    assert metrics["pearson_ci95"] == [0, 0]


def test_weighted_pearson_is_that_of_repeated_genes() -> None:
    x, y, weight = np.array([0.0, 1, 2, 3]), np.array([1.0, 0, 2, 4]), np.array([2, 0, 1, 3])
    expected = np.corrcoef(np.repeat(x, weight), np.repeat(y, weight))[0, 1]
    assert weighted_pearson(x, y)(weight) == pytest.approx(expected)
