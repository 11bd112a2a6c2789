"""A logit that is a sum over bins, and what each of them adds to it."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_chrome")
class AdditiveLogit(keras.layers.Layer):
    """Sums what each bin of each mark contributes: its evidence times a slope.

    The slope is one number a mark, and what the state there says beside it. It always computes in
    float32.

    Args:
        bins_a_position: Bins that share a state.
        slopes: What each mark's slope starts from; 1 if None.

    Call arguments:
        embedding: Float tensor `(batch, units)`: the sum of the states, each times its evidence.
        evidence: Float tensor `(batch, marks, bins)`.
        states: Float tensor `(batch, positions, marks, units)`.

    Returns:
        A list: the logit `(batch, 1)`, and the contributions `(batch, marks, bins)`, which with the
        bias sum to it.
    """

    def __init__(
        self, bins_a_position: int, slopes: Sequence[float] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.bins_a_position = bins_a_position
        self.slopes = None if slopes is None else tuple(map(float, slopes))

    def build(self, embedding_shape: Any, evidence_shape: Any, states_shape: Any) -> None:
        """Create the slopes `(marks, 1)`, the kernel `(units, 1)` and the bias `(1,)`."""
        num_marks = evidence_shape[1]
        if self.slopes is not None and len(self.slopes) != num_marks:
            raise ValueError(
                f"Expected a slope of each of {num_marks} marks. Received: slopes={self.slopes}"
            )
        self.mark_slopes = self.add_weight(
            name="mark_slopes", shape=(num_marks, 1), initializer=self._start
        )
        self.kernel = self.add_weight(
            name="kernel", shape=(embedding_shape[-1], 1), initializer="zeros"
        )
        self.bias = self.add_weight(name="bias", shape=(1,), initializer="zeros")

    def _start(self, shape: Any, dtype: Any = None) -> Any:
        if self.slopes is None:
            return ops.ones(shape, dtype)
        return ops.reshape(ops.convert_to_tensor(self.slopes, dtype), shape)

    def call(self, embedding: Any, evidence: Any, states: Any) -> list[Any]:
        """Answer."""
        of_states = ops.transpose(ops.matmul(states, self.kernel)[..., 0], (0, 2, 1))
        of_bins = ops.repeat(of_states, self.bins_a_position, axis=-1)
        contribution = evidence * (self.mark_slopes + of_bins[..., : evidence.shape[-1]])
        # The same sum by way of the embedding, which training drops out of and a second loss reads.
        of_marks = ops.matmul(ops.sum(evidence, axis=-1), self.mark_slopes)
        return [ops.matmul(embedding, self.kernel) + of_marks + self.bias, contribution]

    def compute_output_shape(
        self, embedding_shape: Any, evidence_shape: Any, states_shape: Any
    ) -> list[tuple[int | None, ...]]:
        """Shapes of the logit and of the contributions."""
        return [(embedding_shape[0], 1), tuple(evidence_shape)]

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "bins_a_position": self.bins_a_position,
            "slopes": self.slopes,
        }
