"""What a training is towards, from options to run directory."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from keras_chrome.data import open_dataset
from keras_chrome.data.targets import soft_targets
from keras_chrome.errors import InputError
from keras_chrome.fit import PRESETS, FitConfig, fit
from keras_chrome.fit.job import load, prepare
from keras_chrome.fit.targets import make_targets
from keras_chrome.models.prediction import predict
from keras_chrome.runs import open_run


def small(data_dir: Path, run_path: Path, **options: Any) -> FitConfig:
    required = {"dataset": "remc/small", "data_dir": data_dir, "run_dir": run_path}
    return FitConfig(**{**required, "model": "cnn_alpha_beta", **options})


def test_targets_are_soft_where_expression_made_the_labels(data_dir: Path, tmp_path: Path) -> None:
    training = prepare(small(data_dir, tmp_path / "run"))
    genes, median = training.genes["train"], training.dataset.metadata["median_rpkm"]
    assert training.config.targets == "soft"
    expected = soft_targets(genes.rpkm, genes.label, labels="median", median=median)
    np.testing.assert_array_equal(training.targets.target, expected)
    assert ((expected > 0.5) == (genes.label == 1)).all()
    log = np.clip(np.log2((genes.rpkm + 0.1) / (median + 0.1)), -3, 3)
    np.testing.assert_allclose(training.targets.log_expression, log, atol=1e-5)
    assert set(genes.label) == {0, 1}


def test_a_width_is_that_of_the_noise(data_dir: Path, tmp_path: Path) -> None:
    narrow, wide = (
        prepare(small(data_dir, tmp_path / "run", target_width=width)).targets.target
        for width in (1, 2)
    )
    np.testing.assert_allclose(
        np.log(narrow / (1 - narrow)), 2 * np.log(wide / (1 - wide)), rtol=1e-3
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"targets": "hard"}, "hard"),
        ({"model": "logistic_regression"}, "hard"),
        (PRESETS["plain"], "hard"),
    ],
)
def test_targets_are_hard_otherwise_unless_asked_for(
    data_dir: Path, tmp_path: Path, options: dict[str, Any], expected: str
) -> None:
    training = prepare(small(data_dir, tmp_path / "run", **options))
    assert training.config.targets == expected
    label = training.genes["train"].label
    is_label = training.targets.target == label
    assert is_label.all() == (expected == "hard")


def test_published_labels_are_hard_unless_soft_ones_are_asked_for(
    alter: Callable[..., Path], tmp_path: Path
) -> None:
    def publish(split: str, examples: list[dict[str, Any]]) -> None:
        for example in examples:
            example["label_published"] = example["label"]

    config = small(alter(publish), tmp_path / "run", dataset="altered", labels="published")
    assert prepare(config).config.targets == "hard"
    training = prepare(dataclasses.replace(config, targets="Soft"))
    genes, median = training.genes["train"], training.dataset.metadata["median_rpkm"]
    expected = soft_targets(genes.rpkm, genes.label, labels="published", median=median)
    np.testing.assert_array_equal(training.targets.target, expected)
    by_median = soft_targets(genes.rpkm, genes.label, labels="median", median=median)
    assert (expected != by_median).any()


def test_a_gene_without_expression_keeps_its_label(data_dir: Path, tmp_path: Path) -> None:
    config = small(data_dir, tmp_path / "run", targets="soft")
    dataset, genes = load(config)
    rpkm = genes["train"].rpkm.copy()
    rpkm[:2] = np.nan, -3
    targets = make_targets(config, dataset, dataclasses.replace(genes["train"], rpkm=rpkm))
    assert targets.target[:2].tolist() == genes["train"].label[:2].tolist()
    assert np.isnan(targets.log_expression).tolist() == [True] * 2 + [False] * (len(rpkm) - 2)


@pytest.mark.parametrize(
    ("options", "median"),
    [({"targets": "soft"}, None), ({"regression_weight": 0.5}, None), ({"targets": "soft"}, -1.5)],
)
def test_without_expression_there_is_nothing_to_soften(
    alter: Callable[..., Path], tmp_path: Path, options: dict[str, Any], median: float | None
) -> None:
    data_dir = alter(lambda split, examples: None, median_rpkm=median)
    config = small(data_dir, tmp_path / "run", dataset="altered")
    assert prepare(config).config.targets == "hard"
    (name, value), *_ = options.items()
    message = rf"expression, of 0 or more, for {name}={value!r}.*remc/altered, without; .* hard"
    with pytest.raises(InputError, match=message):
        prepare(dataclasses.replace(config, **options))


def test_a_baseline_that_takes_labels_alone_says_so(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--targets hard with svm.*targets='soft'"):
        prepare(small(data_dir, tmp_path / "run", model="svm", targets="soft"))


def test_permuted_labels_take_their_soft_targets_along(data_dir: Path, tmp_path: Path) -> None:
    true, permuted = (
        prepare(small(data_dir, tmp_path / "run", permute_labels=is_permuted))
        for is_permuted in (False, True)
    )
    label = permuted.genes["train"].label
    # As earlier versions shuffled them.
    expected = np.random.default_rng(0).permutation(true.genes["train"].label)
    assert label.tolist() == expected.tolist()
    assert ((permuted.targets.target > 0.5) == (label == 1)).all()
    assert sorted(permuted.targets.target) == sorted(true.targets.target)
    assert permuted.targets.target.tolist() != true.targets.target.tolist()


def test_labels_and_metrics_stay_hard(data_dir: Path, tmp_path: Path) -> None:
    options = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01}
    soft, hard = (
        fit(small(data_dir, tmp_path / t, targets=t, **options)) for t in ("soft", "hard")
    )
    assert soft.predictions["label"].tolist() == hard.predictions["label"].tolist()
    losses = [pd.read_csv(run.path / "history.csv")["loss"][0] for run in (soft, hard)]
    assert abs(losses[0] - losses[1]) > 1e-3
    options = json.loads((soft.path / "config.json").read_text())["options"]
    assert (options["targets"], options["target_width"]) == ("soft", 1.0)
    assert options["batch_size"] == 16


def test_a_run_from_before_there_were_soft_targets_goes_on_with_hard_ones(
    data_dir: Path, cnn_run_path: Path
) -> None:
    content = json.loads((cnn_run_path / "config.json").read_text())
    for name in ("targets", "target_width", "ema", "mixup", "schedule", "distill"):
        del content["options"][name]
    (cnn_run_path / "config.json").write_text(json.dumps(content))
    run = open_run(cnn_run_path)
    again = FitConfig(**{**run.config.options, "run_dir": run.path, "resume": True, "epochs": 4})
    assert prepare(again).config.targets == "hard"
    with pytest.raises(InputError, match=r"targets='soft' \(was 'hard'\)"):
        prepare(dataclasses.replace(again, targets=None))


def test_a_distilled_run_learns_what_another_says(
    data_dir: Path, cnn_run_path: Path, tmp_path: Path
) -> None:
    teacher = open_run(cnn_run_path)
    config = small(data_dir, tmp_path / "run", distill=cnn_run_path, marks=teacher.marks)
    training = prepare(config)
    expected = predict(teacher.load_model(), training.genes["train"].signal).probability
    np.testing.assert_array_equal(training.targets.target, expected)
    run = fit(config, epochs=1)
    options = run.config.options
    assert (options["targets"], options["distill"]) == ("distilled", str(cnn_run_path))
    prepare(FitConfig(**{**options, "overwrite": True}))


def test_a_run_of_other_labels_is_no_teacher(
    data_dir: Path, cnn_run_path: Path, tmp_path: Path
) -> None:
    content = json.loads((cnn_run_path / "config.json").read_text())
    content["options"]["labels"] = "published"
    (cnn_run_path / "config.json").write_text(json.dumps(content))
    marks = open_run(cnn_run_path).marks
    with pytest.raises(InputError, match=r"of labels median\. Received: .* of labels published"):
        prepare(small(data_dir, tmp_path / "run", distill=cnn_run_path, marks=marks))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"marks": ("H3K4me3",)}, "of marks H3K4me3. Received: .* of marks H3K27me3, "),
        ({"split": "random"}, "with the same training genes. Received: .*, trained on"),
    ],
)
def test_another_run_is_no_teacher(
    data_dir: Path, cnn_run_path: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    marks = open_run(cnn_run_path).marks
    config = {"distill": cnn_run_path, "marks": marks, **options}
    with pytest.raises(InputError, match=message):
        prepare(small(data_dir, tmp_path / "run", **config))


def test_an_unfinished_run_is_no_teacher(
    data_dir: Path, cnn_run_path: Path, tmp_path: Path
) -> None:
    (cnn_run_path / "model.keras").unlink()
    marks = open_run(cnn_run_path).marks
    with pytest.raises(InputError, match=r"finished run.*without model\.keras"):
        prepare(small(data_dir, tmp_path / "run", distill=cnn_run_path, marks=marks))


def test_targets_and_a_run_to_distill_agree() -> None:
    required = {"dataset": "d", "run_dir": "r"}
    with pytest.raises(InputError, match=r"--distill or --targets soft\. Received: both"):
        FitConfig(**required, distill="other", targets="soft")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"--distill RUN with --targets distilled"):
        FitConfig(**required, targets="distilled")  # type: ignore[arg-type]
    # Of an infinite width infinity less infinity would be the hard label.
    for width in (0, -1, math.nan, math.inf):
        with pytest.raises(InputError, match=rf"positive number.*target_width={width}"):
            FitConfig(**required, target_width=width)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=rf"target_width={width}"):
            soft_targets(np.ones(2), np.ones(2), labels="median", median=1.0, width=width)


def test_dataset_of_the_tests_knows_expression(data_dir: Path) -> None:
    assert open_dataset("small", data_dir).metadata["median_rpkm"] is not None
