"""Attention to marks for a gene over runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from keras_chrome.beta_map import beta_map
from keras_chrome.beta_map import table as module
from keras_chrome.beta_map.__main__ import main
from keras_chrome.beta_map.table import epigenome_names, ordered
from keras_chrome.errors import InputError
from keras_chrome.models import build_model
from keras_chrome.runs import Study, open_run


@pytest.fixture
def run_path(cnn_run_path: Path) -> Path:
    """A run of a network that compiles in no time."""
    return cnn_run_path


@pytest.fixture
def other_run(run_path: Path) -> Path:
    """A run on the same dataset with another, untrained, model of four marks."""
    other = Path(shutil.copytree(run_path, run_path.parent / "other"))
    marks = open_run(other).marks[:0:-1]
    _edit_model(other, marks=marks)
    run = open_run(other)
    run.save_model(build_model("cnn_alpha_beta", marks=run.marks, num_bins=20))
    return other


def _edit_model(run: Path, **values: Any) -> None:
    config = json.loads((run / "config.json").read_text())
    config["model"].update(values)
    (run / "config.json").write_text(json.dumps(config))


def test_what_a_run_says_of_genes_of_any_split(run_path: Path) -> None:
    run = open_run(run_path)
    expected = {split: run.load_genes(split) for split in ("train", "test")}
    genes = [str(of_split.symbol[4]) for of_split in expected.values()]
    table = beta_map([run_path], genes=[*genes, genes[0]])
    assert table["gene"].tolist() == genes
    assert table["split"].tolist() == ["train", "test"]
    assert table["epigenome"].tolist() == ["small", "small"]
    assert table["label_rule"].tolist() == ["median", "median"]
    for row, of_split in zip(table.to_dict("records"), expected.values(), strict=True):
        answers = run.load_model()(of_split.signal)
        beta = [row[f"beta_{mark}"] for mark in run.marks]
        np.testing.assert_allclose(beta, answers["beta"][4], rtol=1e-5)
        assert row["probability"] == pytest.approx(float(answers["probability"][4]), rel=1e-5)
        for name in ("gene_id", "chrom", "tss", "label"):
            assert row[name] == getattr(of_split, name)[4]
        assert row["rpkm"] == pytest.approx(float(of_split.rpkm[4]))


def test_marks_go_by_name(run_path: Path, other_run: Path) -> None:
    genes = open_run(run_path).load_genes("test")
    table = beta_map([other_run, run_path], genes=[str(genes.gene_id[0])])
    assert table["epigenome"].tolist() == ["small (other)", "small (cnn-run)"]
    columns = [name for name in table.columns if name.startswith("beta_")]
    run = open_run(other_run)
    assert columns == [*(f"beta_{mark}" for mark in run.marks), "beta_H3K27me3"]
    expected = run.load_model()(genes.signal[:1, :, :0:-1])["beta"][0]
    np.testing.assert_allclose(table.loc[0, columns[:4]].astype(float), expected, rtol=1e-5)
    assert np.isnan(table.loc[0, "beta_H3K27me3"])
    assert table.loc[1, columns].sum() == pytest.approx(1)


def test_names_are_as_short_as_they_can_be() -> None:
    runs = {"a/one": "E003", "a/two": "E116", "b/two": "E116", "a/three": "E123", "four": "E123"}
    named = epigenome_names([(name, Path(path)) for path, name in runs.items()])
    assert named == ["E003", "E116 (a/two)", "E116 (b/two)", "E123 (three)", "E123 (four)"]


def test_orders() -> None:
    table = pd.DataFrame(
        {
            "gene": ["PAX5"] * 4 + ["ACTB"] * 2,
            "epigenome": list("abcd") + list("ab"),
            "rpkm": [1, np.nan, 5, 1, 2, 3],
        }
    )
    assert ordered(table, "given")["epigenome"].tolist() == list("abcdab")
    by_expression = ordered(table, "expression")
    assert by_expression["epigenome"].tolist() == list("cadbba")
    assert by_expression["gene"].tolist() == table["gene"].tolist()


def test_a_dataset_without_symbols_is_asked_for_the_id(
    run_path: Path, other_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genes = open_run(run_path).load_genes("test")
    symbol, gene_id = str(genes.symbol[5]), str(genes.gene_id[5])

    def without_symbols(path: Path, *, gene: str, **options: str | None) -> Study:
        if Path(path) == other_run and gene == symbol:
            raise InputError(f"Expected a gene. Received: gene={gene!r}")
        return open_study(path, gene=gene, **options)

    open_study = module.open_study
    monkeypatch.setattr(module, "open_study", without_symbols)
    table = beta_map([other_run, run_path], genes=[symbol])
    assert table["gene_id"].tolist() == [gene_id] * 2
    assert table["run"].tolist() == [str(other_run), str(run_path)]


def test_a_gene_of_two_names_is_one_panel(run_path: Path) -> None:
    genes = open_run(run_path).load_genes("test")
    symbol, gene_id = str(genes.symbol[5]), str(genes.gene_id[5])
    table = beta_map([run_path], genes=[symbol.lower(), gene_id, str(genes.gene_id[6]), symbol])
    assert table["gene"].tolist() == [symbol, str(genes.symbol[6])]
    assert table["unit"].tolist() == ["RPKM"] * 2


def test_a_missing_gene_names_the_run_and_the_nearest(run_path: Path) -> None:
    gene_id = str(open_run(run_path).load_genes("test").gene_id[0])
    with pytest.raises(
        InputError, match=f"^{run_path}: Expected .*gene='{gene_id}9'; nearest: .*{gene_id}"
    ):
        beta_map([run_path], genes=[f"{gene_id}9"])


def test_runs_that_do_not_fit_are_refused(run_path: Path, other_run: Path) -> None:
    gene = str(open_run(run_path).load_genes("test").gene_id[0])
    with pytest.raises(InputError, match="each run once"):
        beta_map([run_path, run_path.parent / "other" / ".." / "cnn-run"], genes=[gene])
    with pytest.raises(InputError, match=r"one of \('given', 'expression'\).*order='rpkm'"):
        beta_map([run_path], genes=[gene], order="rpkm")
    _edit_model(other_run, variant="lstm_alpha")
    run = open_run(other_run)
    run.save_model(build_model("lstm_alpha", marks=run.marks, num_bins=20))
    with pytest.raises(
        InputError, match=f"attention over marks. Received: {other_run}, model='lstm_alpha'"
    ):
        beta_map([run_path, other_run], genes=[gene])


def test_writes_figure_and_numbers(
    run_path: Path,
    other_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    genes = open_run(run_path).load_genes("test")
    gene, symbol = str(genes.gene_id[0]), str(genes.symbol[0])
    monkeypatch.chdir(tmp_path)
    for runs, stem in (
        ([run_path], run_path / "figures" / f"beta_map-{symbol}"),
        ([run_path, other_run], Path(f"beta_map-{symbol}")),
    ):
        main([*map(str, runs), "--gene", gene])
        printed = capsys.readouterr().out.splitlines()
        assert printed[-3:] == [f"{stem}{suffix}" for suffix in (".png", ".svg", ".csv")]
        assert printed[0].split()[:6] == ["gene", "epigenome", "split", "P(high)", "RPKM", "label"]
        assert min(matplotlib.image.imread(f"{stem}.png").shape[:2]) > 300
        assert "<svg" in Path(f"{stem}.svg").read_text()
        # No gene of these has several TSSs: the column is empty.
        read = pd.read_csv(f"{stem}.csv").assign(transcript_id="")
        pd.testing.assert_frame_equal(read, beta_map(runs, genes=[gene]))
