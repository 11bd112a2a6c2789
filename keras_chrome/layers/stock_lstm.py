"""Every lane with the LSTM layer that comes with Keras, one call each."""

import functools
from typing import Any

import keras
from keras import ops


def stock_lstm(inputs: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    """What `recurrence.lstm` computes, with `keras.layers.LSTM`: on a GPU that is cuDNN.

    Args:
        inputs: Float tensor of shape `(steps, lanes, batch, channels)`.
        kernel: Float tensor of shape `(lanes, channels, 4 * units)`.
        recurrent_kernel: Float tensor of shape `(lanes, units, 4 * units)`.
        bias: Float tensor of shape `(lanes, 4 * units)`.

    Returns:
        Hidden states of shape `(steps, lanes, batch, units)`.
    """
    lanes, units = recurrent_kernel.shape[:2]
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    layer = _layer(units, inputs.shape[0], inputs.shape[3], dtype)
    hidden = []
    for lane in range(lanes):
        weights = [kernel[lane], recurrent_kernel[lane], bias[lane]]
        batch_first = ops.transpose(inputs[:, lane], (1, 0, 2))
        answer, _ = layer.stateless_call(weights, layer.non_trainable_variables, batch_first)
        hidden.append(ops.transpose(answer, (1, 0, 2)))
    return ops.stack(hidden, axis=1)


@functools.lru_cache
def _layer(units: int, steps: int, channels: int, dtype: str) -> keras.layers.LSTM:
    """A layer whose own weights are never used."""
    layer = keras.layers.LSTM(
        units,
        return_sequences=True,
        # TensorFlow draws no orthogonal matrix in bfloat16.
        recurrent_initializer="zeros",
        dtype=dtype,
    )
    layer.build((None, steps, channels))
    return layer
