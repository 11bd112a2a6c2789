"""The files of a run directory, each damaged beside others that are whole."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from changed_json import changed_json
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st

from keras_chrome.errors import InputError
from keras_chrome.evaluate import summary
from keras_chrome.runs import open_run
from keras_chrome.runs.finished import (
    check_belong_together,
    find_finished_runs,
    read_test_genes,
    tell_apart,
)

MARKS = ["H3K4me3", "H3K27me3"]
OPTIONS = {
    "dataset": "remc/E003",
    "data_dir": "data",
    "labels": "median",
    "split": "random",
    "split_seed": 0,
    "num_folds": 5,
    "fold": 0,
    "seed": 0,
    "task": "classification",
    "mark_dropout": 0.1,
    "init_from": None,
    "distill": None,
    "permute_labels": False,
}
DATASET = {
    "name": "remc/E003",
    "version": "1.0.0",
    "fingerprint": "f00d",
    "marks": MARKS,
    "num_bins": 8,
    "bin_bp": 100,
    "flank_bp": 400,
    "genome": "hg19",
    "oriented": True,
    "label_rule": "high if rpkm > median_rpkm",
    "median_rpkm": 3.9,
    "unit": "RPKM",
}
MEMBER = {
    "run": "runs/a",
    "kind": "variant",
    "model": "lstm",
    "seed": 1,
    "weight": 0.5,
    "sha256": "f00d",
    "options": OPTIONS,
}
MODEL = {"marks": MARKS, "num_bins": 8, "transform": "log1p"}
CONFIG: dict[str, Any] = {
    "format_version": 1,
    "options": OPTIONS,
    "model": {"variant": "lstm", **MODEL},
    "dataset": DATASET,
    "versions": {"keras-chrome": "0.1.0"},
    "python": "3.11.7",
    "git_revision": None,
}
ENSEMBLE = {**CONFIG, "model": {"ensemble": [MEMBER, MEMBER], **MODEL}}
SEVERAL = {**CONFIG, "dataset": {**DATASET, "epigenomes": [DATASET, DATASET]}}
SCORE = {
    "auroc": 0.75,
    "auroc_ci95": [0.5, 0.9],
    "auprc": 0.8,
    "log_loss": 0.6,
    "brier": 0.2,
    "num_genes": 4,
    "ece": 0.1,
    "mean_probability": 0.5,
    "positive_rate": 0.5,
}
SCORES = {**SCORE, "epigenomes": {"E003": SCORE}, "mean_auroc": 0.75}
SCORES["expression_elsewhere"] = {"mean_label": {"auroc": 0.7, "num_genes": 4}}
METRICS = {"label_rule": "median", "valid": SCORE, "test": SCORE, "epochs_run": 2, "wall_s": 3.5}
FILES = {
    "config.json": json.dumps(CONFIG, indent=2).encode(),
    "metrics.json": json.dumps(METRICS, indent=2).encode(),
    "history.csv": b"epoch,loss,val_loss,val_auroc,wall_s\n1,0.7,0.6,0.8,3.5\n2,0.6,nan,0.9,3.1\n",
    "splits.csv": b"gene_id,split\na,train\nb,valid\nc,test\nd,test\ne,test\nf,test\n",
    "predictions.csv": b"gene_id,split,label,probability\nb,valid,1,0.6\nc,test,0,0.2\n"
    b"d,test,0,0.6\ne,test,1,0.5\nf,test,1,0.9\n",
}


def read(file: Path) -> None:
    """All that is read of a run without its model."""
    run = open_run(file.parent)
    repr(run)
    for part in run.config.dataset.parts if run.config.dataset else ():
        assert part.epigenome is not None
    assert run.model_files
    assert run.task.name
    summary(run.metrics)
    for table in (run.history, run.splits, run.predictions):
        table.to_csv()
    runs, _ = find_finished_runs([run.path])
    check_belong_together(tell_apart(runs))
    read_test_genes(runs)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


CASES = st.one_of(
    *(st.tuples(st.just(name), damaged(content)) for name, content in FILES.items()),
    *(
        st.tuples(st.just("config.json"), changed_json(config))
        for config in (CONFIG, ENSEMBLE, SEVERAL)
    ),
    *(
        st.tuples(st.just("metrics.json"), changed_json(metrics))
        for metrics in (METRICS, {**METRICS, "valid": SCORES, "left_out": SCORES})
    ),
)


@fuzz(CASES, examples=200)
def test_any_damage(case: tuple[str, bytes], directory: Path) -> Outcome:
    name, content = case
    for whole_name, whole in FILES.items():
        (directory / whole_name).write_bytes(content if whole_name == name else whole)
    return check(read, directory / name)


def test_whole_files_are_read(directory: Path) -> None:
    for config in (CONFIG, ENSEMBLE, SEVERAL):
        (directory / "config.json").write_text(json.dumps(config))
        read(directory / "config.json")


REFUSED = {
    "config.json": [
        *(
            json.dumps(CONFIG | {part: value}).encode()
            for part, value in itertools.product(
                ("options", "model", "dataset", "versions", "format_version"), ("x", 3, None, [1])
            )
        ),
        json.dumps(CONFIG | {"options": OPTIONS | {"task": "x"}}).encode(),
        json.dumps(CONFIG | {"options": OPTIONS | {"seed": True}}).encode(),
        json.dumps(CONFIG | {"options": OPTIONS | {"split": "chromosome", "fold": "0"}}).encode(),
        json.dumps(CONFIG | {"dataset": DATASET | {"num_bins": 0}}).encode(),
        json.dumps(CONFIG | {"dataset": DATASET | {"epigenomes": ["x"]}}).encode(),
        json.dumps(CONFIG | {"dataset": DATASET | {"name": "a\nb"}}).encode(),
        json.dumps(CONFIG | {"model": {"ensemble": [], **MODEL}}).encode(),
        json.dumps(CONFIG).replace("3.9", "NaN").encode(),
        json.dumps(CONFIG).replace("3.9", "9" * 5000).encode(),
        b"[" * 100_000,
        b"\xff\xfe",
        b"",
    ],
    "metrics.json": [
        b"{}",
        b"[]",
        b'"test"',
        json.dumps(METRICS | {"test": "x"}).encode(),
        json.dumps(METRICS | {"test": {"auroc": "0.5"}}).encode(),
        json.dumps(METRICS | {"task": "regression"}).encode(),
        json.dumps(METRICS).replace("0.75", "1" + 400 * "0").encode(),
    ],
    "predictions.csv": [
        b"",
        FILES["splits.csv"],
        FILES["predictions.csv"].replace(b"0.9", b"nan"),
        FILES["predictions.csv"].replace(b"0.9", b"high"),
        FILES["predictions.csv"].replace(b",1,0.9", b""),
        FILES["predictions.csv"].replace(b"0.9", b"0.9,1"),
        FILES["predictions.csv"].replace(b"\nf", b"\n\xe9"),
        FILES["predictions.csv"].replace(b"\nf", b"\n\0"),
        FILES["predictions.csv"].replace(b"\nf", b"\n" + b"f" * 2**20),
        FILES["predictions.csv"].replace(b"label", b"split"),
        FILES["predictions.csv"].replace(b"0.9", b"0.1"),  # another AUROC than metrics.json
    ],
    "splits.csv": [b"a,b\n1,2\n", FILES["splits.csv"].replace(b"valid", b"dev")],
    "history.csv": [
        b"epoch\n1\n",
        FILES["history.csv"].replace(b"0.7", b"much"),
        FILES["history.csv"].replace(b"1,", b"inf,"),
    ],
}


@pytest.mark.parametrize(("name", "content"), [(n, c) for n in REFUSED for c in REFUSED[n]])
def test_what_once_failed_is_refused_by_name(name: str, content: bytes, directory: Path) -> None:
    (directory / name).write_bytes(content)
    assert str(directory) in check(read, directory / name).refusal


def test_metrics_of_which_one_split_lacks_some_are_summed_up() -> None:
    """As a version that measured less wrote them."""
    less = {name: value for name, value in SCORE.items() if name != "ece"}
    assert "ece" not in summary(METRICS | {"valid": less})
    assert "0.7500" in summary(METRICS | {"valid": less})
    assert "of the mean label" in summary(METRICS | {"valid": SCORES})


@pytest.mark.parametrize("name", [name for name in FILES if name != "config.json"])
def test_a_missing_file_is_named(name: str, directory: Path) -> None:
    (directory / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        read(directory / name)
