"""Trainings that were killed, and gone on with, come out as if they had not been."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig, fit
from keras_chrome.fit.__main__ import _parse, main
from keras_chrome.fit.job import warn_of_other_data
from keras_chrome.runs import open_run
from keras_chrome.runs.files import LOCK

KILLED_RUNS = Path(__file__).parents[1] / "killed_runs.py"
RICH: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.01,
    "clip_norm": 0.5,
    "weight_decay": 0.1,
    "schedule": "one_cycle",
    "ema": 0.9,
    "patience": 0,
}
ALTERED = {"regression_weight": 0.5, "mixup": 0.3, "gain": 0.1, "shift": 2, "empty_bins": 0.05}
# What says how long it took.
TIMES = ["genes_per_second", "wall_s"]


def bits(path: Path) -> dict[str, Any]:
    """All that a run has come to, but for the time that it took."""
    run = open_run(path)
    found: dict[str, Any] = {
        "metrics": {k: v for k, v in run.metrics.items() if k not in TIMES},
        "predictions": (path / "predictions.csv").read_bytes(),
        "splits": (path / "splits.csv").read_bytes(),
    }
    model = run.load_model()
    if isinstance(model, keras.Model):
        history = pd.read_csv(path / "history.csv", dtype=str)
        found["history"] = history.drop(columns=TIMES).to_numpy().tolist()
        found["weights"] = [np.asarray(weight).tobytes() for weight in model.weights]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "options", "bank"),
    [
        ("cnn_alpha_beta", {**RICH, **ALTERED}, False),
        ("lstm", RICH, True),
    ],
    ids=["fit", "bank"],
)
def test_runs_that_were_killed_anywhere_come_out_the_same_bit_for_bit(
    data_dir: Path,
    tmp_path: Path,
    model: str,
    options: dict[str, Any],
    bank: bool,
    num_kills: int,
) -> None:
    job = {
        "folder": str(tmp_path),
        "seed": 17,
        "kills": num_kills,
        "bank": bank,
        "options": {**options, "dataset": "remc/small", "data_dir": str(data_dir), "model": model},
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    done = subprocess.run(
        [sys.executable, str(KILLED_RUNS), str(tmp_path / "job.json")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    whole = {run.name: bits(run) for run in (tmp_path / "whole").iterdir()}
    assert len(whole) == (3 if bank else 1)
    for number in range(num_kills):
        broken = tmp_path / f"broken-{number}"
        assert {run.name: bits(run) for run in broken.iterdir()} == whole, done.stdout
        assert not list(broken.rglob(LOCK))


def signalled(data_dir: Path, run_dir: Path, name: str) -> subprocess.CompletedProcess[str]:
    """A command that is sent a signal by itself once an epoch is over."""
    program = f"""
import os, signal, sys
from keras_chrome.command_line import run_command
from keras_chrome.errors import InputError
from keras_chrome.fit import loop
from keras_chrome.fit.__main__ import main

save = loop._BetweenEpochs._save
def save_and_signal(self):
    save(self)
    if self.course.num_epochs == 2:
        os.kill(os.getpid(), signal.{name})
