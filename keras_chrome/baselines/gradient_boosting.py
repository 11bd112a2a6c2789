"""Gradient boosting, on bins alone and with what sums them up."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score

from keras_chrome.baselines.baseline import Baseline, ExpressionBaseline, SignalSpec
from keras_chrome.baselines.features import AllBins, BinsAndSummaries, signal_pipeline
from keras_chrome.statistics.metrics import pearson_or_0

_MOST_ROUNDS = 240
_ROUNDS_A_LOOK = 10
_TREES: dict[str, Any] = {
    "learning_rate": 0.07,
    "max_iter": _MOST_ROUNDS,
    "max_leaf_nodes": 15,
    "max_features": 0.1,
    "early_stopping": False,
}
_TREES_OF_EXPRESSION = {**_TREES, "learning_rate": 0.05, "max_leaf_nodes": 31}


def gradient_boosting(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """Gradient boosted trees on all bins and summaries of them; not in the paper.

    What is usually best on a table of numbers, tuned as a deep model is: it takes soft targets, and
    validation genes choose the number of its trees. Leaves, learning rate and the share of features
    that a split may choose from were chosen on validation genes of E012.
    """
    pipeline = signal_pipeline(BinsAndSummaries(spec), ChosenRounds(seed=seed), spec.transform)
    return Baseline(pipeline, spec, takes_soft_targets=True, takes_valid=True)


def gradient_boosting_bins(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """300 gradient boosted trees on all bins, fitted to labels; not in the paper.

    As it comes: what `gradient_boosting` gains by summaries, soft targets and its choice of rounds
    is its distance from this one. The fit is deterministic.
    """
    classifier = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=300, early_stopping=False, random_state=seed
    )
    return Baseline(signal_pipeline(AllBins(spec), classifier, spec.transform), spec)


def gradient_boosting_of_expression(spec: SignalSpec, *, seed: int = 0) -> Baseline:
    """Larger trees on the same features, fitted to log2(expression + 1).

    Validation genes choose their number here, too, and those of E012 chose leaves and rate.
    """
    regressor = ChosenRoundsOfExpression(seed=seed)
    pipeline = signal_pipeline(BinsAndSummaries(spec), regressor, spec.transform)
    return ExpressionBaseline(pipeline, spec, takes_valid=True)


class _ChosenRounds(BaseEstimator, ABC):
    """Boosted trees of which only the first so many answer, as many as validation genes choose.

    Args:
        seed: Of the features that each split may choose from.

    Attributes:
        trees_: All of the trees.
        num_rounds_: How many of them answer.
    """

    trees_: Any
    num_rounds_: int

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @abstractmethod
    def _stages(self, features: np.ndarray) -> Iterator[np.ndarray]:
        """What the first round of trees answers, the first two, and so on."""

    @abstractmethod
    def _score(self, truth: np.ndarray, answer: np.ndarray) -> float:
        """By which validation genes choose, the highest."""

    def _choose(self, valid: tuple[np.ndarray, np.ndarray] | None) -> None:
        """Take the number of rounds with the best score, of every tenth; without genes all."""
        self.num_rounds_ = _MOST_ROUNDS
        if valid is None:
            return
        features, truth = valid
        looks = islice(self._stages(features), _ROUNDS_A_LOOK - 1, None, _ROUNDS_A_LOOK)
        scores = [self._score(truth, answer) for answer in looks]
        self.num_rounds_ = _ROUNDS_A_LOOK * (1 + int(np.argmax(scores)))

    def _answer(self, features: np.ndarray) -> np.ndarray:
        return next(islice(self._stages(features), self.num_rounds_ - 1, None))


class ChosenRounds(ClassifierMixin, _ChosenRounds):
    """Likewise, of high expression and low."""

    def fit(
        self,
        features: np.ndarray,
        label: np.ndarray,
        target: np.ndarray | None = None,
        valid: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> "ChosenRounds":
        """Fit to training genes.

        Args:
            features: Floats `(genes, features)`.
            label: Integers `(genes,)`, 0 or 1.
            target: Floats `(genes,)`, probability of label 1, whose cross-entropy is the loss; the
                label if None.
            valid: Features and labels of validation genes, which choose by their AUROC.
        """
        self.classes_ = np.array([0, 1])
        self.trees_ = HistGradientBoostingClassifier(**_TREES, random_state=self.seed)
        if target is None:
            self.trees_.fit(features, label)
        else:
            # Each gene is there twice, high and low, and weighs as much as it is either.
            target = np.asarray(target, np.float64)
            self.trees_.fit(
                np.concatenate([features, features]),
                np.repeat([1, 0], len(features)),
                sample_weight=np.concatenate([target, 1 - target]),
            )
        self._choose(valid)
        return self

    def _stages(self, features: np.ndarray) -> Iterator[np.ndarray]:
        stages: Iterator[np.ndarray] = self.trees_.staged_predict_proba(features)
        return stages

    def _score(self, truth: np.ndarray, answer: np.ndarray) -> float:
        return float(roc_auc_score(truth, answer[:, 1]))

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probability of either label, `(genes, 2)`."""
        return self._answer(features)


class ChosenRoundsOfExpression(RegressorMixin, _ChosenRounds):
    """Likewise, of expression, by the squared error."""

    def fit(
        self,
        features: np.ndarray,
        expression: np.ndarray,
        valid: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> "ChosenRoundsOfExpression":
        """Fit to training genes.

        Args:
            features: Floats `(genes, features)`.
            expression: Floats `(genes,)`, log2(expression + 1).
            valid: Features and expression of validation genes, which choose by Pearson's
                correlation.
        """
        self.trees_ = HistGradientBoostingRegressor(**_TREES_OF_EXPRESSION, random_state=self.seed)
        self.trees_.fit(features, expression)
        self._choose(valid)
        return self

    def _stages(self, features: np.ndarray) -> Iterator[np.ndarray]:
        stages: Iterator[np.ndarray] = self.trees_.staged_predict(features)
        return stages

    def _score(self, truth: np.ndarray, answer: np.ndarray) -> float:
        return pearson_or_0(truth, answer)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """log2(expression + 1), `(genes,)`."""
        return self._answer(features)
