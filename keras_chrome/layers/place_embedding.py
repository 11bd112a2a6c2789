"""What a place in a gene region is, learned: a vector a mark and one a position."""

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="keras_chrome")
class PlaceEmbedding(keras.layers.Layer):
    """Adds to each hidden state the vectors of its position and of its mark.

    What follows can share its weights among positions and marks and tell them apart all the same.

    Call arguments:
        inputs: Float tensor of shape `(batch, positions, marks, units)`.

    Returns:
        Float tensor of the same shape.
    """

    def build(self, input_shape: Any) -> None:
        """Create the vectors, `(positions, 1, units)` and `(marks, units)`."""
        _, positions, marks, units = tuple(input_shape)
        # An initializer of its own for each: the same one would draw the same numbers twice.
        self.of_position = self.add_weight(
            name="of_position",
            shape=(positions, 1, units),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )
        self.of_mark = self.add_weight(
            name="of_mark",
            shape=(marks, units),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, inputs: Any) -> Any:
        """Add the vectors."""
        return inputs + self.of_position + self.of_mark

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return tuple(input_shape)
