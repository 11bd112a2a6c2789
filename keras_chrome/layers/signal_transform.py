"""From signal as measured to what the networks see."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_chrome.vocabulary import TRANSFORMS


@keras.saving.register_keras_serializable(package="keras_chrome")
class SignalTransform(keras.layers.Layer):
    """Scales the signal of each mark inside the model.

    What is served is then what was trained: nobody has to repeat the preprocessing. The layer
    also names the marks, so that a saved model knows the order of its last axis. It always
    computes in float32.

    Args:
        marks: Names of the marks, in the order of the last axis.
        transform: `"log1p"` takes log(1 + signal) and standardises it with `mean` and `variance`;
            `"none"` passes the signal on as it is, as the paper does.
        mean: Mean of log(1 + signal) over the training genes and bins, one a mark.
        variance: Its variance, likewise.

    Call arguments:
        inputs: Float tensor of shape `(batch, bins, marks)`, non-negative for `"log1p"`.

    Returns:
        Float32 tensor of the same shape.

    Raises:
        ValueError: If `transform` is unknown, or the numbers of marks disagree.
    """

    def __init__(
        self,
        marks: Sequence[str],
        transform: str = "log1p",
        mean: Sequence[float] | None = None,
        variance: Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if transform not in TRANSFORMS:
            raise ValueError(f"Expected one of {TRANSFORMS}. Received: transform={transform!r}")
        self.marks = tuple(marks)
        self.transform = transform
        self.mean = tuple(map(float, mean if mean is not None else [0.0] * len(self.marks)))
        self.variance = tuple(
            map(float, variance if variance is not None else [1.0] * len(self.marks))
        )
        if not len(self.marks) == len(self.mean) == len(self.variance):
            raise ValueError(
                "Expected one mean and one variance a mark. Received: "
                f"{len(self.marks)} marks, {len(self.mean)} means, {len(self.variance)} variances"
            )

    def build(self, input_shape: Any) -> None:
        """Check the number of marks."""
        if input_shape[-1] != len(self.marks):
            raise ValueError(
                f"Expected {len(self.marks)} marks on the last axis ({', '.join(self.marks)}). "
                f"Received: input_shape={tuple(input_shape)}"
            )

    def call(self, inputs: Any) -> Any:
        """Transform the signal."""
        if self.transform == "none":
            return inputs
        mean = ops.array(self.mean, "float32")
        deviation = ops.sqrt(ops.array(self.variance, "float32"))
        # A mark without any signal has no variance, and says nothing.
        return (ops.log1p(inputs) - mean) / ops.maximum(deviation, keras.config.epsilon())

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of `inputs`."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        return {
            **super().get_config(),
            "marks": self.marks,
            "transform": self.transform,
            "mean": self.mean,
            "variance": self.variance,
        }
