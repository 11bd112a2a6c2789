"""Runs made in a bank against the same runs made alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig, fit
from keras_chrome.runs import open_run
from keras_chrome.sweep.config import fits_bank
from keras_chrome.sweep.fit_bank import fit_bank, main


def config(data_dir: Path, run_path: Path, **options: Any) -> FitConfig:
    return FitConfig(
        **{
            "dataset": "remc/small",
            "data_dir": data_dir,
            "run_dir": run_path,
            "model": "lstm",
            "epochs": 3,
            "batch_size": 30,
            "least_steps": 3,  # of 50 genes 16 a step
            "learning_rate": 0.01,
            "schedule": "one_cycle",
            "weight_decay": 0.1,
            "ema": 0.5,
            **options,
        }
    )


def test_runs_are_what_fit_makes_of_them_and_places_are_taken_anew(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = fit(config(data_dir, tmp_path / "alone"))
    # Two places for four runs, of which one stops early and one fails.
    runs = {
        "as-alone": config(data_dir, tmp_path / "as-alone"),
        "other-seed": config(data_dir, tmp_path / "other-seed", seed=1, epochs=2),
        "impatient": config(data_dir, tmp_path / "impatient", seed=2, epochs=20, patience=1),
        "missing": config(data_dir, tmp_path / "missing", dataset="remc/none"),
    }
    failures = fit_bank(runs, num_places=2)
    assert list(failures) == ["missing"]
    assert "remc/none" in failures["missing"]
    assert not (tmp_path / "missing").exists()

    banked = open_run(tmp_path / "as-alone")
    for file in ("config.json", "splits.csv", "history.csv", "metrics.json", "predictions.csv"):
        assert (banked.path / file).is_file()
    histories = [pd.read_csv(run.path / "history.csv") for run in (alone, banked)]
    columns = ["epoch", "loss", "val_loss", "val_auroc"]
    np.testing.assert_allclose(*(history[columns] for history in histories), atol=1e-4)
    predictions = [pd.read_csv(run.path / "predictions.csv") for run in (alone, banked)]
    np.testing.assert_allclose(*(table["probability"] for table in predictions), atol=1e-4)
    for ours, theirs in zip(
        banked.load_model().get_weights(), alone.load_model().get_weights(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)

    metrics = {
        name: json.loads((tmp_path / name / "metrics.json").read_text())
        for name in ("other-seed", "impatient")
    }
    assert metrics["other-seed"]["epochs_run"] == 2
    stopped = metrics["impatient"]
    assert stopped["epochs_run"] == stopped["best_epoch"] + 1 < 20
    printed = capsys.readouterr().out
    assert "other-seed: epoch 1/2: loss" in printed
    assert "other-seed: reached the last epoch; kept epoch" in printed
    assert "impatient: stopped early: no better validation AUROC for 1 epoch; kept" in printed


def test_what_a_bank_cannot_train(data_dir: Path, tmp_path: Path) -> None:
    for options in (
        {"model": "deep_chrome"},
        {"model": "svm"},
        {"dropout": 0.1},
        {"mark_weights": "shared"},
        {"lstm_reads": "all"},
        {"precision": "mixed_float16"},
        {"recurrence": "stock"},
        {"regression_weight": 0.5},
        {"mixup": 0.3},
        {"gain": 0.1},
        {"shift": 1},
        {"empty_bins": 0.1},
    ):
        assert not fits_bank(config(data_dir, tmp_path, **options))
    unfit = {"a": config(data_dir, tmp_path, dropout=0.1)}
    with pytest.raises(InputError, match=r"without dropout, .* altered genes\. Received: a$"):
        fit_bank(unfit, num_places=2)


def test_a_failed_run_is_one_line(data_dir: Path, tmp_path: Path) -> None:
    options = {
        "dataset": "remc/small",
        "data_dir": str(data_dir),
        "run_dir": str(tmp_path / "run"),
        "marks": ["H2A.Z"],
    }
    (tmp_path / "runs.json").write_text(json.dumps({"no-mark": options}))
    with pytest.raises(InputError, match=r"no-mark: Expected marks .* Received: marks=H2A\.Z"):
        main([str(tmp_path / "runs.json")])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "JSONDecodeError: "),
        ('{"a": 1}', "TypeError: content a=1, not dict"),
        ('{"a": {"dataset": "remc/E012", "epoch": 3}}', "unexpected keyword argument 'epoch'"),
    ],
)
def test_what_is_no_list_of_runs_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(InputError, match=rf"runs\.json \(.*{reason}.*; write such as"):
        main([str(tmp_path / "runs.json")])
