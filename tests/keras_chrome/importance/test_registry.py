"""What every importance method must do."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.special import logit

from keras_chrome.baselines import Baseline, build_baseline
from keras_chrome.errors import InputError
from keras_chrome.importance import METHODS, importance_method
from keras_chrome.importance.class_optimization import Recipe
from keras_chrome.models import build_model

MARKS = ("H3K27me3", "H3K4me3")
BATCHED = sorted(set(METHODS) - {"class_optimization"})
WITHOUT_GRADIENT = ("occlusion", "mark_occlusion")


def options(method: str, signal: np.ndarray) -> dict[str, object]:
    """Options that a method needs, or that make it quick."""
    return {
        "smooth_grad": {"samples": 3},
        "class_optimization": {"recipe": Recipe(steps=2)},
        "integrated_gradients": {"steps": 3},
        "expected_gradients": {"baselines": signal[:4], "draws": 3},
        "occlusion": {"window_bins": 4},
    }.get(method, {})


@pytest.fixture(scope="module")
def baseline(signal: np.ndarray) -> Baseline:
    label = (signal[:, 4:].sum(axis=(1, 2)) > 48).astype(np.int8)
    return build_baseline("logistic_regression", marks=MARKS, num_bins=8).fit(signal, label)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_shape_and_dtype(method: str, model: keras.Model, signal: np.ndarray) -> None:
    before = signal.copy()
    importance = importance_method(method)(model, signal, **options(method, signal))
    assert importance.shape == signal.shape
    assert importance.dtype == np.float32
    assert np.isfinite(importance).all()
    np.testing.assert_array_equal(signal, before)


@pytest.mark.parametrize("method", BATCHED)
def test_does_not_depend_on_the_batch_size(
    method: str, model: keras.Model, signal: np.ndarray
) -> None:
    # Two batches of two shards each, the second batch filled up.
    whole, batched = (
        importance_method(method)(model, signal, batch_size=size, **options(method, signal))
        for size in (512, 16)
    )
    np.testing.assert_allclose(batched, whole, atol=1e-6)


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(WITHOUT_GRADIENT)))
def test_a_baseline_is_refused_in_one_line(
    method: str, baseline: Baseline, signal: np.ndarray
) -> None:
    with pytest.raises(InputError, match=r"^Expected a .* Received: model='?Baseline.*$") as error:
        importance_method(method)(baseline, signal, **options(method, signal))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("method", WITHOUT_GRADIENT)
def test_a_baseline_can_be_occluded(method: str, baseline: Baseline, signal: np.ndarray) -> None:
    importance = importance_method(method)(baseline, signal)
    emptied = signal.copy()
    if method == "occlusion":
        emptied[:, 5, 1] = 0
    else:
        emptied[:, :, 1] = 0
    before, after = (
        logit(np.clip(baseline(s)["probability"].astype(float), 0.001, 0.999))
        for s in (signal, emptied)
    )
    assert np.abs(before - after).max() > 0.01
    np.testing.assert_allclose(importance[:, 5, 1], before - after, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "variant", "lacking"),
    [("alpha", "lstm", "alpha"), ("alpha_beta", "lstm_alpha", "beta")],
)
def test_a_variant_without_the_attention_is_named(
    method: str, variant: str, lacking: str, signal: np.ndarray
) -> None:
    model = build_model(variant, marks=MARKS, num_bins=8, bin_units=4)
    with pytest.raises(InputError, match=f"attention {lacking}. Received: model='{variant}'"):
        importance_method(method)(model, signal)


def test_no_gene_is_refused(model: keras.Model, signal: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"one gene or more. Received: shape=\(0, 8, 2\)"):
        importance_method("gradient_x_input")(model, signal[:0])


def test_an_unknown_method_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"alpha.*saliency.*method='grad_cam'"):
        importance_method("grad_cam")


def test_listing_the_methods_imports_no_tensorflow() -> None:
    code = "import sys, keras_chrome.importance; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
