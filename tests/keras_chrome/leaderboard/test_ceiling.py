"""The ceiling of a leaderboard, on a real run and its dataset."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from keras_chrome.errors import InputError
from keras_chrome.leaderboard import leaderboard
from keras_chrome.leaderboard.output import markdown, summary
from keras_chrome.runs import open_run


@pytest.fixture
def run_path(_fitted_baseline: Path, data_dir: Path, tmp_path: Path) -> Path:
    """A run whose dataset is a copy of its own."""
    path = Path(shutil.copytree(_fitted_baseline, tmp_path / "run"))
    shutil.copytree(data_dir, tmp_path / "data")
    config = json.loads((path / "config.json").read_text())
    config["options"]["data_dir"] = str(tmp_path / "data")
    (path / "config.json").write_text(json.dumps(config))
    return path


def write_elsewhere(run_path: Path, values: dict[str, float]) -> None:
    lines = ["gene_id,log2_mean,num_epigenomes", *(f"{g},{v},55" for g, v in values.items())]
    file = open_run(run_path).open_dataset().path / "expression_elsewhere.csv"
    file.write_text("\n".join(lines) + "\n")


def test_the_auroc_of_what_genes_do_elsewhere(run_path: Path) -> None:
    test = open_run(run_path).predictions.query("split == 'test'").iloc[1:]
    values = test["label"] + np.random.default_rng(0).normal(0, 1, len(test)).round(3)
    write_elsewhere(run_path, dict(zip(test["gene_id"], values, strict=True)))
    board = leaderboard([run_path])
    (row,) = board.ceilings.itertuples()
    assert row.auroc == pytest.approx(roc_auc_score(test["label"], values))
    assert row.auroc_low < row.auroc < row.auroc_high
    assert (row.epigenome, row.num_genes, row.num_unknown) == ("small", len(test), 1)
    # It is in no rank and no test.
    assert board.models["model"].tolist() == ["logistic_regression"]
    assert board.paired_tests.empty
    for text in (summary(board), markdown(board)):
        assert f"which uses no mark: {row.auroc:.4f} (" in text


def test_there_is_none_where_nothing_is_known(run_path: Path) -> None:
    assert leaderboard([run_path]).ceilings.empty
    write_elsewhere(run_path, {"ENSG0": 1.0})
    assert leaderboard([run_path]).ceilings.empty


@pytest.mark.parametrize("text", ["gene_id\nENSG0\n", "gene_id,log2_mean\nENSG0,x\n", "\udcff"])
def test_a_damaged_file_is_refused(text: str, run_path: Path) -> None:
    write_elsewhere(run_path, {})
    file = open_run(run_path).open_dataset().path / "expression_elsewhere.csv"
    file.write_text(text, errors="surrogateescape")
    with pytest.raises(InputError, match=r"elsewhere\.csv \(.*\)\. Remove .* and build it again"):
        leaderboard([run_path])


def test_there_is_none_of_a_dataset_with_other_contents(run_path: Path) -> None:
    test = open_run(run_path).predictions.query("split == 'test'")
    write_elsewhere(run_path, dict(zip(test["gene_id"], test["label"], strict=True)))
    assert leaderboard([run_path]).ceilings["auroc"].tolist() == [1]
    config = json.loads((run_path / "config.json").read_text())
    config["dataset"]["fingerprint"] = "f00d"
    (run_path / "config.json").write_text(json.dumps(config))
    assert leaderboard([run_path]).ceilings.empty
