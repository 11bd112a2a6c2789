"""Where an additive variant starts from: how expression goes with the mean signal of each mark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keras_chrome.data.recorded_signal import chunks, log_moments

if TYPE_CHECKING:
    from keras_chrome.data import Genes
    from keras_chrome.models.task import Task


def starting_slopes(genes: Genes, transform: str, task: Task) -> list[float]:
    """The slope of each mark in a linear model of its mean signal.

    It is a logistic regression of the labels, or a ridge regression of the expression, both
    with a penalty of 1 on standardised means. Signal is in the model's units beyond an empty bin,
    log(1 + signal) over its standard deviation; and each mark's mean is shared out over all marks,
    as `beta` does that is uniform.

    Args:
        genes: Training genes.
        transform: The model's: `log1p` or `none`.
        task: What the model tells.

    Returns:
        One a mark; 0 for a mark without any signal.
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler

    deviation = np.sqrt(log_moments(genes.signal)[1])
    means = []
    for chunk in chunks(genes.signal):
        signal = chunk.astype(np.float64)
        if transform == "log1p":
            signal = np.log1p(signal) / np.where(deviation > 0, deviation, 1)
        means.append(signal.mean(axis=1) / signal.shape[2])
    of_marks = np.concatenate(means)
    scaler = StandardScaler().fit(of_marks)
    is_label = task.name == "classification"
    model = LogisticRegression(max_iter=1000) if is_label else Ridge()
    model.fit(scaler.transform(of_marks), task.truth(genes))
    slopes: list[float] = (np.ravel(model.coef_) / scaler.scale_).tolist()
    return slopes
