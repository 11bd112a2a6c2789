"""The weights of an ensemble's members, chosen on validation genes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_chrome.models.task import CLASSIFICATION, Task

_LEAST_WEIGHT = 1e-3


class Stack(NamedTuple):
    """Weights, and what they are worth on the genes on which they were chosen.

    Attributes:
        weights: One a member, 0 or more; they sum to one.
        loss: Of the weighted mean of the logits, as `Task.loss_of_logit` has it.
        equal_loss: The same with equal weights.
    """

    weights: Sequence[float]
    loss: float
    equal_loss: float


def choose_weights(logits: np.ndarray, truth: np.ndarray, task: Task = CLASSIFICATION) -> Stack:
    """Choose the weights whose mean logit has the least loss: log loss, or squared error.

    The loss is convex in the weights, so that there is one best value, and it moves with every
    gene, which the AUROC does not. A weight below 0.001 becomes 0.

    Args:
        logits: Floats `(members, genes)`.
        truth: `(genes,)`, 1 for high expression, 0 for low, or of regression the expression; of
            validation genes, for on training genes the member that has learned them by heart would
            win.
        task: What the members tell.
    """
    from scipy.optimize import minimize

    num_members, num_genes = logits.shape

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mean, slopes = task.loss_of_logit(truth, weights @ logits)
        return mean, logits @ slopes / num_genes

    equal = np.full(num_members, 1 / num_members)
    found = minimize(
        loss,
        equal,
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * num_members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    ).x
    found[found < _LEAST_WEIGHT] = 0
    weights = found / found.sum()
    return Stack(weights.tolist(), loss(weights)[0], loss(equal)[0])
