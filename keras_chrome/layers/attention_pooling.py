"""Attention pooling: a weighted sum over steps, the weights learned."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_chrome")
class AttentionPooling(keras.layers.Layer):
    """Sums hidden states with softmax weights of their product with a context vector.

    Over bins, with one context vector W_b a mark, the weights are alpha and the sums are the mark
    embeddings m^j; over marks, with one context vector W_s, the weights are beta and the sum is
    the gene embedding v. The scores and the softmax are float32 whatever the precision: in
    float16 small weights underflow.

    Call arguments:
        inputs: Float tensor of shape `(batch, bins, marks, units)` or `(batch, marks, units)`:
            it is pooled over axis 1.

    Returns:
        A tuple: the sums, `(batch, marks, units)` or `(batch, units)`, and the attention weights,
        float32, `(batch, marks, bins)` or `(batch, marks)`, which sum to one over the last axis.

    Raises:
        ValueError: If `inputs` has another rank.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """

    def build(self, input_shape: Any) -> None:
        """Create the context vector(s), `(marks, units)` or `(units,)`."""
        shape = tuple(input_shape)
        if len(shape) not in (3, 4):
            raise ValueError(
                "Expected inputs of shape (batch, bins, marks, units) or (batch, marks, units). "
                f"Received: input_shape={shape}"
            )
        self.context_vector = self.add_weight(
            name="context_vector",
            shape=shape[2:],
            initializer=keras.initializers.RandomUniform(-0.1, 0.1),
        )

    def call(self, inputs: Any) -> tuple[Any, Any]:
        """Pool `inputs` over axis 1."""
        weights = self.attend(inputs)
        pooled = ops.sum(inputs * ops.cast(weights, inputs.dtype)[..., None], axis=1)
        return pooled, ops.moveaxis(weights, 1, -1)

    def attend(self, inputs: Any) -> Any:
        """The attention weights, float32 `(batch, bins, marks)` or `(batch, marks)`."""
        scores = ops.sum(
            ops.cast(inputs, "float32") * ops.cast(self.context_vector, "float32"), axis=-1
        )
        return softmax(scores, axis=1)

    def compute_output_spec(self, inputs: Any) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Shapes and dtypes of the sums and of the weights."""
        pooled, weights = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(pooled, self.compute_dtype), keras.KerasTensor(weights, "float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[tuple[int | None, ...], ...]:
        """Shapes of the sums and of the weights."""
        batch, steps, *rest = tuple(input_shape)
        return (batch, *rest), (batch, *rest[:-1], steps)


def softmax(scores: Any, axis: int) -> Any:
    """Weights that sum to one over an axis. `ops.softmax` warns where it is of length one."""
    powers = ops.exp(scores - ops.max(scores, axis=axis, keepdims=True))
    return powers / ops.sum(powers, axis=axis, keepdims=True)
