"""Attention taken away or mixed up."""

import numpy as np
import pytest

from keras_chrome.faithfulness.altered_attention import alter, alterable_copy
from keras_chrome.models import build_model

MARKS = ("H3K27me3", "H3K4me3", "H3K9me3")


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    return np.random.default_rng(0).poisson(4, (5, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    model = build_model(
        "attentive_chrome",
        marks=MARKS,
        num_bins=8,
        signal_mean=(1.0, 1.2, 1.1),
        signal_variance=(0.3, 0.2, 0.3),
        bin_units=4,
        mark_units=3,
    )
    rng = np.random.default_rng(1)
    model.set_weights([w + 0.7 * rng.normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def copy(model):
    return alterable_copy(model)


def test_uniform_attention_is_uniform_and_the_rest_stays(model, copy, signal: np.ndarray) -> None:
    before = [w.copy() for w in model.get_weights()]
    whole = {name: values.numpy() for name, values in model(signal).items()}
    alter(copy, ["alpha"])
    altered = copy(signal)
    np.testing.assert_allclose(altered["alpha"], 1 / 8, rtol=1e-6)
    assert np.abs(altered["beta"] - 1 / 3).max() > 0.01
    assert np.abs(altered["probability"] - whole["probability"]).max() > 1e-3
    alter(copy, ["alpha", "beta"])
    np.testing.assert_allclose(copy(signal)["beta"], 1 / 3, rtol=1e-6)
    for weight, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, now)


def test_what_is_uniform_already_changes_nothing(model, signal: np.ndarray) -> None:
    flat = alterable_copy(model)
    context = flat.get_layer("bin_encoder").attention.context_vector
    context.assign(np.zeros(context.shape))
    expected = flat(signal)["probability"]
    alter(flat, ["alpha"])
    np.testing.assert_allclose(flat(signal)["probability"], expected, atol=1e-6)


def test_permuted_attention_holds_the_same_weights_in_other_places(
    model, copy, signal: np.ndarray
) -> None:
    whole = model(signal)
    alter(copy, ["alpha"], seed=0)
    first = copy(signal)
    assert np.abs(first["alpha"] - whole["alpha"]).max() > 0.01
    np.testing.assert_allclose(np.sort(first["alpha"]), np.sort(whole["alpha"]), atol=1e-6)
    # One way for all genes and marks.
    order = np.asarray(copy.get_layer("bin_encoder").attention.order)
    np.testing.assert_allclose(first["alpha"], whole["alpha"].numpy()[..., order], atol=1e-6)
    alter(copy, ["alpha"], seed=1)
    assert np.abs(copy(signal)["alpha"] - first["alpha"]).max() > 0.01


def test_no_altered_attention_is_the_model(model, copy, signal: np.ndarray) -> None:
    for seed in (None, 0):
        alter(copy, ["beta"], seed=seed)
        assert np.abs(copy(signal)["probability"] - model(signal)["probability"]).max() > 1e-4
        alter(copy, [], seed=seed)
        # The copy attends in operations of its own, which round in their own order.
        np.testing.assert_allclose(
            copy(signal)["probability"], model(signal)["probability"], rtol=1e-6
        )
