"""Probabilities that say how sure a model is, made to by one number: temperature scaling."""

import math

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, logit

_MOST = 20.0


def at_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities whose log-odds are divided by a temperature: above 1 they are less sure.

    Their order stays.

    Args:
        probability: Floats in [0, 1]; 0 and 1 stay what they are.
        temperature: Above 0.

    Returns:
        float64, in the same shape.
    """
    cooled: np.ndarray = expit(logit(np.asarray(probability, np.float64)) / temperature)
    return cooled


def fit_temperature(label: np.ndarray, log_odds: np.ndarray) -> float:
    """The temperature at which the mean log loss is least.

    The loss is convex in one over the temperature. Where log-odds say nothing of the labels it
    would be infinite, and where they part the classes 0: it is kept between 1/20 and 20.

    Args:
        label: Integers `(genes,)`, 0 or 1.
        log_odds: Floats `(genes,)`, of 1; infinite ones count as those of a probability that is
            within 1e-7 of 0 or 1.

    Reference: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    furthest = float(logit(1 - 1e-7))
    toward_label = np.clip(log_odds, -furthest, furthest) * np.where(label == 1, 1, -1)

    def mean_log_loss(log_temperature: float) -> float:
        return -float(np.mean(log_expit(toward_label / math.exp(log_temperature))))

    bounds = (-math.log(_MOST), math.log(_MOST))
    fitted = minimize_scalar(
        mean_log_loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}
    )
    return math.exp(float(fitted.x))
