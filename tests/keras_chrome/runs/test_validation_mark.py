"""A mark that a model was not trained on, found again at the genes of a study."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_chrome.data import load_genes
from keras_chrome.errors import InputError
from keras_chrome.runs import Study, open_study
from keras_chrome.runs.validation_mark import read_validation_mark


@pytest.fixture
def study(cnn_run_path: Path) -> Study:
    return open_study(cnn_run_path, split="test")


def without_the_mark(study: Study) -> Study:
    """The study of a dataset that holds the core marks alone."""
    dataset = dataclasses.replace(study.dataset, name="remc/five", marks=study.run.marks)
    return dataclasses.replace(study, dataset=dataset)


def with_genes(study: Study, **columns: np.ndarray) -> Study:
    return dataclasses.replace(study, genes=dataclasses.replace(study.genes, **columns))


def expected_signal(study: Study) -> np.ndarray:
    return load_genes(study.dataset, "test", marks=("H3K27ac",)).signal[:, :, 0]


def test_it_is_read_from_the_runs_own_dataset(study: Study) -> None:
    validation = read_validation_mark(study, "H3K27ac")
    assert (validation.mark, validation.dataset) == ("H3K27ac", "remc/small")
    assert validation.has_signal.all()
    np.testing.assert_array_equal(validation.signal, expected_signal(study))


def test_another_dataset_is_joined_by_gene_and_place(study: Study) -> None:
    shifted = study.genes.tss.copy()
    shifted[3] += 1
    lacking = with_genes(without_the_mark(study), tss=shifted)
    validation = read_validation_mark(lacking, "H3K27ac", dataset="remc/small")
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
    with pytest.raises(InputError, match=r"not trained on.*validation_mark='H3K4me3'"):
        read_validation_mark(study, "H3K4me3")


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
    with pytest.raises(InputError, match=r"'H2AZ'; name a dataset .* --validation-dataset"):
        read_validation_mark(study, "H2AZ")
    with pytest.raises(InputError, match=r"remc/small holds \(.*H3K27ac.*'H2AZ'$"):
        read_validation_mark(study, "H2AZ", dataset="remc/small")


def test_a_dataset_without_the_genes_is_refused(study: Study) -> None:
    others = with_genes(without_the_mark(study), gene_id=np.char.add(study.genes.gene_id, "x"))
    with pytest.raises(InputError, match="none of 50 with the same gene id and TSS"):
        read_validation_mark(others, "H3K27ac", dataset="remc/small")
