"""Predicting many genes."""

import keras
import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.models import build_model
from keras_chrome.models.prediction import batch_predictor, predict
from keras_chrome.models.sharding import num_shards

MARKS = ("H3K4me3", "H3K27me3")


@pytest.mark.parametrize("batch_size", [512, 16, 7])
def test_equals_the_model_whatever_the_batch_size(batch_size: int) -> None:
    model = build_model("attentive_chrome", marks=MARKS, num_bins=8, bin_units=4, mark_units=3)
    signal = np.random.default_rng(0).poisson(3, (37, 8, 2)).astype(np.float32)
    prediction = predict(model, signal, batch_size=batch_size)
    answer = model(signal)
    np.testing.assert_allclose(prediction.probability, answer["probability"], atol=1e-6)
    np.testing.assert_allclose(prediction.alpha, answer["alpha"], atol=1e-6)
    np.testing.assert_allclose(prediction.beta, answer["beta"], atol=1e-6)


def broken_model() -> keras.Model:
    """A model whose training went wrong."""
    model = build_model("cnn_alpha_beta", marks=MARKS, num_bins=8, mark_filters=4)
    model.get_layer("logit").set_weights([np.full((4, 1), np.nan), np.zeros(1)])
    return model


@pytest.mark.parametrize("num_genes", [1, 20])
def test_no_answer_is_nan(num_genes: int) -> None:
    signal = np.full((num_genes, 8, 2), 3, np.float32)
    match = (
        f"Received: probability=nan for {num_genes} of {num_genes} genes, the first at position 0, "
        r"whose signal, 3 to 3, is in order: the model's weights are not; .*--learning-rate"
    )
    with pytest.raises(InputError, match=match):
        predict(broken_model(), signal)


@pytest.mark.parametrize("value", [np.nan, np.inf, -2])
def test_signal_that_leads_to_nan_is_named(value: float) -> None:
    model = build_model("cnn_alpha_beta", marks=MARKS, num_bins=8, filters=4, filter_bins=3)
    signal = np.ones((20, 8, 2), np.float32)
    signal[13, 5, 1] = value
    with pytest.raises(
        InputError,
        match=rf"=nan for 1 of 20 genes, the first at position 13, whose signal is {value:g} in "
        "bin 6 of mark 2; give signal of 0 or more",
    ):
        predict(model, signal, batch_size=16)


def test_shards_are_equal_and_not_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert [num_shards(n) for n in (1, 15, 16, 17, 24, 30, 32, 512)] == [1, 1, 2, 1, 3, 3, 4, 8]


def test_tensorflow_warns_of_no_retracing(caplog: pytest.LogCaptureFixture) -> None:
    """Which it does of a function that is called for several models or sizes of batches."""
    signal = np.zeros((64, 8, 2), np.float32)
    for _ in range(3):
        model = build_model("cnn_alpha_beta", marks=MARKS, num_bins=8, mark_filters=4)
        for num_genes in (3, 16, 64):
            batch_predictor(model)(signal[:num_genes])
    assert not caplog.messages
