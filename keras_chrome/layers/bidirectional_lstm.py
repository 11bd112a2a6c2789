"""A bidirectional LSTM over one sequence."""

from typing import Any

import keras
from keras import ops

from keras_chrome.layers.markwise_bidirectional_lstm import MarkwiseBidirectionalLSTM


@keras.saving.register_keras_serializable(package="keras_chrome")
class BidirectionalLSTM(MarkwiseBidirectionalLSTM):
    """Encodes one sequence, such as the mark embeddings, with a bidirectional LSTM.

    It equals `keras.layers.Bidirectional(keras.layers.LSTM(units, return_sequences=True))`, which
    sometimes fails to load from a `.keras` file in Keras 3.15.

    Args:
        units: Hidden size d' of one direction.

    Call arguments:
        inputs: Float tensor of shape `(batch, steps, channels)`. Only the batch may be
            dynamic.

    Returns:
        Float tensor of shape `(batch, steps, 2 * units)`, s_j in the paper.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Create the weights, `(1, 2, ...)`, 2 being the directions."""
        batch, steps, channels = tuple(input_shape)
        super().build((batch, steps, 1, channels))

    def call(self, inputs: Any) -> Any:
        """Encode the sequence."""
        return ops.squeeze(super().call(inputs[:, :, None]), axis=2)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape `(batch, steps, 2 * units)`."""
        return (*tuple(input_shape)[:2], 2 * self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        config = super().get_config()
        del config["mark_weights"]
        return config
