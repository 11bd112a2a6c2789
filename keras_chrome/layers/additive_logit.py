"""A linear answer to a weighted mean of states, and what each state adds to it."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_chrome")
class AdditiveLogit(keras.layers.Layer):
    """The logit of a gene embedding, taken apart into the contributions of what it is the mean of.

    The layer is linear and attention sums to one, so that the logit of the mean of the states is
    the mean of their logits. It always computes in float32.

    Call arguments:
        embedding: Float tensor `(batch, units)`: the states' mean, which training may drop out of.
        states: Float tensor `(batch, positions, marks, units)`.
        attention: Float tensor `(batch, marks, positions)`, which sums to one over both.

    Returns:
        A list: the logit `(batch, 1)`, and the contributions `(batch, marks, positions)`, which sum
        to it.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def build(self, embedding_shape: Any, states_shape: Any, attention_shape: Any) -> None:
        """Create the kernel `(units, 1)` and the bias `(1,)`, as a `Dense` has them."""
        self.kernel = self.add_weight(
            name="kernel", shape=(embedding_shape[-1], 1), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")

    def call(self, embedding: Any, states: Any, attention: Any) -> list[Any]:
        """Answer."""
        value = ops.matmul(states, self.kernel)[..., 0] + self.bias
        contribution = attention * ops.transpose(value, (0, 2, 1))
        return [ops.matmul(embedding, self.kernel) + self.bias, contribution]

    def compute_output_shape(
        self, embedding_shape: Any, states_shape: Any, attention_shape: Any
    ) -> list[tuple[int | None, ...]]:
        """Shapes of the logit and of the contributions."""
        return [(embedding_shape[0], 1), tuple(attention_shape)]
