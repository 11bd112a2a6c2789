"""The weights of an ensemble's members, chosen on validation genes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_LEAST_WEIGHT = 1e-3


class Stack(NamedTuple):
    """Weights, and what they are worth on the genes on which they were chosen.

    Attributes:
        weights: One a member, 0 or more; they sum to one.
        log_loss: Of the sigmoid of the weighted mean of the logits, in nats.
        equal_log_loss: The same with equal weights.
    """

    weights: Sequence[float]
    log_loss: float
    equal_log_loss: float


def choose_weights(logits: np.ndarray, label: np.ndarray) -> Stack:
    """Choose the weights whose mean logit has the least log loss.

    The log loss is convex in the weights, so that there is one best value, and it moves with every
    gene, which the AUROC does not. A weight below 0.001 becomes 0.

    Args:
        logits: Floats `(members, genes)`.
        label: Integers `(genes,)`, 1 for high expression, 0 for low; of validation genes, for on
            training genes the member that has learned them by heart would win.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    num_members, num_genes = logits.shape

    def log_loss(weights: np.ndarray) -> float:
        logit = weights @ logits
        return float(np.mean(np.logaddexp(0, logit) - label * logit))

    def gradient(weights: np.ndarray) -> np.ndarray:
        slopes: np.ndarray = logits @ (expit(weights @ logits) - label) / num_genes
        return slopes

    equal = np.full(num_members, 1 / num_members)
    found = minimize(
        log_loss,
        equal,
        jac=gradient,
        method="SLSQP",
        bounds=[(0, 1)] * num_members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    ).x
    found[found < _LEAST_WEIGHT] = 0
    weights = found / found.sum()
    return Stack(weights.tolist(), log_loss(weights), log_loss(equal))
