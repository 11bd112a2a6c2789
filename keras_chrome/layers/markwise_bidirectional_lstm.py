"""One bidirectional LSTM a mark, all of them in one recurrence."""

from typing import Any

import keras
from keras import ops

from keras_chrome.layers import recurrence
from keras_chrome.layers.block_lstm import block_lstm
from keras_chrome.layers.implementation import recurrence_in_use
from keras_chrome.layers.stock_lstm import stock_lstm
from keras_chrome.vocabulary import MARK_WEIGHTS


@keras.saving.register_keras_serializable(package="keras_chrome")
class MarkwiseBidirectionalLSTM(keras.layers.Layer):
    """Encodes the bins of every mark with that mark's own bidirectional LSTM.

    It computes what one `keras.layers.Bidirectional(keras.layers.LSTM(units,
    return_sequences=True))` for each mark computes, but steps all marks and both directions
    together. With `mark_weights="shared"` it is `keras.layers.TimeDistributed` of one such layer
    over the marks.

    Args:
        units: Hidden size d of one direction.
        mark_weights: `"separate"`, one LSTM^j for each mark j as in the paper, or `"shared"`, one
            LSTM for all marks.

    Call arguments:
        inputs: Float tensor of shape `(batch, bins, marks)` or `(batch, bins, marks, channels)`.
            Only the batch may be dynamic.

    Returns:
        Float tensor of shape `(batch, bins, marks, 2 * units)`: for each bin t and mark j the
        forward and the reverse hidden state, h_t^j in the paper.

    Raises:
        ValueError: If `mark_weights` is unknown, `units` is not positive, or `inputs` has another
            rank or an unknown number of bins or marks.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """

    def __init__(self, units: int, mark_weights: str = "separate", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mark_weights not in MARK_WEIGHTS:
            raise ValueError(
                f"Expected one of {MARK_WEIGHTS}. Received: mark_weights={mark_weights!r}"
            )
        if units < 1:
            raise ValueError(f"Expected a positive number of units. Received: units={units}")
        self.units = units
        self.mark_weights = mark_weights

    def build(self, input_shape: Any) -> None:
        """Create the weights: `(sets, 2, ...)`, sets being 1 when shared, 2 the directions."""
        shape = tuple(input_shape)
        if len(shape) not in (3, 4) or None in shape[1:]:
            raise ValueError(
                "Expected inputs of shape (batch, bins, marks) or (batch, bins, marks, channels) "
                f"with static bins and marks. Received: input_shape={shape}"
            )
        channels = shape[3] if len(shape) == 4 else 1
        sets = shape[2] if self.mark_weights == "separate" else 1
        gates = 4 * self.units
        self.kernel = self.add_weight(
            name="kernel",
            shape=(sets, 2, channels, gates),
            initializer=_PerLane(keras.initializers.GlorotUniform()),
        )
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(sets, 2, self.units, gates),
            initializer=_PerLane(keras.initializers.Orthogonal()),
        )
        self.bias = self.add_weight(
            name="bias", shape=(sets, 2, gates), initializer=_forget_gate_open
        )

    def call(self, inputs: Any) -> Any:
        """Encode every mark's bins."""
        steps, marks = inputs.shape[1:3]
        lanes = self.lanes(inputs)
        weights = self.lane_weights(marks)
        in_use = recurrence_in_use()
        if in_use != "fused":
            lstm = block_lstm if in_use == "block" else stock_lstm
            return self._join(lstm(lanes, weights), inputs)
        hidden = recurrence.lstm(lanes, weights)
        hidden = ops.reshape(hidden, (steps, marks, 2, ops.shape(inputs)[0], self.units))
        ahead, back = hidden[:, :, 0], ops.flip(hidden[:, :, 1], axis=0)
        return ops.transpose(ops.concatenate([ahead, back], axis=-1), (2, 0, 1, 3))

    def _join(self, hidden: list[Any], inputs: Any) -> Any:
        """Hidden states of each lane, (steps, batch, units), as `call` returns them.

        Separate lanes are stacked in their place at once. Cutting them out of one tensor would
        have a gradient as large as all of them for each cut.
        """
        bins, marks = inputs.shape[1:3]
        in_order = [ops.flip(h, axis=0) if i % 2 else h for i, h in enumerate(hidden)]
        hidden = ops.reshape(ops.stack(in_order, axis=2), (bins, -1, marks, 2 * self.units))
        return ops.transpose(hidden, (1, 0, 2, 3))

    def lanes(self, inputs: Any) -> Any:
        """Inputs as the recurrence takes them, (steps, lanes, batch, channels).

        A lane is a mark in one direction; the lanes of a mark follow each other, forward first.
        """
        if len(inputs.shape) == 3:
            inputs = inputs[..., None]
        steps, marks, channels = inputs.shape[1:]
        steps_first = ops.transpose(inputs, (1, 2, 0, 3))
        both = ops.stack([steps_first, ops.flip(steps_first, axis=0)], axis=2)
        return ops.reshape(both, (steps, 2 * marks, -1, channels))

    def lane_weights(self, marks: int) -> Any:
        """Weights as the recurrence takes them, (lanes, units + channels + 1, 4 * units)."""
        weights = (self.kernel, self.recurrent_kernel, self.bias)
        kernel, recurrent_kernel, bias = (ops.convert_to_tensor(weight) for weight in weights)
        joined = ops.concatenate([recurrent_kernel, kernel, bias[..., None, :]], axis=-2)
        # (sets, 2, ...) -> one a lane
        joined = ops.broadcast_to(joined, (marks, *joined.shape[1:]))
        return ops.reshape(joined, (2 * marks, *joined.shape[2:]))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape `(batch, bins, marks, 2 * units)`."""
        return (*tuple(input_shape)[:3], 2 * self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "mark_weights": self.mark_weights,
        }


class _PerLane(keras.initializers.Initializer):
    """Draws every (set, direction) of a weight by itself, as separate LSTMs would."""

    def __init__(self, initializer: keras.initializers.Initializer) -> None:
        self.initializer = initializer

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> Any:
        sets, directions, *matrix = shape
        # A clone with its own seed for each: an initializer answers the same numbers when called
        # again with the same seed.
        lanes = [self.initializer.clone()(matrix, dtype=dtype) for _ in range(sets * directions)]
        return keras.ops.reshape(keras.ops.stack(lanes), shape)


def _forget_gate_open(shape: Any, dtype: Any = None) -> Any:
    """Zeros, but ones for the forget gate, as `keras.layers.LSTM` (`unit_forget_bias`)."""
    units = shape[-1] // 4
    forget = keras.ops.repeat(keras.ops.array([0.0, 1.0, 0.0, 0.0], dtype), units)
    return keras.ops.broadcast_to(forget, shape)
