"""Random weights in place of trained ones, from the output back to the input."""

from collections.abc import Iterator

import keras
import numpy as np


def cascading_randomization(
    model: keras.Model, untrained: keras.Model
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The weights of a model with more and more layers untrained.

    Args:
        model: The trained model.
        untrained: The same variant with random weights.

    Yields:
        Name of the layer that is untrained now, beside those before it, and the weights of the
        whole model.

    Reference: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, section 4.
    """
    # Variables of a layer by its name: the same in both.
    values = [np.asarray(weight) for weight in model.weights]
    position = {id(weight): index for index, weight in enumerate(model.weights)}
    for layer in reversed(model.layers):
        if not layer.trainable_weights:
            continue
        random_layer = untrained.get_layer(layer.name)
        for trained, random in zip(
            layer.trainable_weights, random_layer.trainable_weights, strict=True
        ):
            values[position[id(trained)]] = np.asarray(random)
        yield layer.name, list(values)
