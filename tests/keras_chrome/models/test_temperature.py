"""Calibration of variants and baselines."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import log_loss, roc_auc_score

from keras_chrome.baselines import Baseline, build_baseline
from keras_chrome.models import build_model
from keras_chrome.models.prediction import Prediction, predict
from keras_chrome.models.temperature import calibrate

MARKS = ("H3K27me3", "H3K4me3")
RNG = np.random.default_rng(0)
SIGNAL = RNG.poisson(3, (300, 10, 2)).astype(np.float32)


def variant() -> keras.Model:
    keras.utils.set_random_seed(0)
    moments: dict[str, Any] = {"signal_mean": [1.3, 1.3], "signal_variance": [0.3, 0.3]}
    model = build_model("cnn_alpha_beta", marks=MARKS, num_bins=10, **moments)
    # Untrained it is sure of nothing.
    logit_layer = model.get_layer("logit")
    logit_layer.set_weights([100 * weight for weight in logit_layer.get_weights()])
    return model


def log_odds(prediction: Prediction) -> np.ndarray:
    return logit(np.float64(prediction.probability))


def test_weights_of_a_variant_are_divided_by_the_temperature_it_needs() -> None:
    model = variant()
    before = predict(model, SIGNAL)
    assert np.std(log_odds(before)) > 1
    # As if the model were right with half of its log-odds.
    label = (RNG.uniform(size=300) < expit(log_odds(before) / 2)).astype(int)
    kernel, bias = model.get_layer("logit").get_weights()
    temperature = calibrate(model, SIGNAL, label)
    scaled_kernel, scaled_bias = model.get_layer("logit").get_weights()
    np.testing.assert_allclose(scaled_kernel * temperature, kernel, rtol=1e-6)
    np.testing.assert_allclose(scaled_bias * temperature, bias, rtol=1e-6)
    after = predict(model, SIGNAL)
    np.testing.assert_allclose(log_odds(after), log_odds(before) / temperature, atol=1e-4)
    np.testing.assert_array_equal(after.alpha, before.alpha)
    np.testing.assert_array_equal(after.beta, before.beta)
    assert log_loss(label, after.probability) < log_loss(label, before.probability)
    assert roc_auc_score(label, after.probability) == pytest.approx(
        roc_auc_score(label, before.probability), abs=1e-4
    )
    # There is nothing left to scale.
    assert calibrate(model, SIGNAL, label) == pytest.approx(1, abs=1e-3)


def test_a_baseline_keeps_its_temperature_on_disk(tmp_path: Path) -> None:
    label = (SIGNAL[:, 5, 1] + RNG.normal(0, 2, 300) > 3).astype(int)
    baseline = build_baseline("gradient_boosting_bins", marks=MARKS, num_bins=10)
    baseline.fit(SIGNAL[:150], label[:150])
    before = predict(baseline, SIGNAL)
    text = baseline.describe()
    temperature = calibrate(baseline, SIGNAL[150:], label[150:])
    # Boosting of 300 rounds is too sure of so few genes.
    assert temperature > 1.5
    baseline.save(tmp_path / "model.joblib")
    after = predict(Baseline.load(tmp_path / "model.joblib"), SIGNAL)
    np.testing.assert_allclose(log_odds(after), log_odds(before) / temperature, atol=1e-4)
    assert roc_auc_score(label, after.probability) == roc_auc_score(label, before.probability)
    assert text is baseline.describe() is None


def test_what_can_be_read_names_the_temperature() -> None:
    label = np.arange(300) % 2
    baseline = build_baseline("logistic_regression_max", marks=MARKS, num_bins=10)
    baseline.fit(SIGNAL, label)
    text = baseline.describe()
    assert "temperature" not in str(text)
    temperature = calibrate(baseline, SIGNAL, 1 - label)
    assert baseline.describe() == (
        f"{text}\nThe log-odds are divided by a temperature of {temperature:.3f}."
    )
