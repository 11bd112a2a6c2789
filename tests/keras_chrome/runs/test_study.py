"""What a study answers, and how the genes that it is asked about are named."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.metrics import balanced_accuracy_score

from keras_chrome.attend import attend
from keras_chrome.command_line import parse
from keras_chrome.data import read_columns
from keras_chrome.errors import InputError
from keras_chrome.models.prediction import Prediction
from keras_chrome.report import report
from keras_chrome.runs import Study, open_study
from keras_chrome.runs.files import write_arrays
from keras_chrome.runs.study import GeneArguments, OnArguments


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


def test_on_is_told_from_validation_genes(study: Study) -> None:
    valid = study.run.load_genes("valid")
    answers = study.model(valid.signal)["probability"].numpy().astype(float)
    values = np.unique(answers)
    cuts = (values[1:] + values[:-1]) / 2
    accuracy = [balanced_accuracy_score(valid.label, answers >= cut) for cut in cuts]
    best = cuts[np.isclose(accuracy, max(accuracy), rtol=0, atol=1e-9)]
    expected = best[abs(best - 0.5).argmin()]
    assert study.on_threshold == pytest.approx(expected, abs=1e-5)
    assert study.on_threshold != 0.5
    words = f"P >= {study.on_threshold:.3g}, best balanced accuracy over 50 validation genes"
    assert study.on_rule == words
    probability = study.model(study.genes.signal)["probability"].numpy()
    np.testing.assert_array_equal(study.is_on, probability >= study.on_threshold)
    assert 0 < study.is_on.sum() < 50


def test_a_threshold_near_one_is_written_as_below_it(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def predict(model: object, signal: np.ndarray) -> Prediction:
        high = study.run.load_genes("valid").label == 1
        return Prediction(np.where(high, 0.99999, 0.99995))

    monkeypatch.setattr("keras_chrome.models.prediction.predict", predict)
    assert study.on_rule.startswith("P >= 0.99997, best balanced")


def test_on_by_rate_is_as_frequent_as_high(study: Study) -> None:
    by_rate = open_study(study.run.path, split="valid", on_threshold="rate")
    assert by_rate.is_on.sum() == by_rate.genes.label.sum()
    assert by_rate.on_rule.endswith(", positive rate of 50 validation genes")


@pytest.mark.parametrize("given", [0.7, "0.7"])
def test_on_may_be_a_probability(study: Study, given: str | float) -> None:
    study = open_study(study.run.path, on_threshold=given)
    assert (study.on_threshold, study.on_rule) == (0.7, "P >= 0.7, as given")
    np.testing.assert_array_equal(study.is_on, study.prediction.probability >= 0.7)
    assert study.says_on(np.array([0.7, 0.699])).tolist() == [True, False]


def test_a_threshold_between_neighbouring_single_precision_numbers_parts_them(study: Study) -> None:
    middle = np.float32(0.3)
    numbers = np.array([np.nextafter(middle, np.float32(to)) for to in (0, 1)])
    for below, above in ((numbers[0], middle), (middle, numbers[1])):
        between = dataclasses.replace(study, on_choice=(float(below) + float(above)) / 2)
        assert between.says_on(np.array([below, above])).tolist() == [False, True]


@pytest.mark.parametrize("given", ["median", "0", 1, "nan", ""])
def test_another_threshold_is_refused(given: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"balanced, rate or a prob.* Received: on_threshold="):
        open_study(tmp_path, on_threshold=given)


def test_without_validation_genes_of_both_labels_half_a_chance_is_on(
    study: Study, alter: Callable[..., Path]
) -> None:
    def all_high(split: str, examples: list[dict[str, Any]]) -> None:
        for example in examples if split == "valid" else ():
            example["label"] = 1

    altered = open_study(study.run.path, dataset="remc/altered", data_dir=alter(all_high))
    assert altered.on_threshold == 0.5
    assert altered.on_rule.startswith("P >= 0.5, as the validation genes tell no other")


def test_on_follows_the_dataset_and_the_labels_asked_about(
    study: Study, alter: Callable[..., Path]
) -> None:
    def swapped(split: str, examples: list[dict[str, Any]]) -> None:
        for example in examples:
            example["label_published"] = 1 - example["label"]

    data: dict[str, Any] = {"dataset": "remc/altered", "data_dir": alter(swapped)}
    assert open_study(study.run.path, **data).on_threshold == study.on_threshold
    others = open_study(study.run.path, labels="published", **data)
    assert others.on_threshold != study.on_threshold


def test_too_few_genes_on_are_refused(study: Study) -> None:
    study.check_enough_on(50, 50)
    with pytest.raises(
        InputError,
        match=r"at least 50 genes predicted ON, of split 'test' of remc/small\. Received: 49 of 50 "
        r"\(P >= 0\.\d+, best balanced .*genes\); take --min-genes 49 or another --on-threshold or "
        r"--split all$",
    ):
        study.check_enough_on(49, 50)
    with pytest.raises(
        InputError, match=r"least 1 high ones, .* Received: 0 of 50 .*; take another"
    ):
        study.check_enough_on(0, 1, kind="high ones")
    with pytest.raises(InputError, match="min_genes=0"):
        study.check_enough_on(10, 0)


def test_one_gene_is_answered_as_among_others(study: Study) -> None:
    alone = open_study(study.run.path, gene=str(study.genes.gene_id[7]))
    assert alone.attention("alpha").shape == (1, 5, 20)
    np.testing.assert_allclose(alone.attention("alpha")[0], study.attention("alpha")[7], atol=1e-6)


def test_a_baseline_has_no_attention(_fitted_baseline: Path) -> None:
    study = open_study(_fitted_baseline)
    for name, axis in (("alpha", "bins"), ("beta", "marks")):
        with pytest.raises(InputError, match=f"over {axis}. .*/baseline, model='logistic_regres"):
            study.attention(name)  # type: ignore[arg-type]


def with_transcripts(split: str, examples: list[dict[str, Any]]) -> None:
    """Two TSSs of one gene in the test split, and one in the training split without a label."""
    for example in examples:
        example["transcript_id"] = b""
    if split == "test":
        for i in (4, 9):
            examples[i] |= {"gene_id": b"ENSG00000000005", "symbol": b"TNMD"}
            examples[i]["transcript_id"] = f"ENST0000000000{i}".encode()
    if split == "train":
        examples[0]["label"] = -1
        examples[1]["symbol"] = b"NA"


def test_a_gene_of_several_tss_is_asked_for_by_its_transcript(
    study: Study, alter: Callable[..., Path]
) -> None:
    data: dict[str, Any] = {"dataset": "remc/altered", "data_dir": alter(with_transcripts)}
    with pytest.raises(InputError, match=r"which 2 of remc/altered have: TNMD@ENST00000000004 \("):
        open_study(study.run.path, gene="ENSG00000000005.12", **data)
    whole = open_study(study.run.path, **data)
    for name in ("TNMD@ENST00000000009", "enst00000000009.3"):
        found = open_study(study.run.path, gene=name, split="all", **data)
        assert found.genes.split == "test"
        assert found.genes.transcript_id.tolist() == ["ENST00000000009"]
        assert found.gene_names.tolist() == ["TNMD@ENST00000000009"] == [whole.gene_names[9]]
        np.testing.assert_array_equal(found.genes.signal[0], whole.genes.signal[9])


def test_a_gene_behind_one_without_label_is_the_right_one(
    study: Study, alter: Callable[..., Path]
) -> None:
    data: dict[str, Any] = {"dataset": "remc/altered", "data_dir": alter(with_transcripts)}
    dataset = study.run.open_dataset(data["dataset"], data["data_dir"])
    first, second, third = read_columns(dataset, "train")["gene_id"][:3]
    with pytest.raises(InputError, match=f"label by the rule 'median'.*{first} of remc/altered"):
        open_study(study.run.path, gene=str(first), **data)
    for gene_id in (second, third):
        found = open_study(study.run.path, gene=str(gene_id), **data)
        assert found.genes.gene_id.tolist() == [gene_id]
        assert found.genes.split == "train"
    with pytest.raises(InputError, match="gene='NA'"):
        open_study(study.run.path, gene="NA", **data)


def test_an_unknown_label_rule_is_refused(study: Study) -> None:
    gene_id = str(study.genes.gene_id[0])
    with pytest.raises(InputError, match=r"\('median', 'published'\)\. Received: labels='mean'"):
        open_study(study.run.path, gene=gene_id, labels="mean")


def test_a_run_with_splits_of_its_own_says_which_a_gene_is_in(study: Study) -> None:
    path = study.run.path
    config = json.loads((path / "config.json").read_text())
    config["options"]["split"] = "random"
    (path / "config.json").write_text(json.dumps(config))
    splits = pd.read_csv(path / "splits.csv", dtype=str)
    gene_id = str(study.genes.gene_id[0])
    splits.loc[splits["gene_id"] == gene_id, "split"] = "train"
    splits.to_csv(path / "splits.csv", index=False)
    found = open_study(path, gene=gene_id)
    assert found.genes.split == "train"
    np.testing.assert_array_equal(found.genes.signal[0], study.genes.signal[0])
    with pytest.raises(InputError, match=r"of split 'test'.*which is in split 'train'"):
        open_study(path, gene=gene_id, split="test")


def test_results_have_units_and_find_genes_by_name(
    study: Study, alter: Callable[..., Path], tmp_path: Path
) -> None:
    data_dir = alter(with_transcripts, unit="TPM")
    results = attend(study.run.path, dataset="remc/altered", data_dir=data_dir)
    write_arrays(tmp_path / "a.nc", results)
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as read:
        for found in (results, read):
            assert found["rpkm"].attrs["units"] == "TPM"
            assert found["bin"].attrs["units"] == "bp"
            assert found["alpha"].attrs["units"] == "1"
            assert all(v.attrs["long_name"] for name, v in found.data_vars.items())
            assert found["signal"].attrs["units"]
            assert found.indexes["gene"].is_unique
            one = found.sel(gene="TNMD@ENST00000000009", mark="H3K4me3", bin=0)
            np.testing.assert_array_equal(one["alpha"], found["alpha"].values[9, 3, 10])
            assert str(one["transcript_id"].values) == "ENST00000000009"
            both = found.set_xindex("gene_id").sel(gene_id="ENSG00000000005")
            assert both["tss"].values.tolist() == found["tss"].values[[4, 9]].tolist()


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


def test_options_of_a_command_say_what_is_on() -> None:
    options = parse(OnArguments, [], prog="command", description="")
    assert options == OnArguments(on_threshold="balanced", min_genes=50)
    argv = ["--on-threshold", "0.3", "--min-genes", "7"]
    options = parse(OnArguments, argv, prog="command", description="")
    assert options == OnArguments(on_threshold="0.3", min_genes=7)


def test_a_misspelled_name_is_refused(cnn_run_path: Path, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="splits"):
        attend(cnn_run_path, splits="train")  # type: ignore[call-arg]
    # A report is always on the test genes.
    with pytest.raises(TypeError, match="split"):
        report([cnn_run_path], tmp_path / "a.html", split="train")  # type: ignore[call-arg]