loop._BetweenEpochs._save = save_and_signal
run_command(main, InputError)
"""
    arguments = ["--dataset", "remc/small", "--data-dir", str(data_dir), "--run-dir", str(run_dir)]
    arguments += ["--model", "cnn_alpha_beta", "--epochs", "4"]
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True
    )


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_ends_the_step_and_says_how_to_go_on(
    data_dir: Path, tmp_path: Path, name: str, code: int
) -> None:
    done = signalled(data_dir, tmp_path / "run", name)
    assert done.returncode == code, done.stderr
    *_, line = done.stderr.splitlines()
    assert line == (
        f"stopped by {name}; {tmp_path / 'run'} is saved as it was after epoch 2, and the same "
        "command with --resume goes on from there to what it would have been"
    )
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "run").rglob(LOCK))
    assert not open_run(tmp_path / "run").is_finished
    assert len(open_run(tmp_path / "run").history) == 2


def test_a_run_that_is_gone_on_with_is_unfinished_until_it_ends(
    data_dir: Path, cnn_run_path: Path
) -> None:
    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            assert not open_run(cnn_run_path).is_finished
            raise KeyboardInterrupt

    config = FitConfig(**{**_options_of(cnn_run_path), "epochs": 5, "resume": True})
    with pytest.raises(KeyboardInterrupt):
        fit(config, callbacks=Look())
    assert not open_run(cnn_run_path).is_finished


def _options_of(run: Path) -> dict[str, Any]:
    return {**open_run(run).config.options, "run_dir": run}


def test_a_history_that_is_ahead_of_its_checkpoint_is_taken_back(
    data_dir: Path, cnn_run_path: Path
) -> None:
    """As a kill between the two leaves it; with less patience nothing else would write it."""
    whole = (cnn_run_path / "history.csv").read_text()
    (cnn_run_path / "history.csv").write_text(whole + whole.splitlines()[-1] + "\n")
    fit(FitConfig(**{**_options_of(cnn_run_path), "resume": True}))
    assert (cnn_run_path / "history.csv").read_text() == whole


SEEDED: list[tuple[str, dict[str, Any]]] = [
    ("cnn_alpha_beta", {"epochs": 2}),
    ("lstm", {"epochs": 1, "dropout": 0.2}),
    ("gradient_boosting", {}),
    ("random_forest", {}),
    pytest.param("context_chrome", {"epochs": 1}, marks=pytest.mark.slow),  # type: ignore[list-item]
    pytest.param("attentive_chrome", {"epochs": 1}, marks=pytest.mark.slow),  # type: ignore[list-item]
    pytest.param("deep_chrome", {"epochs": 1}, marks=pytest.mark.slow),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("model", "options"), SEEDED)
def test_a_run_is_repeated_bit_for_bit_from_its_configuration(
    data_dir: Path, tmp_path: Path, model: str, options: dict[str, Any]
) -> None:
    first = fit(
        dataset="small", data_dir=data_dir, run_dir=tmp_path / "a", model=model, seed=3, **options
    )
    file = first.path / "config.json"
    main(["--from-config", str(file), "--run-dir", str(tmp_path / "b")])
    assert bits(tmp_path / "b") == bits(first.path)


def test_options_beside_a_configuration_count(cnn_run_path: Path, tmp_path: Path) -> None:
    file, before = cnn_run_path / "config.json", _options_of(cnn_run_path)
    given = ["--run-dir", str(tmp_path / "b"), "--seed", "7", "--batch-size", "9"]
    config, repeated = _parse(["--from-config", str(file), *given])
    assert (config.seed, config.batch_size, config.run_dir) == (7, 9, tmp_path / "b")
    # As it is without a configuration: a batch size that is given is taken as it is.
    assert config.recipe().least_steps == 0
    assert (config.epochs, config.learning_rate) == (before["epochs"], before["learning_rate"])
    assert list(config.marks or ()) == before["marks"]
    assert not (config.resume or config.overwrite)
    assert repeated == open_run(cnn_run_path)
    assert _parse(["--from-config", str(cnn_run_path), *given]) == (config, repeated)
    of_other = ["--from-config", str(file), "--dataset", "remc/other", *given]
    assert _parse(of_other)[1] is None


def test_a_run_that_is_repeated_on_other_data_is_warned_of(
    cnn_run_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(cnn_run_path)
    config = FitConfig(**_options_of(cnn_run_path))
    warn_of_other_data(config, run)
    assert not capsys.readouterr().err
    file = cnn_run_path / "config.json"
    content = json.loads(file.read_text())
    content["dataset"]["fingerprint"] = "another"
    file.write_text(json.dumps(content))
    warn_of_other_data(config, open_run(cnn_run_path))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: remc/small has other contents than when")


def test_a_configuration_of_no_training_is_refused(cnn_run_path: Path, tmp_path: Path) -> None:
    required = ["--run-dir", str(tmp_path / "b")]
    with pytest.raises(InputError, match=r"Expected --dataset, or --from-config"):
        _parse(required)
    file = cnn_run_path / "config.json"
    with pytest.raises(InputError, match=r"or --preset. Received: .*'paper'"):
        _parse(["--from-config", str(file), "--preset", "paper", *required])
    with pytest.raises(InputError, match=r"run directory with config\.json"):
        _parse(["--from-config", str(tmp_path / "none" / "config.json"), *required])
    content = json.loads(file.read_text())
    content["dataset"] = {name: content["dataset"][name] for name in ("num_bins", "bin_bp")}
    content["dataset"]["flank_bp"] = 5000
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"fit has trained.*of imported weights"):
        _parse(["--from-config", str(file), *required])
    with pytest.raises(SystemExit) as exit_:
        _parse(["--from-config", str(file)])
    assert exit_.value.code == 2
