"""A validation mark above the attention to another."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from keras_chrome.alpha_coverage import alpha_coverage
from keras_chrome.alpha_coverage import coverage as module
from keras_chrome.alpha_coverage.__main__ import main
from keras_chrome.alpha_coverage.coverage import coverage_tables
from keras_chrome.alpha_coverage.output import summary
from keras_chrome.data import load_genes, open_dataset
from keras_chrome.errors import InputError
from keras_chrome.models.prediction import Prediction
from keras_chrome.runs import Study, open_run, open_study
from keras_chrome.runs.validation_mark import ValidationMark


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a model answers, without compiling one."""

    def answer(*, probability: float = 0.5, has_alpha: bool = True) -> None:
        def predict(model: object, signal: np.ndarray) -> Prediction:
            # More attention further down.
            alpha = np.broadcast_to(np.arange(signal.shape[1]) / 190, signal.swapaxes(1, 2).shape)
            probabilities = np.full(len(signal), probability)
            return Prediction(probabilities, alpha if has_alpha else None)

        monkeypatch.setattr("keras_chrome.models.prediction.predict", predict)

    return answer


def tables(validation: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two genes, three bins."""
    return coverage_tables(
        alpha=np.array([[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]]),
        signal=np.array([[4.0, 2, 0], [4, 2, 0]]),
        validation=validation,
        bin_start_bp=np.array([-100, 0, 100]),
    )


def test_sums_means_and_correlations_by_hand() -> None:
    table, correlations = tables(np.array([[1.0, 2, 3], [3, 4, 5]]))
    assert table["bin_start_bp"].tolist() == [-100, 0, 100]
    assert table["validation_sum"].tolist() == [4, 6, 8]
    assert table["validation_mean"].tolist() == [2, 3, 4]
    np.testing.assert_allclose(table["alpha_mean"], [0.3, 0.3, 0.4])
    assert table["signal_mean"].tolist() == [4, 2, 0]
    # Deviations (-1, -1, 2) / 30 and (-1, 0, 1): 3 / sqrt(6 x 2).
    assert correlations.loc["alpha", "r"] == pytest.approx(np.sqrt(3) / 2)
    assert correlations.loc["signal"].tolist() == pytest.approx([-1, -1, -1])


def test_a_sample_has_the_same_genes_for_alpha_and_validation_mark() -> None:
    # Where each gene's alpha is its validation signal, every sample correlates perfectly.
    table, correlations = tables(10 * np.array([[0.2, 0.3, 0.5], [0.4, 0.3, 0.3]]))
    assert correlations.loc["alpha"].tolist() == pytest.approx([1, 1, 1])
    assert table["alpha_low"].tolist() == pytest.approx([0.2, 0.3, 0.3])
    np.testing.assert_allclose(table["validation_high"], 10 * table["alpha_high"])


def test_a_constant_correlates_with_nothing() -> None:
    _, correlations = tables(np.ones((2, 3)))
    assert correlations.isna().all(axis=None)


def test_genes_are_expressed_predicted_on_and_run_along_transcription(
    cnn_run_path: Path, data_dir: Path
) -> None:
    coverage = alpha_coverage(cnn_run_path, mark="H3K4me1", split="all")
    run = open_run(cnn_run_path)
    genes = run.load_genes("all")
    answers = {name: v.numpy() for name, v in run.load_model()(genes.signal).items()}
    validation = load_genes(open_dataset("remc/small", data_dir), marks=("H3K27ac",)).signal[..., 0]
    chosen = (answers["probability"] >= open_study(cnn_run_path).on_threshold) & (genes.label == 1)
    assert 0 < chosen.sum() < genes.label.sum()
    assert coverage.num_genes == chosen.sum()
    assert set(coverage.table["on_rule"]) == {coverage.on_rule}
    assert set(coverage.correlations["on_rule"]) == {coverage.on_rule}
    assert (coverage.num_without_signal, coverage.num_unknown_strand) == (0, 0)

    def mean(values: np.ndarray) -> np.ndarray:
        is_minus = (genes.strand == "-")[:, np.newaxis]
        return np.where(is_minus, values[:, ::-1], values)[chosen].mean(axis=0)

    alpha, signal = answers["alpha"][:, 2], genes.signal[..., 2]
    assert run.marks[2] == "H3K4me1"
    table = coverage.table
    np.testing.assert_allclose(table["alpha_mean"], mean(alpha), rtol=1e-4)
    np.testing.assert_allclose(table["signal_mean"], mean(signal), rtol=1e-4)
    np.testing.assert_allclose(table["validation_mean"], mean(validation), rtol=1e-4)
    assert abs(table["validation_mean"] - validation[chosen].mean(axis=0)).max() > 0.1
    expected = np.corrcoef(mean(alpha), mean(validation))[0, 1]
    row = coverage.correlations.loc["alpha"]
    assert row["r"] == pytest.approx(expected, rel=1e-4)
    assert row["low"] < row["high"]


def test_genes_without_the_validation_mark_or_strand_are_counted(
    cnn_run_path: Path, answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(study: Study, mark: str, **_: Any) -> ValidationMark:
        signal = np.ones(study.genes.signal.shape[:2], np.float32)
        has_signal = np.arange(len(signal)) % 3 != 0
        signal[~has_signal] = np.nan
        return ValidationMark(mark, "remc/other", signal, has_signal)

    def without_strands(*args: Any, **options: Any) -> Study:
        study = open_study(*args, **options)
        label = np.ones_like(study.genes.label)
        label[:9] = 0
        strand = np.full_like(study.genes.strand, "")
        oriented = np.arange(len(strand)) < 20
        genes = dataclasses.replace(study.genes, label=label, strand=strand, oriented=oriented)
        return dataclasses.replace(study, genes=genes)

    monkeypatch.setattr(module, "read_validation_mark", read)
    monkeypatch.setattr(module, "open_study", without_strands)
    answers()
    with pytest.raises(
        InputError, match=r"least 28 expressed genes .*, with H3K27ac in remc/other"
    ):
        alpha_coverage(cnn_run_path, min_genes=28)
    coverage = alpha_coverage(cnn_run_path, min_genes=27)
    # Of 50 genes, 41 are expressed; every third of them has no signal, and 30 have no strand.
    assert (coverage.num_genes, coverage.num_without_signal) == (27, 14)
    assert coverage.num_unknown_strand == 20
    assert coverage.table["validation_sum"].tolist() == [27] * 20
    text = summary(coverage)
    assert "H3K27ac from remc/other\nON: P >= 0.5, as the validation genes tell no other" in text
    assert "\n14 more are left out: without H3K27ac" in text
    assert "20 of the 27 are of unknown strand" in text


def test_what_was_trained_on_does_not_validate(cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match=r"not trained on.*validation_mark='H3K4me1'"):
        alpha_coverage(cnn_run_path, validation_mark="H3K4me1")


def test_unknown_marks_are_refused(cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match=r"was trained on .*H3K4me3.*mark='H3K27ac'$"):
        alpha_coverage(cnn_run_path, mark="H3K27ac")
    with pytest.raises(InputError, match="validation_mark='H3K9ac'"):
        alpha_coverage(cnn_run_path, validation_mark="H3K9ac")


def test_no_gene_and_no_alpha_are_refused(cnn_run_path: Path, answers: Callable[..., None]) -> None:
    answers(probability=0.499)
    with pytest.raises(InputError, match=r"at least 1 expressed genes predicted ON.*: 0 of 50 \("):
        alpha_coverage(cnn_run_path, min_genes=1)
    answers(has_alpha=False)
    with pytest.raises(InputError, match=r"over bins\. Received: .*run, model='cnn_alpha_beta'$"):
        alpha_coverage(cnn_run_path)


def test_writes_figure_and_numbers(
    cnn_run_path: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers()
    options = ("--min-genes", "5", "--on-threshold", "0.25")
    main([str(cnn_run_path), "--mark", "H3K4me1", *options])
    stem = cnn_run_path / "figures" / "alpha_coverage-H3K4me1"
    suffixes = (".png", ".svg", ".csv", "-correlations.csv")
    printed = capsys.readouterr().out.splitlines()
    assert printed[-4:] == [f"{stem}{suffix}" for suffix in suffixes]
    assert min(matplotlib.image.imread(f"{stem}.png").shape[:2]) > 800
    assert "<svg" in Path(f"{stem}.svg").read_text()
    coverage = alpha_coverage(cnn_run_path, mark="H3K4me1", min_genes=5, on_threshold=0.25)
    pd.testing.assert_frame_equal(pd.read_csv(f"{stem}.csv"), coverage.table)
    correlations = pd.read_csv(f"{stem}-correlations.csv", index_col="profile")
    assert correlations.loc["alpha", "r"] == pytest.approx(coverage.correlations.loc["alpha", "r"])
    assert f"mean alpha of H3K4me1 with H3K27ac: {correlations['r'].iloc[0]:.3f}" in printed[2]
    assert printed[1] == "ON: P >= 0.25, as given"
    assert max(map(len, printed[:-4])) <= 100
