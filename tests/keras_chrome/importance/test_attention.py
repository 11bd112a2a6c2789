"""Attention as importance: alpha, and alpha x beta."""

import keras
import numpy as np

from keras_chrome.importance.alpha import alpha, alpha_beta


def test_alpha_is_the_models_and_sums_to_one_over_bins(
    model: keras.Model, signal: np.ndarray
) -> None:
    importance = alpha(model, signal)
    np.testing.assert_allclose(importance.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(importance[3, 5, 1], model(signal)["alpha"][3, 1, 5], atol=1e-6)


def test_alpha_beta_sums_to_beta_over_bins(model: keras.Model, signal: np.ndarray) -> None:
    importance = alpha_beta(model, signal)
    np.testing.assert_allclose(importance.sum(axis=1), model(signal)["beta"], atol=1e-6)
    np.testing.assert_allclose(importance.sum(axis=(1, 2)), 1.0, rtol=1e-5)
