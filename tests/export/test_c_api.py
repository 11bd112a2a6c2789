"""TensorFlow's C library runs the exported models, as the server that is built on it does."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.models import logit_model
from keras_chrome.runs import Run

SCRIPT = Path(__file__).with_name("c_api_session.py")


def test_the_library_runs_a_model_and_an_ensemble_as_keras_does(
    run: Run,
    exported: Path,
    members: list[Run],
    ensemble: Path,
    signal: np.ndarray,
    tmp_path: Path,
) -> None:
    check_library([([run], exported), (members, ensemble)], signal, tmp_path)


@pytest.mark.slow
def test_the_library_runs_every_variant_as_keras_does(
    variants: dict[str, tuple[Run, Path]], signal: np.ndarray, tmp_path: Path
) -> None:
    exports = [([run], model_dir) for run, model_dir in variants.values()]
    check_library(exports, signal, tmp_path)


def check_library(
    exports: Sequence[tuple[Sequence[Run], Path]], signal: np.ndarray, folder: Path
) -> None:
    """Compare what the library answers with the mean and spread of the runs' Keras models."""
    np.save(folder / "signal.npy", signal)
    model_dirs = [model_dir for _, model_dir in exports]
    files = [folder / "signal.npy", folder / "answers.npz"]
    script = subprocess.run(
        [sys.executable, SCRIPT, *files, *model_dirs], capture_output=True, text=True
    )
    assert script.returncode == 0, script.stderr
    answers = np.load(folder / "answers.npz")
    expected = {
        f"{position}.{name}": value
        for position, (runs, _) in enumerate(exports)
        for name, value in expected_of([run.load_model() for run in runs], signal).items()
    }
    assert set(answers) == set(expected)
    for name, value in expected.items():
        assert answers[name].shape == value.shape, name
        np.testing.assert_allclose(answers[name], value, atol=1e-5, err_msg=name)
    for operations in json.loads(script.stdout):
        assert operations.pop("operations") > 20
        assert operations == {"unregistered": [], "without a kernel": []}


def expected_of(models: Sequence[keras.Model], signal: np.ndarray) -> dict[str, np.ndarray]:
    outputs = [model(signal, training=False) for model in models]
    expected = {}
    for key in outputs[0]:
        values = np.stack([output[key] for output in outputs])
        expected[f"serving_default.{key}"] = values.mean(axis=0)
        if len(models) > 1:
            expected[f"serving_default.{key}_sd"] = values.std(axis=0)
    logits = [logit_model(model)(signal, training=False).numpy()[:, 0] for model in models]
    expected["serving_default.probability"] = 1 / (1 + np.exp(-np.mean(logits, axis=0)))
    gradients = [gradient(model, signal) for model in models]
    return {
        **expected,
        "predict.probability": expected["serving_default.probability"],
        "saliency.probability": expected["serving_default.probability"],
        "saliency.gradient": np.mean(gradients, axis=0),
    }


def gradient(model: keras.Model, signal: np.ndarray) -> np.ndarray:
    watched = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        logit = logit_model(model)(watched, training=False)
    return tape.gradient(logit, watched).numpy()
