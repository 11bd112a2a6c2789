"""The scaling of the signal inside the model."""

import numpy as np
import pytest

from keras_chrome.layers import SignalTransform


def test_log1p_is_standardised_a_mark() -> None:
    layer = SignalTransform(["H3K4me3", "H3K27me3"], "log1p", [1.0, 0.0], [4.0, 1.0])
    signal = np.array([[[np.e - 1, 0.0], [np.e**3 - 1, np.e - 1]]], np.float32)
    np.testing.assert_allclose(layer(signal), [[[0.0, 0.0], [1.0, 1.0]]], atol=1e-6)


def test_none_passes_the_signal_on() -> None:
    signal = np.array([[[3.0, 7.0]]], np.float32)
    np.testing.assert_array_equal(SignalTransform(["a", "b"], "none")(signal), signal)


def test_an_empty_mark_gives_zeros_not_nan() -> None:
    layer = SignalTransform(["a"], "log1p", [0.0], [0.0])
    np.testing.assert_array_equal(layer(np.zeros((1, 2, 1), np.float32)), np.zeros((1, 2, 1)))


def test_float32_under_mixed_precision() -> None:
    layer = SignalTransform(["a"], "none", dtype="mixed_float16")
    assert layer(np.full((1, 1, 1), 70000.0, np.float32))[0, 0, 0] == 70000.0


def test_config_round_trip() -> None:
    layer = SignalTransform(["a", "b"], "log1p", [1.0, 2.0], [3.0, 4.0])
    assert SignalTransform.from_config(layer.get_config()).get_config() == layer.get_config()


def test_unknown_transform_is_refused() -> None:
    with pytest.raises(ValueError, match="transform='sqrt'"):
        SignalTransform(["a"], "sqrt")


def test_numbers_of_marks_must_agree() -> None:
    with pytest.raises(ValueError, match="2 marks, 1 means, 2 variances"):
        SignalTransform(["a", "b"], "log1p", [1.0])


def test_another_number_of_marks_in_the_signal_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected 2 marks"):
        SignalTransform(["a", "b"]).build((None, 8, 3))
