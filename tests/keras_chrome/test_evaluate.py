"""Measuring a run again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate, main


def test_repeats_what_training_measured_and_keeps_the_rest(cnn_run_path: Path) -> None:
    before = json.loads((cnn_run_path / "metrics.json").read_text())
    metrics = evaluate(cnn_run_path)
    assert metrics["test"]["auroc"] == pytest.approx(before["test"]["auroc"], abs=1e-6)
    after = json.loads((cnn_run_path / "metrics.json").read_text())
    assert after["best_epoch"] == before["best_epoch"]


def test_prints_a_table(cnn_run_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(cnn_run_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["split", "num_genes", "positive_rate", "auroc"]
    assert [line.split()[0] for line in lines[1:]] == ["valid", "test"]


def test_other_genes_go_elsewhere(cnn_run_path: Path, data_dir: Path, tmp_path: Path) -> None:
    other = build_other(data_dir, tmp_path, bin_bp=500, seed=5)
    with pytest.raises(InputError, match=r"--out.*remc/other"):
        evaluate(cnn_run_path, dataset=other, data_dir=tmp_path)
    evaluate(cnn_run_path, dataset=other, data_dir=tmp_path, out=tmp_path / "out")
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 80


def test_transcripts_tell_the_tss_of_a_gene_apart(
    cnn_run_path: Path, alter: Callable[..., Path], tmp_path: Path
) -> None:
    def change(split: str, examples: list[dict[str, Any]]) -> None:
        for i, example in enumerate(examples):
            example |= {"gene_id": b"ENSG1", "transcript_id": f"ENST{i}".encode()}

    data_dir = alter(change)
    evaluate(cnn_run_path, dataset="remc/altered", data_dir=data_dir, out=tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert list(table) == ["gene_id", "transcript_id", "split", "label", "probability"]
    assert not table.duplicated(["transcript_id", "split"]).any()


def test_other_bins_are_refused(cnn_run_path: Path, data_dir: Path, tmp_path: Path) -> None:
    other = build_other(data_dir, tmp_path, bin_bp=1000)
    with pytest.raises(InputError, match=r"num_bins=20, bin_bp=500.*num_bins=10, bin_bp=1000"):
        evaluate(cnn_run_path, dataset=other, data_dir=tmp_path)


def build_other(data_dir: Path, tmp_path: Path, **options: int) -> str:
    from keras_chrome.data import open_dataset
    from tfds_remc import RemcBuilder, RemcConfig

    marks = open_dataset("remc/small", data_dir).marks
    config = RemcConfig(name="other", source="simulated", marks=marks, num_genes=120, **options)
    RemcBuilder(config=config, data_dir=tmp_path).download_and_prepare()
    return "remc/other"
