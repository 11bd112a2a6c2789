"""What a study answers, and how the genes that it is asked about are named."""

from pathlib import Path

import numpy as np
import pytest

from keras_chrome.attend import attend
from keras_chrome.command_line import parse
from keras_chrome.errors import InputError
from keras_chrome.report import report
from keras_chrome.runs import Study, open_study
from keras_chrome.runs.study import GeneArguments


@pytest.fixture
def study(cnn_run_path: Path) -> Study:
    return open_study(cnn_run_path)


def test_a_mark_has_a_place_or_is_refused(study: Study) -> None:
    assert [study.mark(mark) for mark in study.run.marks] == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match=r"trained on \(H3K27me3, .*Received: mark='H3K27ac'$"):
        study.mark("H3K27ac")


def test_the_model_is_asked_once(study: Study) -> None:
    prediction = study.prediction
    assert study.prediction is prediction
    assert study.attention("beta") is prediction.beta
    expected = study.model(study.genes.signal)
    np.testing.assert_allclose(prediction.alpha, expected["alpha"], atol=1e-6)
    is_on = expected["probability"].numpy() >= 0.5
    assert 0 < is_on.sum() < len(is_on)
    np.testing.assert_array_equal(study.is_on, is_on)


def test_one_gene_is_answered_as_among_others(study: Study) -> None:
    alone = open_study(study.run.path, gene=str(study.genes.gene_id[7]))
    assert alone.attention("alpha").shape == (1, 5, 20)
    np.testing.assert_allclose(alone.attention("alpha")[0], study.attention("alpha")[7], atol=1e-6)


def test_a_baseline_has_no_attention(_fitted_baseline: Path) -> None:
    study = open_study(_fitted_baseline)
    for name, axis in (("alpha", "bins"), ("beta", "marks")):
        with pytest.raises(InputError, match=f"over {axis}. .*/baseline, model='logistic_regres"):
            study.attention(name)  # type: ignore[arg-type]


def test_options_of_a_command_name_the_genes() -> None:
    argv = ["--split", "all", "--data-dir", "~/data", "--labels", "published"]
    given = parse(GeneArguments, argv, prog="command", description="")
    assert given.gene_options("PAX5") == {
        "split": "all",
        "gene": "PAX5",
        "dataset": None,
        "data_dir": Path.home() / "data",
        "labels": "published",
    }


def test_a_misspelled_name_is_refused(cnn_run_path: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="splits"):
        attend(cnn_run_path, splits="train")  # type: ignore[call-arg]
    # A report is always on the test genes.
    with pytest.raises(TypeError, match="split"):
        report([cnn_run_path], tmp_path / "a.html", split="train")  # type: ignore[call-arg]
