"""What every importance method must do."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from scipy.special import logit

from keras_chrome.baselines import Baseline, build_baseline
from keras_chrome.errors import InputError
from keras_chrome.importance import (
    METHODS,
    compute_importance,
    importance_method,
    method_of_label,
    methods_of,
    units_of,
    with_respect_to,
)
from keras_chrome.importance.class_optimization import Recipe
from keras_chrome.importance.duration import estimated_s
from keras_chrome.models import build_model
from keras_chrome.vocabulary import WRT

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
def model(additive_model: keras.Model) -> keras.Model:
    """A model that every method takes."""
    return additive_model


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


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_importance_is_nan(method: str, signal: np.ndarray) -> None:
    model = build_model("additive_chrome", marks=MARKS, num_bins=8, units=4, dilations=())
    # Of attention, gradients and logits alike.
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    with pytest.raises(InputError, match=r"finite numbers from the model. Received: \w+=nan for"):
        given = options(method, signal)
        compute_importance(method, model, signal, background=signal[:4], **given)


@pytest.mark.parametrize("method", WITHOUT_GRADIENT)
def test_no_importance_of_a_baseline_is_nan(method: str, signal: np.ndarray) -> None:
    def model(version: np.ndarray) -> dict[str, np.ndarray]:
        return {"probability": np.where(np.arange(len(version)) == 2, np.nan, 0.5)}

    with pytest.raises(InputError, match=r"probability=nan for 1 of 19 genes, the first at .* 2,"):
        compute_importance(method, model, signal, background=signal[:4])


@pytest.mark.parametrize("value", [np.nan, -1])
def test_a_baseline_refuses_signal_that_is_none(
    baseline: Baseline, signal: np.ndarray, value: float
) -> None:
    broken = signal.copy()
    broken[3, 4, 1] = value
    with pytest.raises(InputError, match=f"{value:g} for gene 3, bin 5, mark H3K4me3; give read"):
        baseline(broken)


def test_cheap_methods_take_a_few_passes(model: keras.Model) -> None:
    cheap = methods_of(model, is_cheap=True)
    assert cheap == [
        *("alpha", "alpha_beta", "contribution"),
        *("saliency", "gradient_x_input", "mark_occlusion"),
    ]
    for name in set(METHODS) - {"class_optimization"}:
        assert (METHODS[name].passes(100, 5) < 10) == (name in cheap), name
    # Occlusion takes one pass a bin and mark, and one of what is not occluded.
    assert METHODS["occlusion"].passes(100, 5) == 501


def test_the_estimate_follows_the_passes(model: keras.Model, signal: np.ndarray) -> None:
    names = [name for name in METHODS if name != "saliency"]
    few, many = (estimated_s(names, model, np.repeat(signal, n, axis=0)) for n in (1, 270))
    assert list(few) == names
    assert all(seconds >= 0 for seconds in (*few.values(), *many.values()))
    # Eleven batches, each as long as the first; what is optimized once for all genes is not.
    each = many["alpha"]
    assert many["expected_gradients"] > 250 * each
    assert many["occlusion"] > 16 * each


def test_a_gradient_is_labelled_by_what_it_is_with_respect_to() -> None:
    names = ["saliency", "alpha", "smooth_grad"]
    labelled = {
        "saliency": ("saliency", {"wrt": "signal"}),
        "saliency_transformed": ("saliency", {"wrt": "transformed"}),
        "alpha": ("alpha", {}),
        "smooth_grad": ("smooth_grad", {"wrt": "signal"}),
        "smooth_grad_transformed": ("smooth_grad", {"wrt": "transformed"}),
    }
    assert with_respect_to(names, ["signal", "transformed"]) == labelled
    assert list(with_respect_to(names, "transformed")) == [*labelled][1:3] + [*labelled][4:]
    for label, (name, _) in labelled.items():
        assert method_of_label(label) == METHODS[name]
        assert label.isidentifier()
    with pytest.raises(InputError, match="method='alpha_transformed'"):
        method_of_label("alpha_transformed")
    with pytest.raises(InputError, match="method='grad_cam'"):
        with_respect_to(["grad_cam"], "signal")
    with pytest.raises(InputError, match=r"one or more of .* wrt=\(\)"):
        with_respect_to(names, [])
    with pytest.raises(InputError, match="wrt='log'"):
        with_respect_to(names, ["signal", "log"])


def test_only_a_gradient_is_with_respect_to_something(
    model: keras.Model, linear_model: keras.Model, signal: np.ndarray
) -> None:
    def changed(name: str) -> np.ndarray:
        given = options(name, signal)
        of_signal, of_transformed = (
            compute_importance(name, model, signal, background=signal[:4], wrt=wrt, **given)
            for wrt in WRT
        )
        return np.abs(of_transformed - of_signal).max()

    assert changed("saliency") > 0.01
    assert changed("smooth_grad") > 0.01
    assert changed("gradient_x_input") == 0
    assert [units_of("saliency", model, wrt=wrt) for wrt in WRT] == [
        "logit per unit of signal",
        "logit per unit of log(1 + signal)",
    ]
    assert units_of("smooth_grad", linear_model, wrt="transformed") == "logit per unit of signal"
    assert units_of("occlusion", model, wrt="transformed") == "logit"
    with pytest.raises(InputError, match="wrt='log'"):
        compute_importance("alpha", model, signal, background=signal[:4], wrt="log")


def test_the_estimate_counts_a_gradient_each_time(model: keras.Model, signal: np.ndarray) -> None:
    labels = with_respect_to(["saliency", "alpha"], WRT)
    assert list(estimated_s(labels, model, signal)) == ["saliency", "saliency_transformed", "alpha"]


def test_no_gene_is_refused(model: keras.Model, signal: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"one gene or more. Received: shape=\(0, 8, 2\)"):
        importance_method("gradient_x_input")(model, signal[:0])


def test_an_unknown_method_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"alpha.*saliency.*method='grad_cam'"):
        importance_method("grad_cam")


def test_listing_the_methods_imports_no_tensorflow() -> None:
    code = "import sys, keras_chrome.importance; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
