"""Saliency, SmoothGrad, gradient x input."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.errors import InputError
from keras_chrome.importance.gradient_x_input import gradient_x_input
from keras_chrome.importance.saliency import saliency
from keras_chrome.importance.smooth_grad import smooth_grad
from keras_chrome.models import logit_model
from keras_chrome.vocabulary import WRT


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


def finite_differences(model: keras.Model, signal: np.ndarray, wrt: str) -> np.ndarray:
    """How the logit changes with each bin, by a step up and down, `(genes, bins, marks)`.

    The steps are as wide in log(1 + signal) with respect to either.
    """
    step = 0.01 * np.eye(16).reshape(16, 1, 8, 2)
    if wrt == "signal":
        step = step * (1 + signal)
        up, down = signal + step, signal - step
    else:
        logs = np.log1p(signal)
        up, down = np.expm1(logs + step), np.expm1(logs - step)
    to_logit = logit_model(model)
    logits = [
        to_logit(version.reshape(-1, 8, 2).astype(np.float32)).numpy().reshape(16, len(signal))
        for version in (up, down)
    ]
    width = step.sum(axis=(2, 3))
    return ((logits[0] - logits[1]) / (2 * width)).T.reshape(signal.shape)


@pytest.mark.parametrize("wrt", WRT)
def test_saliency_is_what_finite_differences_say(
    wrt: str, recurrent_model: keras.Model, signal: np.ndarray
) -> None:
    expected = finite_differences(recurrent_model, signal[:3], wrt)
    gradient = saliency(recurrent_model, signal[:3], wrt=wrt, signed=True)
    np.testing.assert_allclose(gradient, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("wrt", WRT)
def test_smooth_grad_is_what_finite_differences_at_its_copies_say(
    wrt: str, recurrent_model: keras.Model, signal: np.ndarray
) -> None:
    genes = signal[:3].copy()
    genes[0, 3] = 0  # Noise makes some of these less than nothing.
    logs = np.log1p(genes)
    deviation = 0.2 * np.ptp(logs, axis=(1, 2), keepdims=True)
    generator = np.random.default_rng(7)
    copies = [
        np.expm1(logs + deviation * generator.standard_normal(genes.shape, np.float32))
        for _ in range(4)
    ]
    assert min(copy.min() for copy in copies) < -0.1
    expected = np.mean([finite_differences(recurrent_model, copy, wrt) for copy in copies], axis=0)
    smoothed = smooth_grad(recurrent_model, genes, wrt=wrt, samples=4, seed=7, signed=True)
    np.testing.assert_allclose(smoothed, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize("method", [saliency, smooth_grad])
def test_without_a_transform_both_gradients_are_the_same(
    method: Callable[..., np.ndarray], linear_model: keras.Model, signal: np.ndarray
) -> None:
    of_signal, of_transformed = (method(linear_model, signal, wrt=wrt) for wrt in WRT)
    np.testing.assert_array_equal(of_transformed, of_signal)


@pytest.mark.parametrize("method", [saliency, smooth_grad])
def test_with_respect_to_something_else_is_refused(
    method: Callable[..., np.ndarray], model: keras.Model, signal: np.ndarray
) -> None:
    with pytest.raises(InputError, match=r"'signal' or 'transformed'\. Received: wrt='log'"):
        method(model, signal, wrt="log")
    with pytest.raises(InputError, match=r"wrt=\('transformed',\)"):
        method(model, signal, wrt=("transformed",))


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
    draws = np.random.default_rng(99).standard_normal((6000, *logs.shape))
    noisy = np.expm1(logs + deviation[:, None, None] * draws).astype(np.float32)
    gradients = plain_gradient(model, noisy.reshape(-1, 8, 2)).reshape(noisy.shape)
    error = gradients.std(axis=0) * np.sqrt(1 / 6000 + 1 / 1600)
    smoothed = smooth_grad(model, signal[:3], samples=1600, signed=True)
    assert (np.abs(smoothed - gradients.mean(axis=0)) < 5 * error).all()


def test_smooth_grad_of_empty_bins_is_finite(model: keras.Model) -> None:
    signal = np.zeros((2, 8, 2), np.float32)
    signal[0, 3] = 500
    assert np.isfinite(smooth_grad(model, signal, samples=5)).all()


def test_no_sample_is_refused(model: keras.Model, signal: np.ndarray) -> None:
    with pytest.raises(InputError, match="samples=0"):
        smooth_grad(model, signal, samples=0)
