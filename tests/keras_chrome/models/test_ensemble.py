"""Networks side by side."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.faithfulness.altered_attention import alter, alterable_copy
from keras_chrome.importance.network import takes_log
from keras_chrome.importance.registry import importance_method, methods_of
from keras_chrome.models import build_model, logit_model
from keras_chrome.models.ensemble import ensemble_model
from keras_chrome.models.prediction import predict

MARKS = ("H3K27me3", "H3K4me3", "H3K9me3")
OPTIONS = {
    "attentive_chrome": {"bin_units": 3, "mark_units": 2},
    "lstm": {"bin_units": 3},
    "cnn_attn": {"filters": 3, "filter_bins": 3, "dense_units": (4,)},
    "cnn_alpha_beta": {"filters": 3, "filter_bins": 3, "mark_filters": 4},
}
# Twice the same layers under the same names; one has no attention, one no beta.
VARIANTS = ("attentive_chrome", "cnn_alpha_beta", "attentive_chrome", "lstm", "cnn_attn")
WEIGHTS = (0.3, 0.1, 0.2, 0.25, 0.15)


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    return np.random.default_rng(0).poisson(4, (7, 8, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[keras.Model]:
    """As they come from their files, where operations of all have the same names."""
    loaded = []
    for seed, variant in enumerate(VARIANTS):
        keras.utils.set_random_seed(seed)
        model = build_model(variant, marks=MARKS, num_bins=8, **OPTIONS[variant])
        model.set_weights([3 * weight for weight in model.get_weights()])
        path = tmp_path_factory.mktemp("members") / "model.keras"
        model.save(path)
        loaded.append(keras.saving.load_model(path, compile=False))
    return loaded


@pytest.fixture(scope="module")
def model(members: list[keras.Model]) -> keras.Model:
    return ensemble_model(members, WEIGHTS)


def weighted(values: list[np.ndarray], weights: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation."""
    shares = np.array(weights) / sum(weights)
    mean = np.tensordot(shares, np.stack(values).astype(np.float64), 1)
    squares = [(value - mean) ** 2 for value in values]
    return mean, np.sqrt(np.tensordot(shares, np.stack(squares), 1))


def test_answers_the_means_of_its_members(
    model: keras.Model, members: list[keras.Model], signal: np.ndarray
) -> None:
    outputs = [{k: v.numpy() for k, v in member(signal).items()} for member in members]
    logits = [logit_model(member)(signal).numpy()[:, 0] for member in members]
    mean_logit, _ = weighted(logits, list(WEIGHTS))
    answer = {name: values.numpy() for name, values in model(signal).items()}
    np.testing.assert_allclose(answer["probability"], 1 / (1 + np.exp(-mean_logit)), atol=1e-6)
    np.testing.assert_allclose(logit_model(model)(signal)[:, 0], mean_logit, atol=1e-5)
    for name, having in {
        "probability": (0, 1, 2, 3, 4),
        "alpha": (0, 1, 2, 4),
        "beta": (0, 1, 2),
    }.items():
        values = [outputs[i][name] for i in having]
        mean, deviation = weighted(values, [WEIGHTS[i] for i in having])
        np.testing.assert_allclose(answer[f"{name}_sd"], deviation, atol=1e-6, err_msg=name)
        if name != "probability":
            np.testing.assert_allclose(answer[name], mean, atol=1e-6, err_msg=name)
    assert answer["probability_sd"].min() > 1e-3  # the members do differ
    assert set(answer) == {*(n + s for n in ("probability", "alpha", "beta") for s in ("", "_sd"))}


def test_equal_weights_are_meant_where_none_are_given(
    members: list[keras.Model], signal: np.ndarray
) -> None:
    logits = [logit_model(member)(signal).numpy() for member in members[:2]]
    ensemble = logit_model(ensemble_model(members[:2]))
    np.testing.assert_allclose(ensemble(signal), sum(logits) / 2, atol=1e-6)


def test_a_single_member_has_nothing_to_differ_from(
    members: list[keras.Model], signal: np.ndarray
) -> None:
    alone = ensemble_model(members[:1])(signal)
    assert set(alone) == {"probability", "alpha", "beta"}
    np.testing.assert_allclose(alone["alpha"], members[0](signal)["alpha"], atol=1e-7)


def test_a_saved_ensemble_answers_the_same(
    model: keras.Model, signal: np.ndarray, tmp_path: Path
) -> None:
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for name, values in model(signal).items():
        np.testing.assert_array_equal(loaded(signal)[name], values, err_msg=name)
    assert len({layer.name for layer in loaded.layers}) == len(loaded.layers)


def test_predict_gives_the_spread(model: keras.Model, signal: np.ndarray) -> None:
    prediction = predict(model, signal)
    for name, values in model(signal).items():
        np.testing.assert_allclose(getattr(prediction, name), values, atol=1e-5, err_msg=name)


def test_its_gradient_is_the_mean_of_theirs(
    model: keras.Model, members: list[keras.Model], signal: np.ndarray
) -> None:
    gradients = []
    for member in members:
        watched = tf.constant(signal)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            logit = logit_model(member)(watched)
        gradients.append(tape.gradient(logit, watched).numpy())
    expected, _ = weighted(gradients, list(WEIGHTS))
    found = importance_method("saliency")(model, signal, signed=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert {"alpha", "alpha_beta", "integrated_gradients"} <= set(methods_of(model))


def test_an_ensemble_takes_the_logarithm_if_a_member_does(members: list[keras.Model]) -> None:
    plain = build_model("lstm", marks=MARKS, num_bins=8, transform="none", bin_units=2)
    assert takes_log(ensemble_model([plain, members[0]]))
    assert not takes_log(ensemble_model([plain, plain]))


def test_the_attention_of_every_member_can_be_made_uniform(
    model: keras.Model, signal: np.ndarray
) -> None:
    copy = alterable_copy(model)
    np.testing.assert_allclose(copy(signal)["alpha"], model(signal)["alpha"], atol=1e-6)
    alter(copy, ["alpha", "beta"])
    altered = copy(signal)
    np.testing.assert_allclose(altered["alpha"], 1 / 8, atol=1e-6)
    np.testing.assert_allclose(altered["beta"], 1 / 3, atol=1e-6)
    assert np.abs(altered["probability"] - model(signal)["probability"]).max() > 1e-3


def test_additive_members_make_an_additive_ensemble(
    members: list[keras.Model], signal: np.ndarray
) -> None:
    additive = [
        build_model("additive_chrome", marks=MARKS, num_bins=8, units=4, dilations=(1,), heads=2)
        for _ in range(2)
    ]
    model = ensemble_model(additive, (0.25, 0.75))
    contribution, logit = np.asarray(model(signal)["contribution"]), logit_model(model)
    assert contribution.shape == (7, 3, 8)
    np.testing.assert_allclose(
        contribution.sum(axis=(1, 2)),
        logit(signal)[:, 0] - logit(np.zeros_like(signal[:1]))[:, 0],
        atol=1e-5,
    )
    assert "contribution" not in ensemble_model([additive[0], members[0]]).output
