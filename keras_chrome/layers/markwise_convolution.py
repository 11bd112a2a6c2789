"""A convolution over the bins of each mark, every mark with filters of its own."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_chrome")
class MarkwiseConvolution(keras.layers.Layer):
    """Encodes the bins around each position, a mark at a time.

    It is a `DepthwiseConv1D` with its filters sorted by mark, as one product of matrices: XLA
    compiles the gradient of a depthwise convolution for the CPU to code that takes fifteen times as
    long.

    Args:
        filters: Number of filters of each mark.
        filter_bins: Width of a filter in bins.
        stride: Bins from one position to the next.

    Call arguments:
        inputs: Float tensor of shape `(batch, bins, marks)`, padded with zeros.

    Returns:
        Float tensor of shape `(batch, positions, marks, filters)`, of ceil(bins / stride)
        positions. No activation is applied.
    """

    def __init__(self, filters: int, filter_bins: int, stride: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.filter_bins = filter_bins
        self.stride = stride

    def build(self, input_shape: Any) -> None:
        """Create the kernel `(marks, filter_bins, filters)` and the bias `(marks, filters)`."""
        marks = input_shape[-1]
        # Glorot's bounds for one mark: the kernel's first axis is no input of another's filters.
        limit = (6 / (self.filter_bins + self.filters)) ** 0.5
        self.kernel = self.add_weight(
            name="kernel",
            shape=(marks, self.filter_bins, self.filters),
            initializer=keras.initializers.RandomUniform(-limit, limit),
        )
        self.bias = self.add_weight(name="bias", shape=(marks, self.filters), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Convolve."""
        positions = self._num_positions(inputs.shape[1])
        # As Keras pads with "same".
        padding = max((positions - 1) * self.stride + self.filter_bins - inputs.shape[1], 0)
        padded = ops.pad(inputs, ((0, 0), (padding // 2, padding - padding // 2), (0, 0)))
        end = (positions - 1) * self.stride + 1
        windows = ops.stack(
            [padded[:, i : i + end : self.stride] for i in range(self.filter_bins)], axis=-1
        )
        return ops.einsum("bpmk,mkf->bpmf", windows, self.kernel) + self.bias

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape `(batch, positions, marks, filters)`."""
        batch, bins, marks = tuple(input_shape)
        return batch, self._num_positions(bins), marks, self.filters

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        names = ("filters", "filter_bins", "stride")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _num_positions(self, bins: int) -> int:
        return -(-bins // self.stride)
