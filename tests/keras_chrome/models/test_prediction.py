"""Predicting many genes."""

import numpy as np
import pytest

from keras_chrome.models import build_model
from keras_chrome.models.prediction import predict
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


def test_shards_are_equal_and_not_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert [num_shards(n) for n in (1, 15, 16, 17, 24, 30, 32, 512)] == [1, 1, 2, 1, 3, 3, 4, 8]
