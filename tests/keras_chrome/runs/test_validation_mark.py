"""A mark that a model was not trained on, found again at the genes of a study."""

import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_chrome.alpha_coverage.__main__ import main as alpha_coverage
from keras_chrome.compare.__main__ import main as compare
from keras_chrome.data import load_genes
from keras_chrome.errors import InputError
from keras_chrome.runs import Study, open_study
from keras_chrome.runs.validation_mark import read_validation_mark
from keras_chrome.vocabulary import CORE_MARKS


@pytest.fixture
def study(cnn_run_path: Path) -> Study:
    return open_study(cnn_run_path, split="test")


def without_the_mark(study: Study, name: str = "remc/small") -> Study:
    """The study of a dataset that holds the core marks alone."""
    dataset = dataclasses.replace(study.dataset, name=name, marks=study.run.marks)
    return dataclasses.replace(study, dataset=dataset)


def with_genes(study: Study, **columns: np.ndarray) -> Study:
    return dataclasses.replace(study, genes=dataclasses.replace(study.genes, **columns))


def expected_signal(study: Study) -> np.ndarray:
    return load_genes(study.dataset, "test", marks=("H3K27ac",)).signal[:, :, 0]


def test_it_is_read_from_the_runs_own_dataset(study: Study) -> None:
    validation = read_validation_mark(study, "h3k27AC")
    assert (validation.mark, validation.dataset) == ("H3K27ac", "remc/small")
    assert validation.has_signal.all()
    np.testing.assert_array_equal(validation.signal, expected_signal(study))


def test_another_dataset_is_joined_by_gene_and_place(study: Study) -> None:
    shifted = study.genes.tss.copy()
    shifted[3] += 1
    lacking = with_genes(without_the_mark(study), tss=shifted)
    validation = read_validation_mark(lacking, "h3k27ac", dataset="remc/small")
    assert validation.has_signal.sum() == len(study.genes) - 1
    assert np.isnan(validation.signal[3]).all()
    others = np.arange(len(study.genes)) != 3
    np.testing.assert_array_equal(validation.signal[others], expected_signal(study)[others])


def test_bins_run_as_those_of_the_study(study: Study) -> None:
    strand = study.genes.strand.copy()
    strand[0] = ""
    turned = with_genes(study, oriented=np.ones(len(strand), bool), strand=strand)
    validation = read_validation_mark(turned, "H3K27ac")
    is_minus = strand == "-"
    assert 10 < is_minus.sum() < len(strand) - 10
    expected = expected_signal(study)
    expected[is_minus] = expected[is_minus, ::-1]
    # Which way the first gene is transcribed is not known.
    assert validation.has_signal.tolist() == [False, *[True] * (len(strand) - 1)]
    np.testing.assert_array_equal(validation.signal[1:], expected[1:])


def test_a_mark_that_was_trained_on_is_refused(study: Study) -> None:
    for name in ("H3K4me3", "h3k4me3"):
        with pytest.raises(InputError, match=r"not trained on.*validation_mark='H3K4me3'"):
            read_validation_mark(study, name)


def test_negative_signal_of_the_mark_is_refused(
    cnn_run_path: Path, alter: Callable[..., Path]
) -> None:
    def change(split: str, examples: list[dict[str, Any]]) -> None:
        if split == "test":
            signal = examples[2]["signal"].copy()
            signal[3, 5] = -0.5  # Of H3K27ac.
            examples[2]["signal"] = signal

    study = open_study(cnn_run_path, dataset="remc/altered", data_dir=alter(change))
    with pytest.raises(InputError, match=r"remc/altered\. Received: -0\.5 in bin 4 of H3K27ac at"):
        read_validation_mark(study, "H3K27ac")


def test_a_mark_that_no_dataset_holds_is_refused(study: Study) -> None:
    with pytest.raises(InputError, match=r"'H2AZ'; name a dataset of .* --validation-dataset"):
        read_validation_mark(study, "H2AZ")
    with pytest.raises(InputError, match=r"remc/small holds \(.*H3K27ac.*'H2AZ'$"):
        read_validation_mark(study, "H2AZ", dataset="remc/small")


def test_a_mark_of_roadmap_comes_with_its_recipe(study: Study) -> None:
    config = r'{"source": "alignments", "epigenome": "E012", "marks": \["H3K27ac"\]}'
    with pytest.raises(
        InputError,
        match=f"tfds_remc --config '{config}'`, .* --validation-dataset remc/E012_alignments$",
    ):
        read_validation_mark(of_epigenome(study, "E012"), "H3K27ac")


