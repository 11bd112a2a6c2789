"""Every lane with the LSTM layer that comes with Keras, one call each."""

import functools
from typing import Any

import keras
from keras import ops


def stock_lstm(inputs: Any, weights: Any) -> list[Any]:
    """What `recurrence.lstm` computes, with `keras.layers.LSTM`: on a GPU that is cuDNN.

    Args:
        inputs: As of `recurrence.lstm`, `(steps, lanes, batch, channels)`.
        weights: Likewise, `(lanes, units + channels + 1, 4 * units)`.

    Returns:
        Hidden states of each lane, `(steps, batch, units)`.
    """
    steps, lanes, _, channels = inputs.shape
    units = weights.shape[2] // 4
    layer = _layer(units, steps, channels, keras.backend.standardize_dtype(inputs.dtype))
    hidden = []
    for lane in range(lanes):
        recurrent_kernel, kernel, bias = ops.split(weights[lane], [units, units + channels])
        batch_first = ops.transpose(inputs[:, lane], (1, 0, 2))
        answer, _ = layer.stateless_call(
            [kernel, recurrent_kernel, bias[0]], layer.non_trainable_variables, batch_first
        )
        hidden.append(ops.transpose(answer, (1, 0, 2)))
    return hidden


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
