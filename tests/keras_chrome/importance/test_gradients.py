"""Saliency, SmoothGrad, gradient x input."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.errors import InputError
from keras_chrome.importance.gradient_x_input import gradient_x_input
from keras_chrome.importance.saliency import saliency
from keras_chrome.importance.smooth_grad import smooth_grad
from keras_chrome.models import logit_model


def plain_gradient(model: keras.Model, signal: np.ndarray) -> np.ndarray:
    watched = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        logit = logit_model(model)(watched)
    return tape.gradient(logit, watched).numpy()


@pytest.mark.parametrize("name", ["model", "recurrent_model"])
def test_saliency_is_the_plain_gradient(
    name: str, request: pytest.FixtureRequest, signal: np.ndarray
) -> None:
    model = request.getfixturevalue(name)
    expected = plain_gradient(model, signal)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(saliency(model, signal, signed=True), expected, atol=1e-6)
    np.testing.assert_allclose(saliency(model, signal), np.abs(expected), atol=1e-6)


def test_gradient_x_input_is_the_product(model: keras.Model, signal: np.ndarray) -> None:
    expected = plain_gradient(model, signal) * signal
    np.testing.assert_allclose(gradient_x_input(model, signal), expected, atol=1e-6)


def test_gradient_is_with_respect_to_the_signal_as_measured(
    linear_model: keras.Model, linear_weights: np.ndarray, signal: np.ndarray
) -> None:
    expected = np.broadcast_to(linear_weights, signal.shape)
    np.testing.assert_allclose(saliency(linear_model, signal, signed=True), expected, rtol=1e-6)
    np.testing.assert_allclose(smooth_grad(linear_model, signal), np.abs(expected), rtol=1e-5)


def test_smooth_grad_depends_on_its_seed_alone(model: keras.Model, signal: np.ndarray) -> None:
    np.random.seed(5)
    first = smooth_grad(model, signal, samples=3, seed=7)
    np.random.seed(6)
    np.testing.assert_array_equal(smooth_grad(model, signal, samples=3, seed=7), first)
    assert (smooth_grad(model, signal, samples=3, seed=8) != first).any()


def test_smooth_grad_without_noise_is_saliency(model: keras.Model, signal: np.ndarray) -> None:
    smoothed = smooth_grad(model, signal, samples=2, noise=0.0, signed=True)
    np.testing.assert_allclose(smoothed, saliency(model, signal, signed=True), atol=1e-6)


def test_smooth_grad_approaches_the_smoothed_gradient(
    model: keras.Model, signal: np.ndarray
) -> None:
    # By hand: noise of 0.2 of each gene's range in log(1 + signal).
    logs = np.log1p(signal[:3])
    deviation = 0.2 * (logs.max(axis=(1, 2)) - logs.min(axis=(1, 2)))
    draws = np.random.default_rng(99).standard_normal((1500, *logs.shape))
    noisy = np.expm1(logs + deviation[:, None, None] * draws).astype(np.float32)
    gradients = plain_gradient(model, noisy.reshape(-1, 8, 2)).reshape(noisy.shape)
    error = gradients.std(axis=0) * np.sqrt(1 / 1500 + 1 / 400)
    smoothed = smooth_grad(model, signal[:3], samples=400, signed=True)
    assert (np.abs(smoothed - gradients.mean(axis=0)) < 5 * error).all()


def test_smooth_grad_of_empty_bins_is_finite(model: keras.Model) -> None:
    signal = np.zeros((2, 8, 2), np.float32)
    signal[0, 3] = 500
    assert np.isfinite(smooth_grad(model, signal, samples=5)).all()


def test_no_sample_is_refused(model: keras.Model, signal: np.ndarray) -> None:
    with pytest.raises(InputError, match="samples=0"):
        smooth_grad(model, signal, samples=0)