def test_a_dataset_without_the_genes_is_refused(study: Study) -> None:
    others = with_genes(without_the_mark(study), gene_id=np.char.add(study.genes.gene_id, "x"))
    with pytest.raises(InputError, match="none of 50 with the same gene id and TSS"):
        read_validation_mark(others, "H3K27ac", dataset="remc/small")


def of_epigenome(study: Study, epigenome: str, name: str = "remc/other") -> Study:
    lacking = without_the_mark(study, name=name)
    metadata = {**lacking.dataset.metadata, "epigenome": epigenome}
    dataset = dataclasses.replace(lacking.dataset, metadata=metadata)
    return dataclasses.replace(lacking, dataset=dataset)


@pytest.mark.parametrize(
    ("epigenome", "name", "own"),
    # A simulated dataset, and one that an early version built, say nothing of their epigenome.
    [("E012", "remc/E012_alignments", "E012"), ("", "remc/E012", "E012")],
)
def test_another_epigenome_is_refused_unless_asked_for(
    study: Study, epigenome: str, name: str, own: str
) -> None:
    other = of_epigenome(study, epigenome, name)
    with pytest.raises(
        InputError,
        match=f"epigenome of {name}, {own}: .*validation_dataset=remc/small, of small; .*"
        "--across-epigenomes",
    ):
        read_validation_mark(other, "H3K27ac", dataset="remc/small")
    asked = read_validation_mark(other, "H3K27ac", dataset="remc/small", across_epigenomes=True)
    np.testing.assert_array_equal(asked.signal, expected_signal(study))


def test_a_dataset_that_is_named_counts_though_the_own_one_holds_the_mark(study: Study) -> None:
    metadata = {**study.dataset.metadata, "epigenome": "E012"}
    other = dataclasses.replace(
        study, dataset=dataclasses.replace(study.dataset, metadata=metadata)
    )
    assert "H3K27ac" in other.dataset.marks
    with pytest.raises(InputError, match="validation_dataset=remc/small, of small"):
        read_validation_mark(other, "H3K27ac", dataset="remc/small")


def test_a_mark_in_other_capitals_is_that_mark(study: Study) -> None:
    validation = read_validation_mark(study, "h3k27AC")
    assert validation.mark == "H3K27ac"
    np.testing.assert_array_equal(validation.signal, expected_signal(study))


def test_a_dataset_of_another_name_may_be_of_the_same_epigenome(study: Study) -> None:
    same = of_epigenome(study, "small", "remc/small_alignments")
    assert read_validation_mark(same, "H3K27ac", dataset="remc/small").has_signal.all()


@pytest.fixture
def acetylated(data_dir: Path, tmp_path: Path) -> Path:
    """Data with another dataset, of E003, of the same genes; it holds H3K9ac."""
    root = Path(shutil.copytree(data_dir, tmp_path / "data"))
    (version,) = (root / "remc" / "small").iterdir()
    other = Path(shutil.copytree(version, root / "remc" / "E003_acetyl" / version.name))
    for name, changes in (
        ("metadata.json", {"epigenome": "E003", "marks": [*CORE_MARKS, "H3K9ac"]}),
        ("dataset_info.json", {"configName": "E003_acetyl"}),
    ):
        content = json.loads((other / name).read_text())
        (other / name).write_text(json.dumps(content | changes))
    return root


@pytest.mark.parametrize(
    ("command", "options", "counted"),
    [
        (
            compare,
            ["--methods", "alpha", "--num-untrained", "1"],
            "with H3K9ac in remc/E003_acetyl",
        ),
        (alpha_coverage, [], "H3K9ac from remc/E003_acetyl"),
    ],
)
def test_commands_mix_epigenomes_only_if_asked_and_count_the_genes(
    cnn_run_path: Path,
    acetylated: Path,
    command: Callable[[list[str]], None],
    options: list[str],
    counted: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = ["--validation-mark", "H3K9ac", "--validation-dataset", "remc/E003_acetyl"]
    few = ["--min-genes", "1", "--data-dir", str(acetylated)]
    given = [str(cnn_run_path), *options, *other, *few]
    with pytest.raises(
        InputError, match=r"remc/small, small.*validation_dataset=remc/E003_acetyl, of E003;"
    ):
        command(given)
    assert capsys.readouterr().out == ""
    command([*given, "--across-epigenomes"])
    printed = " ".join(capsys.readouterr().out.split())
    assert counted in printed
    assert re.search(r"\b\d+ genes (predicted ON|expressed and predicted ON)", printed)
