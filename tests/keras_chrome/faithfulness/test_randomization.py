"""Random weights from the output back."""

import keras
import numpy as np

from keras_chrome.faithfulness.randomization import cascading_randomization
from keras_chrome.models import build_model


def test_layers_become_random_one_after_the_other_from_the_output_on() -> None:
    trained, untrained, scratch = (_model(seed) for seed in (0, 1, 2))
    names = []
    expected = {layer.name: layer.get_weights() for layer in trained.layers}
    for name, weights in cascading_randomization(trained, untrained):
        names.append(name)
        expected[name] = untrained.get_layer(name).get_weights()
        scratch.set_weights(weights)
        for layer in scratch.layers:
            for got, wanted in zip(layer.get_weights(), expected[layer.name], strict=True):
                np.testing.assert_array_equal(got, wanted)
    assert names == ["logit", "mark_attention", "mark_lstm", "bin_encoder"]


def _model(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    size = {"num_bins": 4, "bin_units": 3, "mark_units": 2}
    return build_model("attentive_chrome", marks=("a", "b"), transform="none", **size)
