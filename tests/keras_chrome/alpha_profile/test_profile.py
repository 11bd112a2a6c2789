"""Attention averaged over genes predicted ON and OFF."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from keras_chrome.alpha_profile import alpha_profile
from keras_chrome.alpha_profile import profile as module
from keras_chrome.alpha_profile.__main__ import main
from keras_chrome.alpha_profile.output import summary
from keras_chrome.alpha_profile.profile import profile_table
from keras_chrome.errors import InputError
from keras_chrome.models.prediction import Prediction
from keras_chrome.runs import Study, open_run, open_study


def means(table: pd.DataFrame, prediction: str, quantity: str) -> np.ndarray:
    chosen = (table["prediction"] == prediction) & (table["quantity"] == quantity)
    return table.loc[chosen, "mean"].to_numpy()


def tiny_table(*, is_on: tuple[bool, ...] = (True, False, True)) -> pd.DataFrame:
    """Three genes, two marks, two bins."""
    alpha = np.array([[[0.2, 0.8], [0.5, 0.5]], [[1, 0], [0, 1]], [[0.4, 0.6], [0.3, 0.7]]])
    return profile_table(
        alpha=alpha,
        signal=10 * alpha,
        beta=np.array([[0.1, 0.9], [0.7, 0.3], [0.3, 0.7]]),
        is_on=np.array(is_on),
        marks=("H3K4me3", "H3K9me3"),
        bin_start_bp=np.array([-100, 0]),
    )


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets what a model answers, without compiling one."""

    def answer(*, probability: float = 0.7, has_alpha: bool = True, has_beta: bool = True) -> None:
        def predict(model: object, signal: np.ndarray) -> Prediction:
            num_genes, num_bins, num_marks = signal.shape
            alpha = np.full((num_genes, num_marks, num_bins), 1 / num_bins, np.float32)
            beta = np.full((num_genes, num_marks), 1 / num_marks, np.float32)
            return Prediction(
                np.full(num_genes, probability),
                alpha if has_alpha else None,
                beta if has_beta else None,
            )

        monkeypatch.setattr("keras_chrome.models.prediction.predict", predict)

    return answer


def test_means_by_hand() -> None:
    table = tiny_table()
    np.testing.assert_allclose(means(table, "ON", "alpha"), [0.3, 0.7, 0.4, 0.6])
    np.testing.assert_allclose(means(table, "OFF", "alpha"), [1, 0, 0, 1])
    np.testing.assert_allclose(means(table, "ON", "signal"), [3, 7, 4, 6])
    np.testing.assert_allclose(means(table, "ON", "beta"), [0.2, 0.8])
    on_alpha = table[(table["prediction"] == "ON") & (table["quantity"] == "alpha")]
    assert on_alpha["mark"].tolist() == ["H3K4me3"] * 2 + ["H3K9me3"] * 2
    assert on_alpha["bin_start_bp"].tolist() == [-100, 0] * 2
    assert table.loc[table["quantity"] == "beta", "bin_start_bp"].isna().all()
    assert table.groupby("prediction")["num_genes"].unique().map(list).to_dict() == {
        "ON": [2],
        "OFF": [1],
    }


def test_intervals_are_those_of_the_mean() -> None:
    # Of two genes a bootstrap sample has one, the other or both: a quarter, a quarter, a half.
    table = tiny_table()
    first = table.iloc[0]
    assert (first["low"], first["high"]) == pytest.approx((0.2, 0.4))
    # One gene alone is always drawn.
    off = table[table["prediction"] == "OFF"]
    np.testing.assert_allclose(off["low"], off["high"])

    rng = np.random.default_rng(0)
    signal = rng.normal(5, 2, size=(400, 1, 1))
    table = profile_table(
        alpha=np.ones((400, 1, 1)),
        signal=signal,
        beta=None,
        is_on=np.full(400, True),
        marks=("H3K4me3",),
        bin_start_bp=np.array([0]),
    )
    row = table[table["quantity"] == "signal"].iloc[0]
    half_width = 1.96 * signal.std() / 20
    assert row["mean"] - row["low"] == pytest.approx(half_width, rel=0.15)
    assert row["high"] - row["mean"] == pytest.approx(half_width, rel=0.15)


