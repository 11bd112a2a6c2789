"""Stock LSTMs in the precisions of training."""

import keras
import numpy as np
import pytest

from keras_chrome.layers import recurrence
from keras_chrome.layers.stock_lstm import stock_lstm


@pytest.mark.parametrize(
    ("dtype", "atol"), [("float32", 1e-6), ("float16", 5e-3), ("bfloat16", 5e-2)]
)
def test_equals_the_recurrence(dtype: str, atol: float) -> None:
    rng = np.random.default_rng(0)
    inputs, kernel, recurrent_kernel, bias = (
        keras.ops.convert_to_tensor(rng.normal(scale=0.5, size=shape), dtype)
        for shape in [(8, 4, 3, 2), (4, 2, 20), (4, 5, 20), (4, 20)]
    )
    joined = keras.ops.concatenate([recurrent_kernel, kernel, bias[:, None]], axis=1)
    hidden = keras.ops.stack(stock_lstm(inputs, joined), axis=1)
    assert keras.backend.standardize_dtype(hidden.dtype) == dtype
    np.testing.assert_allclose(
        *(keras.ops.cast(h, "float32") for h in (hidden, recurrence.lstm(inputs, joined))),
        atol=atol,
    )
