import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from export import export_all, export_run, export_runs
from export.__main__ import main
from export.fresh_process import FreshProcess
from keras_chrome import InputError
from keras_chrome.models import logit_model
from keras_chrome.runs import Run


@pytest.fixture(scope="module")
def signatures(ensemble: Path) -> dict[str, Any]:
    return dict(tf.saved_model.load(str(ensemble)).signatures)


def ask(signature: Any, signal: np.ndarray) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in signature(signal=tf.constant(signal)).items()}


def test_answers_mean_logit_mean_attention_and_standard_deviation_of_its_members(
    signatures: dict[str, Any], members: list[Run], signal: np.ndarray
) -> None:
    outputs = [member.load_model()(signal, training=False) for member in members]
    expected = {}
    for key in ("probability", "alpha", "beta"):
        values = np.stack([output[key].numpy() for output in outputs]).astype(np.float64)
        expected[key] = sum(values) / 3
        expected[f"{key}_sd"] = np.sqrt(sum((values - expected[key]) ** 2) / 3)
    logits = [logit_model(m.load_model())(signal, training=False).numpy() for m in members]
    mean_probability = expected["probability"]
    expected["probability"] = 1 / (1 + np.exp(-sum(logits)[:, 0].astype(np.float64) / 3))
    assert np.abs(expected["probability"] - mean_probability).max() > 1e-3  # another rule
    assert expected["probability_sd"].min() > 1e-3  # the members do differ
    answer = ask(signatures["serving_default"], signal)
    assert set(answer) == set(expected)
    for key, value in expected.items():
        assert answer[key].dtype == np.float32
        assert answer[key].shape == value.shape
        np.testing.assert_allclose(answer[key], value, atol=1e-6, err_msg=key)
    (predicted,) = ask(signatures["predict"], signal).items()
    assert predicted[0] == "probability"
    np.testing.assert_allclose(predicted[1], expected["probability"], atol=1e-6)


def test_saliency_is_the_mean_gradient_of_the_members_logits(
    signatures: dict[str, Any], members: list[Run], signal: np.ndarray
) -> None:
    gradients = []
    for member in members:
        watched = tf.constant(signal)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            logit = logit_model(member.load_model())(watched, training=False)
        gradients.append(tape.gradient(logit, watched).numpy())
    answer = ask(signatures["saliency"], signal)
    assert set(answer) == {"gradient", "probability"}
    np.testing.assert_allclose(answer["gradient"], sum(gradients) / 3, atol=1e-6)
    predicted = ask(signatures["predict"], signal)["probability"]
    np.testing.assert_allclose(answer["probability"], predicted, atol=1e-6)


@pytest.mark.parametrize("name", ["serving_default", "predict", "saliency"])
def test_a_gene_is_answered_alike_in_every_batch(
    signatures: dict[str, Any], signal: np.ndarray, name: str
) -> None:
    together = ask(signatures[name], signal)
    alone = [ask(signatures[name], signal[[gene]]) for gene in range(len(signal))]
    for key, values in together.items():
        singles = np.concatenate([answer[key] for answer in alone])
        np.testing.assert_allclose(singles, values, atol=1e-6, err_msg=f"{name}.{key}")


def test_sidecar_counts_the_members_and_names_their_seeds(
    ensemble: Path, signatures: dict[str, Any]
) -> None:
    text = (ensemble / "assets" / "keras_chrome.json").read_text()
    sidecar = json.loads(text)
    assert (sidecar["members"], sidecar["seeds"]) == (3, [3, 4, 5])
    answer = signatures["describe"](query=tf.zeros(2))["description"]
    assert answer.numpy().tolist() == [text.encode()] * 2


@pytest.mark.parametrize(
    ("part", "key", "value", "received"),
    [
        ("model", "variant", "lstm", "'attentive_chrome'"),
        ("model", "marks", ["H3K36me3", "H3K27me3", "H3K4me1", "H3K4me3", "H3K9me3"], "27me3'"),
        ("dataset", "num_bins", 100, "(8)"),
        ("model", "transform", "none", "'log1p'"),
        ("options", "labels", "published", "'median'"),
        ("dataset", "name", "remc/E003", "'remc/demo'"),
        ("dataset", "fingerprint", "0f3a", "'f00d'"),
        ("dataset", "bin_bp", 200, "(100)"),
    ],
)
def test_refuses_members_of_different_kinds(
    run: Run, tmp_path: Path, part: str, key: str, value: object, received: str
) -> None:
    other = shutil.copytree(run.path, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    config[part][key] = value
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="Expected an ensemble of runs with the same") as refusal:
        export_runs([run.path, other], tmp_path / "models", "mixed")
    assert received in str(refusal.value)
    assert f"{other} ({value!r})" in str(refusal.value)
    assert not (tmp_path / "models").exists()


def test_refuses_a_run_that_is_named_twice(run: Run, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.symlink_to(run.path)
    with pytest.raises(InputError, match=f"Received: {again} twice"):
        main([str(run.path), str(again), "--to", str(tmp_path / "models"), "--name", "twice"])


def test_refuses_an_ensemble_without_members(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected at least one run"):
        export_runs([], tmp_path / "models", "none")


# === Ensembles that are a run already ===


def test_an_ensemble_that_is_a_run_is_the_same_model_as_one_of_runs(
    signatures: dict[str, Any],
    members: list[Run],
    signal: np.ndarray,
    process: FreshProcess,
    ensemble: Path,
    join: Callable[..., Run],
    tmp_path: Path,
) -> None:
    joined = join(members, tmp_path / "joined")
    model_dir = export_runs([joined.path], tmp_path / "models", "joined", fresh_process=process)
    own = dict(tf.saved_model.load(str(model_dir)).signatures)
    for name in ("serving_default", "predict", "saliency"):
        answer, of_runs = (ask(of[name], signal) for of in (own, signatures))
        assert set(answer) == set(of_runs)
        for key, values in answer.items():
            np.testing.assert_allclose(values, of_runs[key], atol=1e-6, err_msg=f"{name}.{key}")
    sidecars = [
        json.loads((folder / "assets" / "keras_chrome.json").read_text())
        for folder in (model_dir, ensemble)
    ]
    assert sidecars[0] == sidecars[1]
    assert sidecars[0]["variant"] == "cnn_alpha_beta"


def test_an_ensemble_with_a_baseline_is_refused(
    members: list[Run], join: Callable[..., Run], tmp_path: Path
) -> None:
    mixed = join(members, tmp_path / "runs" / "mixed", baseline=True)
    with pytest.raises(InputError, match="mixed, an ensemble with the baseline gradient_boosting"):
        export_run(mixed.path, tmp_path / "models", "mixed")
    with pytest.raises(InputError, match="left out: 1 of an ensemble with a baseline"):
        export_all(tmp_path / "runs", tmp_path / "models")


def test_an_ensemble_does_not_become_a_member(
    members: list[Run], join: Callable[..., Run], tmp_path: Path
) -> None:
    joined = join(members, tmp_path / "joined")
    with pytest.raises(InputError, match=f"Received: {joined.path}, which is one already"):
        export_runs([joined.path, members[0].path], tmp_path / "models", "twice")