def test_genes_are_split_by_prediction_and_run_along_transcription(cnn_run_path: Path) -> None:
    profile = alpha_profile(cnn_run_path, min_genes=1)
    run = open_run(cnn_run_path)
    genes = run.load_genes("test")
    answers = {name: v.numpy() for name, v in run.load_model()(genes.signal).items()}
    answers["signal"] = genes.signal.swapaxes(1, 2)
    assert not genes.oriented.any()
    is_on = answers["probability"] >= open_study(cnn_run_path).on_threshold
    assert (profile.num_on, profile.num_off) == (is_on.sum(), (~is_on).sum())
    assert 0 < profile.num_on < len(is_on)
    assert (profile.table["on_threshold"] == open_study(cnn_run_path).on_threshold).all()
    assert set(profile.table["on_rule"]) == {profile.on_rule}
    assert profile.num_unknown_strand == 0
    is_minus = (genes.strand == "-")[:, np.newaxis, np.newaxis]
    for prediction, chosen in (("ON", is_on), ("OFF", ~is_on)):
        for name in ("alpha", "signal"):
            values = answers[name]
            turned = np.where(is_minus, values[..., ::-1], values)[chosen].mean(axis=0).ravel()
            found = means(profile.table, prediction, name)
            np.testing.assert_allclose(found, turned, rtol=1e-4)
            assert abs(found - values[chosen].mean(axis=0).ravel()).max() > 1e-4
        expected = answers["beta"][chosen].mean(axis=0)
        np.testing.assert_allclose(means(profile.table, prediction, "beta"), expected, rtol=1e-4)


def test_genes_of_unknown_strand_are_counted(
    cnn_run_path: Path, answers: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_strands(*args: Any, **options: Any) -> Study:
        study = open_study(*args, **options)
        strand = study.genes.strand.copy()
        strand[:3] = ""
        oriented = study.genes.oriented.copy()
        # What runs along transcription needs no strand.
        oriented[0] = True
        genes = dataclasses.replace(study.genes, strand=strand, oriented=oriented)
        return dataclasses.replace(study, genes=genes)

    monkeypatch.setattr(module, "open_study", without_strands)
    answers()
    profile = alpha_profile(cnn_run_path)
    assert profile.num_unknown_strand == 2
    assert "2 of them are of unknown strand" in summary(profile)


def test_half_a_chance_is_on_where_the_model_tells_nothing_apart(
    cnn_run_path: Path, answers: Callable[..., None]
) -> None:
    answers(probability=0.5)
    profile = alpha_profile(cnn_run_path)
    assert (profile.num_on, profile.num_off) == (50, 0)
    assert set(profile.table["prediction"]) == {"ON"}
    answers(probability=0.499)
    with pytest.raises(InputError, match=r"50 genes predicted ON.*Received: 0 of 50 \(P >= 0.5, "):
        alpha_profile(cnn_run_path)


def test_a_profile_of_few_genes_is_refused_unless_asked_for(
    cnn_run_path: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers(probability=0.7)
    assert alpha_profile(cnn_run_path, on_threshold=0.7).on_rule == "P >= 0.7, as given"
    with pytest.raises(InputError, match=r"least 51 genes predicted ON.*50 of 50.*--min-genes 50"):
        alpha_profile(cnn_run_path, min_genes=51)
    with pytest.raises(InputError, match=r"Received: 0 of 50 \(P >= 0.71, as given\)"):
        main([str(cnn_run_path), "--on-threshold", "0.71", "--min-genes", "1"])
    main([str(cnn_run_path), "--on-threshold", "0.69"])
    assert "ON: P >= 0.69, as given" in capsys.readouterr().out.splitlines()


def test_models_without_beta_or_without_alpha(
    cnn_run_path: Path, answers: Callable[..., None]
) -> None:
    answers(has_beta=False)
    assert set(alpha_profile(cnn_run_path).table["quantity"]) == {"alpha", "signal"}
    answers(has_alpha=False)
    with pytest.raises(InputError, match=r"over bins\. Received: .*run, model='cnn_alpha_beta'$"):
        alpha_profile(cnn_run_path)


def test_writes_figure_and_numbers(
    cnn_run_path: Path, answers: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers()
    main([str(cnn_run_path), "--split", "valid"])
    printed = capsys.readouterr().out.splitlines()
    stem = cnn_run_path / "figures" / "alpha_profile"
    assert printed[-3:] == [f"{stem}{suffix}" for suffix in (".png", ".svg", ".csv")]
    assert printed[0].startswith("remc/small, valid split, cnn_alpha_beta: ")
    assert min(matplotlib.image.imread(f"{stem}.png").shape[:2]) > 800
    assert "<svg" in Path(f"{stem}.svg").read_text()
    written = pd.read_csv(f"{stem}.csv").astype({"bin_start_bp": "Int64"})
    pd.testing.assert_frame_equal(written, alpha_profile(cnn_run_path, split="valid").table)


def test_text_names_the_highest_bin() -> None:
    table = tiny_table()
    names = ("remc/tiny", "test", "attentive_chrome", "P >= 0.3, as given")
    profile = module.AlphaProfile(table, *names, 100, 2, 1, 0)
    lines = summary(profile).splitlines()
    assert lines[0].endswith("2 genes predicted ON, 1 OFF")
    assert not any("unknown strand" in line for line in lines)
    assert lines[1] == "ON: P >= 0.3, as given"
    assert lines[4].split() == ["H3K4me3", "ON", "0.7000", "0", "0.2000", "0.1000-0.3000"]
