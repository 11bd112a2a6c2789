"""The mean over the members of an ensemble."""

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="keras_chrome")
class WeightedMean(keras.layers.Layer):
    """The mean of tensors of one shape, with a weight for each. It always computes in float32.

    The weights are no weights of the model: they are chosen, not trained, and an untrained copy of
    an ensemble has them too.

    Args:
        weights: Not negative, one a tensor; they sum to one.

    Call arguments:
        inputs: A list of float tensors of one shape, the first axis being the batch.

    Returns:
        Float32 tensor of that shape.

    Raises:
        ValueError: If the weights are none such, or as many as the tensors are not given.
    """

    def __init__(self, weights: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.weights_of_inputs = tuple(map(float, weights))
        if min(self.weights_of_inputs, default=-1) < 0 or abs(sum(weights) - 1) > 1e-6:
            raise ValueError(
                f"Expected weights of 0 or more that sum to one. Received: weights={weights}"
            )

    def call(self, inputs: Sequence[Any]) -> Any:
        """Average the tensors."""
        if len(inputs) != len(self.weights_of_inputs):
            raise ValueError(
                f"Expected {len(self.weights_of_inputs)} tensors, one a weight. Received: "
                f"{len(inputs)}"
            )
        return sum(w * x for w, x in zip(self.weights_of_inputs, inputs, strict=True))

    def compute_output_shape(self, input_shape: Sequence[Any]) -> tuple[int | None, ...]:
        """The shape of the first of `inputs`."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        return {**super().get_config(), "weights": self.weights_of_inputs}
