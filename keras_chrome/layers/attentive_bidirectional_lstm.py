"""One bidirectional LSTM a mark with attention over its bins, in one recurrence."""

from typing import Any

import keras
from keras import ops

from keras_chrome.layers import recurrence
from keras_chrome.layers.attention_pooling import AttentionPooling
from keras_chrome.layers.block_lstm import attentive_block_lstm
from keras_chrome.layers.implementation import recurrence_in_use
from keras_chrome.layers.markwise_bidirectional_lstm import MarkwiseBidirectionalLSTM


@keras.saving.register_keras_serializable(package="keras_chrome")
class AttentiveBidirectionalLSTM(keras.layers.Layer):
    """Encodes every mark's bins with an LSTM and sums them with attention.

    It computes what `AttentionPooling` of `MarkwiseBidirectionalLSTM` computes, and has their
    weights, but with one gradient through both: the hidden states and their gradient, by far the
    largest arrays of the model, are never laid out for the layers in between.

    Args:
        units: Hidden size d of one direction.
        mark_weights: `"separate"`, one LSTM^j for each mark j as in the paper, or `"shared"`, one
            LSTM for all marks. Context vectors are one a mark in any case.

    Call arguments:
        inputs: Float tensor of shape `(batch, bins, marks)` or `(batch, bins, marks, channels)`.
            Only the batch may be dynamic.

    Returns:
        A tuple: the mark embeddings m^j, `(batch, marks, 2 * units)`, and alpha, float32
        `(batch, marks, bins)`, which sums to one over the bins.

    Raises:
        ValueError: If `mark_weights` is unknown, `units` is not positive, or `inputs` has another
            rank or an unknown number of bins or marks.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """

    def __init__(self, units: int, mark_weights: str = "separate", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lstm = MarkwiseBidirectionalLSTM(
            units, mark_weights, name="lstm", dtype=self.dtype_policy
        )
        self.attention = AttentionPooling(name="attention", dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Create the weights of the LSTMs and of the attention."""
        self.lstm.build(input_shape)
        self.attention.build(self.lstm.compute_output_shape(input_shape))

    def call(self, inputs: Any) -> tuple[Any, Any]:
        """Encode every mark's bins and sum them."""
        in_use = recurrence_in_use()
        if in_use == "stock":
            embeddings, alpha = self.attention(self.lstm(inputs))
            return embeddings, alpha
        attentive_lstm = attentive_block_lstm if in_use == "block" else recurrence.attentive_lstm
        marks = inputs.shape[2]
        embeddings, alpha = attentive_lstm(
            self.lstm.lanes(inputs),
            self.lstm.lane_weights(marks),
            ops.reshape(self.attention.context_vector, (2 * marks, self.lstm.units)),
        )
        return ops.transpose(embeddings, (1, 0, 2)), ops.transpose(alpha, (2, 1, 0))

    def compute_output_spec(self, inputs: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Shapes and dtypes of the embeddings and of alpha."""
        return self.attention.compute_output_spec(self.lstm.compute_output_spec(inputs))

    def compute_output_shape(self, input_shape: Any) -> tuple[tuple[int | None, ...], ...]:
        """Shapes of the embeddings and of alpha."""
        return self.attention.compute_output_shape(self.lstm.compute_output_shape(input_shape))

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "units": self.lstm.units,
            "mark_weights": self.lstm.mark_weights,
        }
