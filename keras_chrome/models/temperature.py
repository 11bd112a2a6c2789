"""The temperature of a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
from scipy.special import logit

from keras_chrome.models.prediction import predict
from keras_chrome.statistics.temperature import fit_temperature

if TYPE_CHECKING:
    from keras_chrome.baselines import Baseline


def calibrate(model: keras.Model | Baseline, signal: np.ndarray, label: np.ndarray) -> float:
    """Make a trained model as sure as it is right, by one number on validation genes.

    Its log-odds are divided by the temperature at which the log loss of these genes is least: in
    the model itself, whose answers alone change. Which gene is above which stays, and so do alpha,
    beta and the AUROC. Of a variant the weights of the layer `logit` are divided; a baseline keeps
    the number.

    Args:
        model: Trained; a variant or a baseline.
        signal: Float `(genes, bins, marks)`, of genes that it was not trained on.
        label: Integers `(genes,)`, 0 or 1.

    Returns:
        The temperature: above 1 if the model was too sure.
    """
    log_odds = logit(np.float64(predict(model, signal).probability))
    temperature = fit_temperature(label, log_odds)
    if isinstance(model, keras.Model):
        layer = model.get_layer("logit")
        layer.set_weights([weight / temperature for weight in layer.get_weights()])
    else:
        model.temperature *= temperature
    return temperature
