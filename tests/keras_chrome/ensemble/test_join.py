"""From run directories to one run directory."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from keras_chrome.attend import attend
from keras_chrome.ensemble import ensemble
from keras_chrome.ensemble.__main__ import main
from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate
from keras_chrome.explain import explain
from keras_chrome.leaderboard import leaderboard
from keras_chrome.models import logit_model
from keras_chrome.models.prediction import predict
from keras_chrome.runs import Run, open_run
from keras_chrome.runs.trainings import group_trainings, untrained_model


class Members(NamedTuple):
    """Runs of CNN-alpha,beta, the last of which says the opposite, and of a baseline."""

    first: Path
    second: Path
    wrong: Path
    baseline: Path


def change_config(path: Path, part: str, **values: Any) -> None:
    config = json.loads((path / "config.json").read_text())
    config[part] |= values
    (path / "config.json").write_text(json.dumps(config))


def copied(run: Path, path: Path, **options: Any) -> Path:
    shutil.copytree(run, path)
    change_config(path, "options", **options)
    return path


@pytest.fixture(scope="module")
def members(
    _trained_cnn: Path, _fitted_baseline: Path, tmp_path_factory: pytest.TempPathFactory
) -> Members:
    folder = tmp_path_factory.mktemp("members")
    second, wrong = (copied(_trained_cnn, folder / f"seed-{seed}", seed=seed) for seed in (1, 2))
    rng = np.random.default_rng(0)
    model = open_run(second).load_model()
    model.set_weights([w + 0.2 * rng.normal(size=w.shape) for w in model.get_weights()])
    open_run(second).save_model(model)
    model = open_run(wrong).load_model()
    logit = model.get_layer("logit")
    logit.set_weights([-weight for weight in logit.get_weights()])
    open_run(wrong).save_model(model)
    return Members(_trained_cnn, second, wrong, _fitted_baseline)


@pytest.fixture(scope="module")
def both(members: Members, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The ensemble of two networks."""
    return ensemble([members.first, members.second], tmp_path_factory.mktemp("runs") / "both")


