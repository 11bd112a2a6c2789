"""Curves against the areas that scikit-learn measures without them."""

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from keras_chrome.report.curves import precision_recall_points, roc_points


def test_roc_by_hand() -> None:
    points = roc_points(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.9]))
    assert points == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]


def test_precision_recall_by_hand() -> None:
    points = precision_recall_points(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.6, 0.9]))
    assert points == [[0, 1], [0.5, 1], [0.5, 0.5], [1, 0.667], [1, 0.5]]


def test_thinned_curves_keep_their_areas() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 20_000)
    probability = 1 / (1 + np.exp(-rng.normal(label, 1)))
    roc = np.array(roc_points(label, probability))
    assert len(roc) < 2100
    assert abs(np.trapezoid(roc[:, 1], roc[:, 0]) - roc_auc_score(label, probability)) < 1e-3
    recall, precision = np.array(precision_recall_points(label, probability)).T
    area = (np.diff(recall) * precision[1:]).sum()
    assert abs(area - average_precision_score(label, probability)) < 2e-3
