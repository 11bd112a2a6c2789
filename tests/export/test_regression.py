"""Exports of models that tell expression."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from export import export_runs
from export.fresh_process import FreshProcess
from keras_chrome import InputError
from keras_chrome.models import logit_model
from keras_chrome.runs import Run


@pytest.fixture(scope="module")
def runs(make_run: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("runs")
    return [
        make_run(folder / f"{variant}-{seed}", variant, seed=seed, task="regression")
        for variant, seed in (("additive_chrome", 0), ("cnn_alpha_beta", 1), ("cnn_alpha_beta", 2))
    ]


def answers_of(model_dir: Path, signal: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    signatures = tf.saved_model.load(str(model_dir)).signatures
    return {
        name: {k: v.numpy() for k, v in signatures[name](signal=tf.constant(signal)).items()}
        for name in ("serving_default", "predict", "saliency")
    }


def test_every_signature_answers_expression(
    runs: list[Run], process: FreshProcess, signal: np.ndarray, tmp_path: Path
) -> None:
    model_dir = export_runs([runs[0].path], tmp_path, "tpm", fresh_process=process)
    answers = answers_of(model_dir, signal)
    model = runs[0].load_model()
    expected = np.asarray(logit_model(model)(signal))[:, 0]
    assert set(answers["serving_default"]) == {"expression", "alpha", "beta", "contribution"}
    assert set(answers["predict"]) == {"expression"}
    assert set(answers["saliency"]) == {"expression", "gradient"}
    for of_signature in answers.values():
        np.testing.assert_allclose(of_signature["expression"], expected, rtol=1e-4, atol=1e-5)
    # No sigmoid: the answer lies outside of what a probability can be.
    assert abs(expected).max() > 1
    total = answers["serving_default"]["contribution"].sum(axis=(1, 2))
    np.testing.assert_allclose(total, expected, rtol=1e-4, atol=1e-4)
    watched = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        answer = model(watched)["expression"]
    gradient = tape.gradient(answer, watched).numpy()
    np.testing.assert_allclose(answers["saliency"]["gradient"], gradient, rtol=1e-3, atol=1e-5)


def test_the_sidecar_says_the_scale_and_of_no_probability(
    runs: list[Run], process: FreshProcess, tmp_path: Path
) -> None:
    model_dir = export_runs([runs[1].path], tmp_path, "tpm", fresh_process=process)
    sidecar = json.loads((model_dir / "assets" / "keras_chrome.json").read_text())
    assert (sidecar["task"], sidecar["unit"]) == ("regression", "TPM")
    assert sidecar["scale"] == "log2(TPM + 1)"
    assert not {"probability_of", "label_rule"} & set(sidecar)


def test_an_ensemble_answers_the_mean_expression(
    runs: list[Run], process: FreshProcess, signal: np.ndarray, tmp_path: Path
) -> None:
    members = [run.path for run in runs[1:]]
    answers = answers_of(export_runs(members, tmp_path, "both", fresh_process=process), signal)
    each = np.stack([run.load_model()(signal)["expression"].numpy() for run in runs[1:]])
    served = answers["serving_default"]
    assert set(served) == {"expression", "expression_sd", "alpha", "alpha_sd", "beta", "beta_sd"}
    np.testing.assert_allclose(served["expression"], each.mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(served["expression_sd"], each.std(axis=0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(answers["predict"]["expression"], served["expression"], rtol=1e-5)


def test_no_ensemble_is_of_two_tasks(
    runs: list[Run], cnn_run: Run, process: FreshProcess, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="an ensemble of runs with the same task"):
        export_runs([runs[1].path, cnn_run.path], tmp_path, "x", fresh_process=process)
