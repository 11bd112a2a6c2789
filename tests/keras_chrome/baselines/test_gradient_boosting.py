"""What boosting does with soft targets and validation genes."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from keras_chrome.baselines import build_baseline
from keras_chrome.baselines.gradient_boosting import ChosenRounds, ChosenRoundsOfExpression


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Boosting a few genes on all cores only waits for a core that is busy."""
    with threadpool_limits(1):
        yield


def noisy(num_genes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, labels drawn from a probability that the first two say, and that probability."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num_genes, 10))
    target = expit(2 * features[:, 0] - features[:, 1])
    return features, (rng.uniform(size=num_genes) < target).astype(int), target


def test_soft_targets_are_learnt_where_labels_are_noise() -> None:
    features, label, target = noisy(300, seed=0)
    new_features, _, new_target = noisy(300, seed=1)
    errors = {
        name: np.abs(
            ChosenRounds().fit(features, label, towards).predict_proba(new_features)[:, 1]
            - new_target
        ).mean()
        for name, towards in (("hard", None), ("soft", target))
    }
    assert errors["soft"] < 0.1 < 0.12 < errors["hard"]


def test_targets_of_0_and_1_are_labels() -> None:
    # Of a constant feature nothing is learnt but the share of high genes.
    features, label = np.zeros((50, 1)), (np.arange(50) < 10).astype(int)
    for target in (None, label.astype(np.float32), np.full(50, 0.2)):
        probability = ChosenRounds().fit(features, label, target).predict_proba(features)
        np.testing.assert_allclose(probability, [[0.8, 0.2]] * 50, atol=1e-6)


def test_rounds_are_those_with_the_best_validation_auroc() -> None:
    features, label, _ = noisy(200, seed=0)
    valid = noisy(200, seed=1)[:2]
    boosting = ChosenRounds().fit(features, label, valid=valid)
    stages = [p[:, 1] for p in boosting.trees_.staged_predict_proba(valid[0])]
    aurocs = {n: roc_auc_score(valid[1], stages[n - 1]) for n in range(10, 241, 10)}
    assert boosting.num_rounds_ == max(aurocs, key=lambda n: aurocs[n]) < 240
    answer = boosting.predict_proba(valid[0])[:, 1]
    np.testing.assert_array_equal(answer, stages[boosting.num_rounds_ - 1])
    # Without validation genes all trees answer.
    every = ChosenRounds().fit(features, label)
    np.testing.assert_array_equal(every.predict_proba(valid[0])[:, 1], stages[-1])


def test_the_baseline_hands_on_targets_and_validation_genes() -> None:
    rng = np.random.default_rng(0)
    signal, valid_signal = rng.poisson(3, (2, 120, 8, 2)).astype(np.float32)
    label, valid_label = (part[:, 4, 1] > 3 for part in (signal, valid_signal))
    target = np.where(label, 0.9, 0.2)
    baseline = build_baseline("gradient_boosting", marks=("H3K27me3", "H3K4me3"), num_bins=8)
    valid = (valid_signal, valid_label.astype(int))
    probability = baseline.fit(signal, label.astype(int), target=target, valid=valid)(signal)
    # Trees whose number validation genes chose are not all, and targets are learnt as they are.
    assert baseline.pipeline["classifier"].num_rounds_ < 240
    assert ((probability["probability"] > 0) & (probability["probability"] < 1)).all()
    every = build_baseline("gradient_boosting", marks=("H3K27me3", "H3K4me3"), num_bins=8)
    learnt = every.fit(signal, label.astype(int), target=target)(signal)["probability"]
    np.testing.assert_allclose(learnt, target, atol=0.05)


def test_rounds_of_expression_are_those_with_the_best_validation_correlation() -> None:
    rng = np.random.default_rng(0)
    features, valid_features = rng.normal(size=(2, 200, 10))
    expression, valid_expression = (
        part[:, 0] + rng.normal(size=200) for part in (features, valid_features)
    )
    valid = (valid_features, valid_expression)
    boosting = ChosenRoundsOfExpression().fit(features, expression, valid=valid)
    stages = list(boosting.trees_.staged_predict(valid_features))
    of_rounds = {n: np.corrcoef(valid_expression, stages[n - 1])[0, 1] for n in range(10, 241, 10)}
    assert boosting.num_rounds_ == max(of_rounds, key=lambda n: of_rounds[n]) < 240
    answer = boosting.predict(valid_features)
    np.testing.assert_array_equal(answer, stages[boosting.num_rounds_ - 1])
    every = ChosenRoundsOfExpression().fit(features, expression)
    np.testing.assert_array_equal(every.predict(valid_features), stages[-1])


def test_the_regressor_is_handed_validation_genes() -> None:
    rng = np.random.default_rng(0)
    signal, valid_signal = rng.poisson(3, (2, 120, 8, 2)).astype(np.float32)
    expression, valid_expression = (
        part[:, 4, 1] + 3 * rng.normal(size=120) for part in (signal, valid_signal)
    )
    baseline = build_baseline(
        "gradient_boosting", marks=("H3K27me3", "H3K4me3"), num_bins=8, task="regression"
    )
    baseline.fit(signal, expression, valid=(valid_signal, valid_expression))
    assert baseline.pipeline["classifier"].num_rounds_ < 240
