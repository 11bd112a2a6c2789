"""The models on Keras's JAX backend, without TensorFlow, against those on TensorFlow."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.models import build_model, logit_model

pytestmark = pytest.mark.slow

GENES, BINS = 6, 8
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
# The variants with a recurrence; convolutions are Keras's own.
OPTIONS = {
    "attentive_chrome": {"bin_units": 4, "mark_units": 3},
    "lstm_alpha": {"bin_units": 4, "mlp_units": 3, "mark_weights": "shared"},
    "lstm_attn": {"bin_units": 4},
    "lstm": {"bin_units": 4},
}
MIXED = "attentive_chrome"

# Reads arguments.npz in its folder and writes answers.npz there.
ON_JAX = """
import sys

sys.modules["tensorflow"] = sys.modules["tensorflow_datasets"] = None  # As if not installed.

import jax
import keras
import numpy as np

from keras_chrome.models import build_model, logit_model

given = np.load("arguments.npz", allow_pickle=True)
signal, label = given["signal"], given["label"]
bins, marks, options = signal.shape[1], given["marks"].tolist(), given["options"].item()
answers = {}
for precision, variant in given["cases"]:
    keras.config.set_dtype_policy(precision)
    model = build_model(variant, marks=marks, num_bins=bins, **options[variant])
    model.set_weights([given[f"{variant} weight {i}"] for i in range(len(model.weights))])
    scorer = logit_model(model)
    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    @jax.jit
    def answer_and_gradients(weights, signal):
        def loss(weights, signal):
            return loss_of(label, scorer.stateless_call(weights, [], signal)[0])

        answer, _ = model.stateless_call(weights, [], signal)
        of_weights, of_signal = jax.grad(loss, argnums=(0, 1))(weights, signal)
        return answer, [*of_weights, of_signal]

    weights = [variable.value for variable in model.trainable_variables]
    answer, gradients = answer_and_gradients(weights, signal)
    answers |= {f"{precision} {variant} {name}": value for name, value in answer.items()}
    for i, gradient in enumerate(gradients):
        answers[f"{precision} {variant} gradient {i}"] = gradient
np.savez("answers.npz", **answers)
assert keras.backend.backend() == "jax"
"""


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    return np.random.default_rng(3).poisson(2, (GENES, BINS, len(MARKS))).astype(np.float32)


@pytest.fixture(scope="module")
def label() -> np.ndarray:
    return np.arange(GENES, dtype=np.float32)[:, None] % 2


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    rng = np.random.default_rng(2)
    models = {}
    for variant, options in OPTIONS.items():
        models[variant] = build_model(variant, marks=MARKS, num_bins=BINS, **options)
        weights = models[variant].get_weights()
        models[variant].set_weights([rng.normal(scale=0.5, size=w.shape) for w in weights])
    return models


@pytest.fixture(scope="module")
def on_jax(
    models: dict[str, keras.Model],
    signal: np.ndarray,
    label: np.ndarray,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, np.ndarray]:
    """Answers and gradients of every model, of the signal last, from a process of its own."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: `pip install 'keras-chrome[jax]'` adds it")
    folder: Path = tmp_path_factory.mktemp("jax")
    weights = {
        f"{variant} weight {i}": weight
        for variant, model in models.items()
        for i, weight in enumerate(model.get_weights())
    }
    np.savez(
        folder / "arguments.npz",
        signal=signal,
        label=label,
        marks=MARKS,
        options=np.array(OPTIONS, object),
        cases=[*(("float32", variant) for variant in OPTIONS), ("mixed_float16", MIXED)],
        **weights,
    )
    subprocess.run(
        [sys.executable, "-c", ON_JAX],
        cwd=folder,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            # Compiling is all that takes time here.
            "XLA_FLAGS": "--xla_backend_optimization_level=0",
        },
        check=True,
    )
    with np.load(folder / "answers.npz") as answers:
        return dict(answers)


@pytest.mark.parametrize("variant", OPTIONS)
def test_answers_as_on_tensorflow(
    models: dict[str, keras.Model],
    signal: np.ndarray,
    on_jax: dict[str, np.ndarray],
    variant: str,
) -> None:
    for name, expected in models[variant](signal).items():
        np.testing.assert_allclose(on_jax[f"float32 {variant} {name}"], expected, atol=1e-5)


@pytest.mark.parametrize("variant", OPTIONS)
def test_gradients_as_on_tensorflow(
    models: dict[str, keras.Model],
    signal: np.ndarray,
    label: np.ndarray,
    on_jax: dict[str, np.ndarray],
    variant: str,
) -> None:
    scorer, inputs = logit_model(models[variant]), tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)(label, scorer(inputs))
    for i, expected in enumerate(tape.gradient(loss, [*scorer.trainable_variables, inputs])):
        expected = np.asarray(expected)
        np.testing.assert_allclose(
            on_jax[f"float32 {variant} gradient {i}"], expected, atol=1e-5 * np.abs(expected).max()
        )


def test_mixed_float16_stays_close(on_jax: dict[str, np.ndarray]) -> None:
    mixed = [name for name in on_jax if name.startswith("mixed_float16")]
    for name in mixed:
        expected = on_jax[name.replace("mixed_float16", "float32")]
        assert on_jax[name].dtype == np.float32
        np.testing.assert_allclose(on_jax[name], expected, atol=0.02 * np.abs(expected).max())
    assert {f"mixed_float16 {MIXED} alpha", f"mixed_float16 {MIXED} gradient 0"} <= set(mixed)
