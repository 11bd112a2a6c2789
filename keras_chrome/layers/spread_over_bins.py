"""From positions of several bins back to bins."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_chrome")
class SpreadOverBins(keras.layers.Layer):
    """Shares out what each position holds in equal parts among its bins, so that sums stay.

    Args:
        num_bins: Number of bins.
        bins_a_position: Bins of each position; the last has what is left of them.

    Call arguments:
        inputs: Float tensor of shape `(batch, marks, positions)`.

    Returns:
        float32 tensor of shape `(batch, marks, bins)`.
    """

    def __init__(self, num_bins: int, bins_a_position: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_bins = num_bins
        self.bins_a_position = bins_a_position

    def call(self, inputs: Any) -> Any:
        """Share out."""
        positions = inputs.shape[-1]
        last = self.num_bins - (positions - 1) * self.bins_a_position
        bins = ops.convert_to_tensor([self.bins_a_position] * (positions - 1) + [last], "float32")
        shares = ops.repeat(inputs / bins, self.bins_a_position, axis=-1)
        return shares[..., : self.num_bins]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape `(batch, marks, bins)`."""
        return (*tuple(input_shape)[:2], self.num_bins)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "bins_a_position": self.bins_a_position,
        }
