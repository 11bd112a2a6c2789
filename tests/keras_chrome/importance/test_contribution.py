"""The map that an additive model decides by."""

import keras
import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.importance import importance_method, methods_of
from keras_chrome.models import logit_model


def test_contributions_and_the_logit_of_an_empty_region_sum_to_the_logit(
    additive_model: keras.Model, signal: np.ndarray
) -> None:
    contribution = importance_method("contribution")(additive_model, signal)
    logit = logit_model(additive_model)
    expected = logit(signal)[:, 0] - logit(np.zeros_like(signal[:1]))[:, 0]
    np.testing.assert_allclose(contribution.sum(axis=(1, 2)), expected, atol=1e-5)
    assert np.ptp(expected) > 0.05  # Not all genes are alike.


def test_an_empty_region_contributes_nothing(
    additive_model: keras.Model, signal: np.ndarray
) -> None:
    contribution = importance_method("contribution")(additive_model, np.zeros_like(signal))
    np.testing.assert_array_equal(contribution, 0)


def test_it_is_alpha_times_beta_times_signal_times_slope(
    additive_model: keras.Model, signal: np.ndarray
) -> None:
    states = np.asarray(
        keras.Model(additive_model.input, additive_model.get_layer("bin_attention").input)(signal)
    )
    mark_slopes, kernel, _ = additive_model.get_layer("logit").get_weights()
    slope = (states @ kernel)[..., 0] + mark_slopes[:, 0]  # (genes, positions, marks)
    alpha, beta = (np.asarray(additive_model(signal)[name]) for name in ("alpha", "beta"))
    deviation = np.sqrt(additive_model.get_layer("signal_transform").variance)
    value = np.log1p(signal) / deviation * np.repeat(slope, 2, axis=1)
    np.testing.assert_allclose(
        importance_method("contribution")(additive_model, signal),
        value * np.swapaxes(alpha, 1, 2) * beta[:, np.newaxis],
        atol=1e-6,
    )


def test_other_models_have_none(recurrent_model: keras.Model, signal: np.ndarray) -> None:
    assert "contribution" not in methods_of(recurrent_model)
    with pytest.raises(InputError, match=r"sum over bins.*'attentive_chrome'"):
        importance_method("contribution")(recurrent_model, signal)
