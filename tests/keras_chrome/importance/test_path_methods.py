"""Integrated and expected gradients, and whether they add up."""

import keras
import numpy as np
import pytest
from numpy.typing import ArrayLike

from keras_chrome.errors import InputError
from keras_chrome.importance.completeness import Completeness, completeness
from keras_chrome.importance.expected_gradients import expected_gradients
from keras_chrome.importance.integrated_gradients import integrated_gradients
from keras_chrome.layers import SignalTransform
from keras_chrome.models import logit_model


def test_integrated_gradients_are_exact_on_a_linear_model(
    linear_model: keras.Model, linear_weights: np.ndarray, signal: np.ndarray
) -> None:
    importance = integrated_gradients(linear_model, signal, baseline=2.0, steps=1)
    np.testing.assert_allclose(importance, linear_weights * (signal - 2), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "baseline"),
    [
        ("recurrent_model", 0.0),
        ("switching_model", 0.0),
        ("model", (3.0, 5.0)),
        ("model", np.full((8, 2), 2.0)),
    ],
)
def test_integrated_gradients_are_complete_within_the_tolerance(
    name: str, baseline: ArrayLike, request: pytest.FixtureRequest, signal: np.ndarray
) -> None:
    model = request.getfixturevalue(name)
    importance = integrated_gradients(
        model, signal, baseline=baseline, tolerance=0.01, share_remainder=False
    )
    sums = completeness(model, signal, importance, baseline)
    assert np.abs(sums.difference).mean() > 0.05
    assert sums.total_error < 0.01
    begin = np.broadcast_to(np.asarray(baseline, np.float32), signal.shape)
    difference = (logit_model(model)(signal) - logit_model(model)(begin))[:, 0]
    np.testing.assert_allclose(sums.difference, difference, atol=1e-5)
    np.testing.assert_allclose(importance.sum(axis=(1, 2)), sums.attributed, atol=1e-6)


@pytest.fixture(scope="module")
def switching_model() -> keras.Model:
    """A network whose logit rises by steep switches, as trained ones do."""
    inputs = keras.Input((8, 2), name="signal")
    transformed = SignalTransform(("a", "b"), "none", name="signal_transform")(inputs)
    hidden = keras.layers.Dense(6, activation="tanh", name="hidden")
    logit = keras.layers.Dense(1, name="logit")(hidden(keras.layers.Flatten()(transformed)))
    generator = np.random.default_rng(3)
    steepness = 40 * generator.random((16, 6))
    hidden.set_weights([steepness, -np.linspace(0.1, 0.9, 6) * 6 * steepness.sum(axis=0)])
    probability = keras.ops.squeeze(keras.ops.sigmoid(logit), axis=-1)
    return keras.Model(inputs, {"probability": probability})


def test_halving_finds_the_switches_that_even_steps_miss(
    switching_model: keras.Model, signal: np.ndarray
) -> None:
    def error(**options: object) -> float:
        importance = integrated_gradients(switching_model, signal, share_remainder=False, **options)
        return completeness(switching_model, signal, importance).total_error

    # With 50 even gradients some switches lie between two of them.
    assert error(tolerance=0.01) < 0.01 < 0.2 < error(steps=50, tolerance=None)
    # A limit on the segments holds.
    assert error(tolerance=0.01, max_steps=2) > 0.05


def test_what_is_shared_out_makes_sums_exact_and_comes_nearer(
    switching_model: keras.Model, signal: np.ndarray
) -> None:
    signal = signal[:9]
    converged = integrated_gradients(
        switching_model, signal, tolerance=1e-4, max_steps=5000, share_remainder=False
    )
    plain, shared = (
        integrated_gradients(switching_model, signal, tolerance=0.2, share_remainder=share)
        for share in (False, True)
    )
    assert completeness(switching_model, signal, shared).total_error < 1e-5
    distances = [np.abs(i - converged).sum() for i in (plain, shared)]
    assert distances[1] < distances[0] / 2


def test_a_signal_that_equals_the_baseline_has_no_importance(model: keras.Model) -> None:
    importance = integrated_gradients(model, np.full((2, 8, 2), 4, np.float32), baseline=4.0)
    np.testing.assert_array_equal(importance, 0)


def test_expected_gradients_are_complete_on_average(model: keras.Model, signal: np.ndarray) -> None:
    genes, others = signal[:9], signal[9:]
    importance = expected_gradients(model, genes, baselines=others, draws=200)
    sums = completeness(model, genes, importance, others)
    logit = logit_model(model)(signal)[:, 0].numpy()
    np.testing.assert_allclose(sums.difference, logit[:9] - logit[9:].mean(), atol=1e-6)
    # The error of the draws, a standard deviation of the baselines' logits over sqrt(200).
    assert abs((sums.attributed - sums.difference).mean()) < logit[9:].std() / np.sqrt(200)
    assert np.corrcoef(sums.attributed, sums.difference)[0, 1] > 0.95


def test_expected_gradients_of_one_baseline_are_integrated_gradients(
    model: keras.Model, signal: np.ndarray
) -> None:
    expected = expected_gradients(model, signal, baselines=signal[:1], draws=200)
    integrated = integrated_gradients(model, signal, baseline=signal[0])
    np.testing.assert_allclose(expected, integrated, atol=5e-3)
    # Ten times what they may differ by: two methods that say nothing would agree, too.
    assert np.abs(integrated).max() > 0.05


def test_expected_gradients_seed(model: keras.Model, signal: np.ndarray) -> None:
    first, again, other = (
        expected_gradients(model, signal, baselines=signal[:4], draws=2, seed=seed)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(again, first)
    assert (other != first).any()


def test_error_as_a_share() -> None:
    sums = Completeness(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    assert sums.total_error == pytest.approx(2 / 6)


def test_too_few_are_refused(model: keras.Model, signal: np.ndarray) -> None:
    with pytest.raises(InputError, match="steps=0"):
        integrated_gradients(model, signal, steps=0)
    with pytest.raises(InputError, match=r"baselines of shape \(0, 8, 2\)"):
        expected_gradients(model, signal, baselines=signal[:0])
