"""The mean over an ensemble's members, and how far they lie apart."""

import keras
import numpy as np
import pytest

from keras_chrome.layers import WeightedDeviation, WeightedMean

VALUES = [np.array([[1.0, 0.0]], np.float32), np.array([[5.0, 8.0]], np.float32)]


def test_mean_and_deviation_by_hand() -> None:
    np.testing.assert_allclose(WeightedMean([0.75, 0.25])(VALUES), [[2.0, 2.0]])
    # The roots of 0.75 x 1 + 0.25 x 9 and of 0.75 x 4 + 0.25 x 36.
    np.testing.assert_allclose(
        WeightedDeviation([0.75, 0.25])(VALUES), [[3**0.5, 12**0.5]], rtol=1e-6
    )


def test_equal_weights_give_the_deviation_of_the_population() -> None:
    values = np.random.default_rng(0).random((4, 3, 2), np.float32)
    deviation = WeightedDeviation([0.25] * 4)(list(values))
    np.testing.assert_allclose(deviation, values.std(axis=0), atol=1e-6)


def test_a_model_keeps_the_weights(tmp_path) -> None:
    inputs = [keras.Input((2,)), keras.Input((2,))]
    model = keras.Model(inputs, WeightedMean([0.75, 0.25], name="logit")(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert loaded.output_shape == (None, 2)
    assert not loaded.weights
    np.testing.assert_allclose(loaded(VALUES), [[2.0, 2.0]])


@pytest.mark.parametrize("weights", [[0.5, 0.4], [1.5, -0.5], []])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="sum to one"):
        WeightedMean(weights)


def test_each_weight_wants_a_tensor() -> None:
    with pytest.raises(ValueError, match=r"Expected 2 tensors, one a weight\. Received: 1"):
        WeightedMean([0.5, 0.5])(VALUES[:1])
