"""Weights chosen by the loss on validation genes."""

import numpy as np
import pytest
from scipy.special import expit

from keras_chrome.ensemble.stack import choose_weights
from keras_chrome.models.task import TASKS


@pytest.fixture
def genes() -> tuple[np.ndarray, np.ndarray]:
    """Logits of three members, two of which know something, and labels."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, 4000)
    label = (rng.random(4000) < expit(truth)).astype(int)
    noise = rng.normal(size=(3, 4000))
    return np.stack([truth + noise[0], truth + 2 * noise[1], noise[2] - 3 * truth]), label


def test_no_other_weights_have_a_lower_log_loss(genes: tuple[np.ndarray, np.ndarray]) -> None:
    logits, label = genes
    stack = choose_weights(logits, label)

    def log_loss(weights: tuple[float, ...]) -> float:
        probability = expit(np.array(weights) @ logits)
        return float(-np.log(np.where(label == 1, probability, 1 - probability)).mean())

    shares = np.linspace(0, 1, 101)
    grid = [(a, b, 1 - a - b) for a in shares for b in shares if a + b <= 1]
    best = min(grid, key=log_loss)
    np.testing.assert_allclose(stack.weights, best, atol=0.01)
    assert stack.loss == pytest.approx(log_loss(tuple(stack.weights)))
    assert stack.loss <= log_loss(best)
    assert stack.equal_loss == pytest.approx(log_loss((1 / 3, 1 / 3, 1 / 3)))
    # A member that is wrong counts nothing at all.
    assert stack.weights[2] == 0
    assert sum(stack.weights) == pytest.approx(1)


def test_members_that_are_the_same_count_the_same(genes: tuple[np.ndarray, np.ndarray]) -> None:
    logits, label = genes
    assert choose_weights(logits[[0, 0]], label).weights == pytest.approx([0.5, 0.5])


def test_of_expression_no_other_weights_have_a_lower_squared_error() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(3, 2, 2000)
    # What is best of independent errors is known: each weighs by the reverse of its variance.
    answers = truth + np.array([[1.0], [2.0]]) * rng.normal(size=(2, 2000))
    stack = choose_weights(answers, truth.astype(np.float32), TASKS["regression"])
    errors = answers - truth
    (a, ab), (_, b) = np.cov(errors, ddof=0) + np.outer(errors.mean(1), errors.mean(1))
    best = (b - ab) / (a + b - 2 * ab)
    assert best == pytest.approx(0.8, abs=0.05)
    assert stack.weights == pytest.approx([best, 1 - best], abs=1e-4)
    assert stack.loss == pytest.approx(((stack.weights @ answers - truth) ** 2).mean(), rel=1e-5)
    assert stack.equal_loss == pytest.approx(((answers.mean(axis=0) - truth) ** 2).mean(), rel=1e-5)
