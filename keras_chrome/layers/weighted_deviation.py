"""How far the members of an ensemble lie apart."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_chrome.layers.weighted_mean import WeightedMean


@keras.saving.register_keras_serializable(package="keras_chrome")
class WeightedDeviation(WeightedMean):
    """The standard deviation of tensors from their `WeightedMean`, with the same weights.

    It is that of the population: with equal weights, the root of the mean squared deviation.
    Arguments and shapes are those of `WeightedMean`.
    """

    def call(self, inputs: Sequence[Any]) -> Any:
        """Measure how far the tensors lie apart."""
        mean = super().call(inputs)
        return ops.sqrt(super().call([(x - mean) ** 2 for x in inputs]))