@pytest.fixture(scope="module")
def mixed(members: Members, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The ensemble of a network and a baseline."""
    return ensemble([members.first, members.baseline], tmp_path_factory.mktemp("runs") / "mixed")


def logits_of(path: Path, signal: np.ndarray) -> np.ndarray:
    """A run's logit, or the log-odds of a baseline."""
    model = open_run(path).load_model()
    if isinstance(model, keras.Model):
        return logit_model(model)(signal).numpy()[:, 0].astype(np.float64)
    probability = np.clip(model(signal)["probability"].astype(np.float64), 0.001, 0.999)
    return np.log(probability / (1 - probability))


def test_predictions_are_of_the_mean_logit(both: Run, members: Members) -> None:
    test = both.load_genes("test")
    logits = np.stack([logits_of(path, test.signal) for path in members[:2]])
    table = both.predictions.query("split == 'test'")
    expected = expit(logits.mean(axis=0))
    np.testing.assert_allclose(table["probability"], expected, atol=1e-5)
    np.testing.assert_allclose(table["probability_sd"], expit(logits).std(axis=0), atol=1e-5)
    assert table["probability_sd"].max() > 0.01
    assert both.metrics["test"]["auroc"] == pytest.approx(roc_auc_score(test.label, expected))
    pd.testing.assert_frame_equal(both.splits, open_run(members.first).splits)


def test_the_configuration_names_the_members(both: Run, members: Members) -> None:
    config = both.config
    assert (config.kind, config.model, config.seed, config.labels) == (
        *("ensemble", "ensemble"),
        *(0, "median"),
    )
    for member, path, seed in zip(config.members, members[:2], (0, 1), strict=True):
        own = open_run(path).config
        assert (member.run, member.model, member.seed) == (str(path), "cnn_alpha_beta", seed)
        assert member.weight == 0.5
        sha256 = hashlib.sha256((path / "model.keras").read_bytes()).hexdigest()
        assert member.sha256 == sha256
        assert member.options["learning_rate"] == own.options["learning_rate"]
        assert "run_dir" not in member.options


def test_a_fresh_process_answers_the_same(both: Run, tmp_path: Path) -> None:
    signal = both.load_genes("test").signal[:5]
    np.save(tmp_path / "signal.npy", signal)
    code = (
        "import sys, numpy as np, keras_chrome\n"
        f"model = keras_chrome.load_model({str(both.path)!r})\n"
        f"answers = model(np.load({str(tmp_path / 'signal.npy')!r}))\n"
        f"np.savez({str(tmp_path / 'answers.npz')!r}, **answers)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    with np.load(tmp_path / "answers.npz") as answers:
        for name, values in both.load_model()(signal).items():
            np.testing.assert_allclose(answers[name], values, atol=1e-6, err_msg=name)


def test_commands_take_it_as_any_run(both: Run, members: Members) -> None:
    before = both.metrics["test"]["auroc"]
    assert evaluate(both.path)["test"]["auroc"] == pytest.approx(before, abs=1e-6)
    own = [attend(path)["alpha"].values for path in members[:2]]
    np.testing.assert_allclose(attend(both.path)["alpha"].values, sum(own) / 2, atol=1e-5)
    method = ["gradient_x_input"]
    importance = [
        explain(path, methods=method)["gradient_x_input"].values
        for path in (*members[:2], both.path)
    ]
    np.testing.assert_allclose(importance[2], sum(importance[:2]) / 2, atol=1e-4)


def test_a_leaderboard_ranks_it_with_the_models(both: Run, members: Members) -> None:
    models = leaderboard([members.first, both.path]).models
    assert set(models["model"]) == {"cnn_alpha_beta", "ensemble"}
    mean = models.set_index("model")["mean"]["ensemble"]
    assert mean == pytest.approx(both.metrics["test"]["auroc"], abs=1e-6)


def test_ensembles_of_other_members_are_not_one_model(both: Run, tmp_path: Path) -> None:
    other = copied(both.path, tmp_path / "other", seed=5)
    config = json.loads((other / "config.json").read_text())
    config["model"]["ensemble"][1]["options"]["learning_rate"] = 0.5
    (other / "config.json").write_text(json.dumps(config))
    assert sorted(leaderboard([both.path, other]).models["model"]) == [
        f"ensemble (learning rate of member 2 {rate})" for rate in (0.01, 0.5)
    ]
    assert [len(g.trained) for g in group_trainings([both.path, other])] == [1, 1]


def test_an_untrained_ensemble_is_one_of_untrained_members(both: Run) -> None:
    again = copied(both.path, both.path.with_name("again"), seed=7)
    (group,) = group_trainings([both.path, again])
    assert len(group.trained) == 2
    trained, untrained = both.load_model(), untrained_model(both)
    signal = both.load_genes("test").signal[:4]
    logits = [
        keras.Model(untrained.input, untrained.get_layer(f"member_{n}.logit").output)(signal)
        for n in (1, 2)
    ]
    assert np.abs(logits[0] - logits[1]).max() > 1e-4
    np.testing.assert_allclose(logit_model(untrained)(signal), sum(logits) / 2, atol=1e-6)
    assert [w.shape for w in untrained.weights] == [w.shape for w in trained.weights]


def test_a_baseline_joins_by_its_log_odds(mixed: Run, members: Members) -> None:
    test = mixed.load_genes("test")
    paths = (members.first, members.baseline)
    logits = np.stack([logits_of(path, test.signal) for path in paths])
    answer = predict(mixed.load_model(), test.signal)
    np.testing.assert_allclose(answer.probability, expit(logits.mean(axis=0)), atol=1e-5)
    network = predict(open_run(members.first).load_model(), test.signal)
    own = open_run(members.baseline).load_model()(test.signal)["probability"]
    spread = np.std([network.probability, own], axis=0)
    np.testing.assert_allclose(answer.probability_sd, spread, atol=1e-5)
    np.testing.assert_allclose(answer.alpha, network.alpha, atol=1e-6)
    np.testing.assert_allclose(answer.beta, network.beta, atol=1e-6)
    table = mixed.predictions.query("split == 'test'")
    np.testing.assert_allclose(table["probability"], answer.probability, atol=1e-6)


def test_a_mixed_ensemble_holds_the_files_of_its_members(mixed: Run, members: Members) -> None:
    files = sorted(path.name for path in (mixed.path / "members").iterdir())
    assert files == ["1.keras", "2.joblib"]
    assert not (mixed.path / "model.keras").exists()
    for member, file in zip(mixed.config.members, mixed.model_files, strict=True):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == member.sha256
    # As of baselines: what needs no gradient.
    of_marks = explain(mixed.path, methods=["mark_occlusion"])["mark_occlusion"].values
    assert np.abs(of_marks).max() > 0.01
    with pytest.raises(InputError, match="neural network"):
        explain(mixed.path, methods=["saliency"])


def test_a_stack_leaves_a_member_out_that_is_wrong(
    members: Members, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Surer of itself it would be better still: the wrong one has nothing to hold back.
    mild = copied(members.first, tmp_path / "mild")
    model = open_run(mild).load_model()
    logit = model.get_layer("logit")
    logit.set_weights([weight / 10 for weight in logit.get_weights()])
    open_run(mild).save_model(model)
    run_dir = tmp_path / "stack"
    main([*map(str, (members.wrong, mild)), "--run-dir", str(run_dir), "--stack"])
    run = open_run(run_dir)
    assert [member.weight for member in run.config.members] == [0.0, 1.0]
    signal = run.load_genes("test").signal
    answer = run.load_model()(signal)
    expected = open_run(mild).load_model()(signal)["probability"]
    np.testing.assert_allclose(answer["probability"], expected, atol=1e-6)
    first_line, table = capsys.readouterr().out.split("\n", 1)
    valid = len(run.load_genes("valid"))
    assert first_line.startswith(f"weights: by log loss on {valid} validation genes, ")
    # Long paths push columns into a second block.
    rows: dict[str, list[str]] = {}
    for line in filter(None, table.splitlines()):
        path, *cells = line.split()
        rows.setdefault(path, []).extend(cells)
    assert rows["run"][:3] == ["model", "seed", "weight"]
    auroc = {s: f"{run.metrics[s]['auroc']:.4f}" for s in ("valid", "test")}
    assert rows[str(run_dir)] == ["ensemble", "1.0000", auroc["valid"], auroc["test"]]
    assert {str(members.wrong), str(mild)} < rows.keys()


# === What is refused ===


def refusal(paths: list[Path], run_dir: Path) -> str:
    with pytest.raises(InputError) as refused:
        ensemble(paths, run_dir)
    assert not (run_dir / "config.json").exists()
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("part", "key", "value", "received"),
    [
        ("model", "marks", ["H3K4me3", "H3K9me3"], "same marks"),
        ("options", "labels", "published", "same labels"),
        ("dataset", "num_bins", 10, "same num_bins"),
        ("dataset", "fingerprint", "f00d", "same dataset contents"),
    ],
)
def test_members_of_other_data_are_refused(
    members: Members, tmp_path: Path, part: str, key: str, value: object, received: str
) -> None:
    other = copied(members.second, tmp_path / "other")
    change_config(other, part, **{key: value})
    message = refusal([members.first, other], tmp_path / "run")
    assert received in message
    assert f"{other} ({value!r})" in message


def test_members_of_other_splits_are_refused(members: Members, tmp_path: Path) -> None:
    other = copied(members.second, tmp_path / "other")
    splits = pd.read_csv(other / "splits.csv")
    splits.loc[splits.index[splits["split"] == "test"][:2], "split"] = "train"
    splits.to_csv(other / "splits.csv", index=False)
    message = refusal([members.first, other], tmp_path / "run")
    assert str(other) in message
    assert "2 of train, 0 of valid, 2 of test" in message


def test_runs_that_are_no_members_are_refused(members: Members, both: Run, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    unfinished = copied(members.second, tmp_path / "unfinished")
    (unfinished / "metrics.json").unlink()
    assert f"{unfinished}, not finished" in refusal([members.first, unfinished], run_dir)
    imported = copied(members.second, tmp_path / "imported")
    config = json.loads((imported / "config.json").read_text())
    del config["dataset"]["name"]
    (imported / "config.json").write_text(json.dumps(config))
    assert "with imported weights" in refusal([members.first, imported], run_dir)
    assert "an ensemble; name its members" in refusal([members.first, both.path], run_dir)
    assert "two runs or more. Received: 1" in refusal([members.first], run_dir)
    again = tmp_path / "again"
    again.symlink_to(members.first)
    assert f"{again} twice" in refusal([members.first, again], run_dir)


def test_a_run_directory_that_holds_a_run_is_left_alone(both: Run, members: Members) -> None:
    before = (both.path / "config.json").read_text()
    with pytest.raises(InputError, match="holds a run; take another"):
        ensemble([members.first, members.second], both.path)
    assert (both.path / "config.json").read_text() == before


def test_a_damaged_member_of_the_configuration_is_one_line(both: Run, tmp_path: Path) -> None:
    broken = copied(both.path, tmp_path / "broken")
    config = json.loads((broken / "config.json").read_text())
    config["model"]["ensemble"][0]["weight"] = "half"
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="weight='half'"):
        open_run(broken)
