"""Tiny models and genes that the methods are tried on."""

import keras
import numpy as np
import pytest

from keras_chrome.layers import SignalTransform
from keras_chrome.models import build_model

MARKS = ("H3K27me3", "H3K4me3")


@pytest.fixture(scope="package")
def signal() -> np.ndarray:
    """Nineteen genes, which make no even number of batches or shards."""
    return np.random.default_rng(1).poisson(6, (19, 8, 2)).astype(np.float32)


@pytest.fixture(scope="package")
def model() -> keras.Model:
    """CNN-alpha,beta, which has both attentions and compiles in no time, on log(1 + signal)."""
    return tiny("cnn_alpha_beta", filters=4, filter_bins=3)


@pytest.fixture(scope="package")
def additive_model() -> keras.Model:
    """AdditiveChrome, which has every output that a method reads, on log(1 + signal)."""
    return tiny("additive_chrome", units=8, context_units=6, filter_bins=3, dilations=(1,), heads=2)


@pytest.fixture(scope="package")
def recurrent_model() -> keras.Model:
    """AttentiveChrome on log(1 + signal)."""
    return tiny("attentive_chrome", bin_units=4, mark_units=3)


def tiny(variant: str, **options: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build_model(
        variant,
        marks=MARKS,
        num_bins=8,
        signal_mean=(1.5, 1.8),
        signal_variance=(0.3, 0.2),
        **options,
    )
    # Untrained weights are so small that every gene has the same logit; those of many layers are
    # soon too large.
    scale = 1.2 if variant == "additive_chrome" else 2
    model.set_weights([scale * w for w in model.get_weights()])
    if variant == "additive_chrome":
        # What the states say is nothing before training.
        kernel = model.get_layer("logit").kernel
        kernel.assign(keras.random.normal(kernel.shape, stddev=0.2, seed=0))
    return model


@pytest.fixture(scope="package")
def linear_model() -> keras.Model:
    """Logit = 1 + the sum of signal x `linear_weights`, without a transform."""
    inputs = keras.Input((8, 2), name="signal")
    transformed = SignalTransform(MARKS, "none", name="signal_transform")(inputs)
    logit_layer = keras.layers.Dense(1, name="logit")
    logit = logit_layer(keras.layers.Flatten()(transformed))
    logit_layer.set_weights([linear_weights().reshape(16, 1), np.ones(1)])
    probability = keras.ops.squeeze(keras.ops.sigmoid(logit), axis=-1)
    return keras.Model(inputs, {"probability": probability})


def linear_weights() -> np.ndarray:
    return np.linspace(-0.7, 0.8, 16, dtype=np.float32).reshape(8, 2)


@pytest.fixture(name="linear_weights", scope="package")
def _linear_weights() -> np.ndarray:
    """Weights of `linear_model`, (bins, marks)."""
    return linear_weights()
