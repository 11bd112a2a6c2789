"""Training, from options to run directory."""

import dataclasses
import importlib
import inspect
import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy.special import expit

import keras_chrome.fit.__main__ as fit_module
from export import export_run
from keras_chrome.attend import attend
from keras_chrome.command_line import parse
from keras_chrome.data import load_genes
from keras_chrome.errors import InputError
from keras_chrome.evaluate import evaluate
from keras_chrome.fit import PRESETS, FitConfig, fit
from keras_chrome.fit.__main__ import main
from keras_chrome.fit.job import check_run_directory
from keras_chrome.fit.recipes import PLAIN
from keras_chrome.models import VARIANTS
from keras_chrome.runs import open_run
from keras_chrome.vocabulary import CORE_MARKS


def small(data_dir: Path, run_path: Path, **options: object) -> FitConfig:
    """Options of `cnn_run_path`'s training, whose model compiles in no time, but for these."""
    return FitConfig(
        **{
            "dataset": "remc/small",
            "data_dir": data_dir,
            "run_dir": run_path,
            "model": "cnn_alpha_beta",
            "marks": CORE_MARKS,
            **dataclasses.asdict(PLAIN),
            "epochs": 3,
            "learning_rate": 0.01,
            **options,
        }
    )


def test_writes_a_whole_run_directory(run_path: Path) -> None:
    metrics = json.loads((run_path / "metrics.json").read_text())
    assert metrics["label_rule"] == "median"
    assert metrics["epochs_run"] == 3
    assert 1 <= metrics["best_epoch"] <= 3
    assert metrics["genes_per_second"] > 0
    for split in ("valid", "test"):
        low, high = metrics[split]["auroc_ci95"]
        assert low < metrics[split]["auroc"] < high
        assert metrics[split]["num_genes"] == 50
    history = pd.read_csv(run_path / "history.csv")
    assert history["val_auroc"].max() == pytest.approx(metrics["valid"]["auroc"], abs=1e-6)
    predictions = pd.read_csv(run_path / "predictions.csv")
    assert list(predictions) == ["gene_id", "split", "label", "probability"]
    assert len(predictions) == 100
    config = json.loads((run_path / "config.json").read_text())
    assert config["options"]["learning_rate"] == 0.01
    assert config["dataset"]["name"] == "remc/small"
    assert config["versions"]["tensorflow"] == tf.__version__
    assert any((run_path / "logs").rglob("events*"))
    assert not list(run_path.rglob(".*"))


def test_learns(run_path: Path) -> None:
    history = pd.read_csv(run_path / "history.csv")
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] - 0.05


def test_a_resumed_run_equals_an_unbroken_one(
    data_dir: Path, cnn_run_path: Path, tmp_path: Path
) -> None:
    fit(small(data_dir, tmp_path / "broken", epochs=1))
    fit(small(data_dir, tmp_path / "broken", resume=True))
    whole, resumed = (pd.read_csv(p / "history.csv") for p in (cnn_run_path, tmp_path / "broken"))
    assert resumed["epoch"].tolist() == [1, 2, 3]
    columns = ["loss", "val_loss", "val_auroc"]
    np.testing.assert_allclose(resumed[columns], whole[columns], atol=1e-4)


def test_another_seed_is_another_training(
    data_dir: Path, cnn_run_path: Path, tmp_path: Path
) -> None:
    fit(small(data_dir, tmp_path / "other", epochs=1, seed=1))
    losses = [pd.read_csv(p / "history.csv")["loss"][0] for p in (cnn_run_path, tmp_path / "other")]
    assert abs(losses[0] - losses[1]) > 1e-3


def test_resuming_with_other_options_names_them(data_dir: Path, cnn_run_path: Path) -> None:
    with pytest.raises(InputError, match=r"learning_rate=0\.5 \(was 0\.01\)"):
        fit(small(data_dir, cnn_run_path, resume=True, learning_rate=0.5, epochs=5))


def test_resuming_on_other_data_is_refused(data_dir: Path, cnn_run_path: Path) -> None:
    config = json.loads((cnn_run_path / "config.json").read_text())
    config["dataset"]["fingerprint"] = "another"
    (cnn_run_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="built anew with other contents"):
        fit(small(data_dir, cnn_run_path, resume=True, epochs=5))


def test_a_run_is_not_overwritten(data_dir: Path, cnn_run_path: Path) -> None:
    before = (cnn_run_path / "model.keras").read_bytes()
    with pytest.raises(InputError, match=r"holds a run.*--resume"):
        fit(small(data_dir, cnn_run_path))
    assert (cnn_run_path / "model.keras").read_bytes() == before


def test_overwrite_replaces_a_run(data_dir: Path, cnn_run_path: Path) -> None:
    (cnn_run_path / "attention-test.nc").touch()
    fit(small(data_dir, cnn_run_path, overwrite=True, model="logistic_regression"))
    assert open_run(cnn_run_path).model_name == "logistic_regression"
    for name in ("attention-test.nc", "history.csv", "model.keras", "checkpoints", "logs"):
        assert not (cnn_run_path / name).exists()


def test_overwrite_with_an_impossible_option_keeps_the_run(
    data_dir: Path, cnn_run_path: Path
) -> None:
    with pytest.raises(InputError, match=r"options of lstm.*mark_weights='shared'"):
        fit(small(data_dir, cnn_run_path, overwrite=True, model="lstm", mark_weights="shared"))
    assert open_run(cnn_run_path).load_model()


def test_a_baseline_is_a_run_like_any_other(data_dir: Path, tmp_path: Path) -> None:
    run = fit(small(data_dir, tmp_path / "run", model="logistic_regression_max"))
    assert evaluate(run.path)["test"]["auroc"] > 0.6
    assert run.model_name == "logistic_regression_max"
    with pytest.raises(InputError, match=r"attention.*model='logistic_regression_max'"):
        attend(run.path)
    with pytest.raises(InputError, match=r"baseline logistic_regression_max.*no graph"):
        export_run(run.path, tmp_path / "models", "baseline")
    assert not (tmp_path / "models").exists()


def test_a_run_keeps_its_own_splits(data_dir: Path, tmp_path: Path) -> None:
    run = fit(small(data_dir, tmp_path / "run", model="logistic_regression_max", split="random"))
    test_ids = set(run.load_genes("test").gene_id)
    assert len(test_ids) == 50
    assert test_ids != set(load_genes(run.open_dataset(), "test").gene_id)
    assert test_ids.isdisjoint(run.load_genes("train").gene_id)
    predictions = pd.read_csv(run.path / "predictions.csv")
    assert set(predictions["gene_id"][predictions["split"] == "test"]) == test_ids
    before = (run.path / "metrics.json").read_text()
    evaluate(run.path)
    assert json.loads(before) == json.loads((run.path / "metrics.json").read_text())


def test_stops_without_progress(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Steps so small that no validation gene changes places.
    run = fit(small(data_dir, tmp_path / "run", learning_rate=1e-12, epochs=20, patience=2))
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["epochs_run"] == 3
    assert metrics["best_epoch"] == 1
    *epochs, end = [line for line in capsys.readouterr().out.splitlines() if "epoch" in line]
    assert [line.partition(":")[0] for line in epochs] == ["epoch 1/20", "epoch 2/20", "epoch 3/20"]
    assert all("left" in line for line in epochs[:2])
    # Nothing is left of a training that is over.
    assert "left" not in epochs[2]
    auroc = metrics["valid"]["auroc"]
    assert end == (
        "stopped early: no better validation AUROC for 2 epochs; kept epoch 1, validation AUROC "
        f"{auroc:.4f}"
    )


class Seen(keras.callbacks.Callback):
    """Keeps what Keras's callbacks are told, and stops at the end of an epoch."""

    def __init__(self, stop_after: int) -> None:
        super().__init__()
        self.stop_after = stop_after
        self.calls: list[str] = []
        self.logs: list[dict[str, float]] = []

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.calls.append("begin")

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.calls.append(f"epoch {epoch}")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.calls[-1] != "batch":
            self.calls.append("batch")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.logs.append(dict(logs or {}))
        if epoch + 1 == self.stop_after:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.calls.append("end")


def test_callbacks_are_called_and_may_stop_the_training(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = Seen(stop_after=2)
    rate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    config = small(data_dir, tmp_path / "run", epochs=9)
    run = fit(config, callbacks=[rate, seen])
    assert seen.calls == ["begin", "epoch 0", "batch", "epoch 1", "batch", "end"]
    history = run.history
    assert [logs["val_auroc"] for logs in seen.logs] == history["val_auroc"].tolist()
    assert [logs["val_loss"] for logs in seen.logs] == history["val_loss"].tolist()
    assert seen.logs[1]["learning_rate"] == pytest.approx(0.01 / 4)
    assert run.metrics["epochs_run"] == 2
    assert "stopped by a callback in epoch 2; kept epoch" in capsys.readouterr().out


def test_a_callback_may_stop_in_the_middle_of_an_epoch(data_dir: Path, tmp_path: Path) -> None:
    def stop(batch: int, logs: dict[str, float]) -> None:
        callback.model.stop_training = True

    callback = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    run = fit(small(data_dir, tmp_path / "run", epochs=9), callbacks=[callback])
    assert run.metrics["epochs_run"] == 1


def test_keras_own_early_stopping_knows_the_validation_auroc(
    data_dir: Path, tmp_path: Path
) -> None:
    patient = keras.callbacks.EarlyStopping("val_auroc", mode="max", min_delta=1, patience=2)
    run = fit(small(data_dir, tmp_path / "run", epochs=9), callbacks=patient)
    assert run.metrics["epochs_run"] == 3


def test_what_keras_saves_on_the_way_any_process_loads(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "last.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(file)
    run = fit(small(data_dir, tmp_path / "run", epochs=1, calibrate="none"), callbacks=[checkpoint])
    loaded = keras.models.load_model(file)
    signal = run.load_genes("test").signal
    logit = loaded.predict(signal, verbose=0)[:, 0]
    np.testing.assert_allclose(expit(logit), run.predictions["probability"][-50:], atol=1e-5)


def test_callbacks_are_refused_with_a_baseline(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no callbacks.*model='svm', callbacks=\["):
        fit(small(data_dir, tmp_path / "run", model="svm"), callbacks=[Seen(1)])


def test_options_may_be_given_as_they_are(data_dir: Path, tmp_path: Path) -> None:
    model = "logistic_regression_max"
    run = fit(dataset="small", data_dir=data_dir, run_dir=tmp_path / "run", model=model)
    assert run.model_name == model
    config = small(data_dir, tmp_path / "run", model=model)
    other = fit(config, run_dir=tmp_path / "other", seed=3)
    assert (other.path, other.config.seed) == (tmp_path / "other", 3)
    with pytest.raises(TypeError, match="datset"):
        fit(datset="small", run_dir=tmp_path / "run")


def test_shards_take_the_same_step_as_the_whole_batch(
    data_dir: Path, cnn_run_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = 2 if os.cpu_count() == 1 else 1
    monkeypatch.setattr("os.cpu_count", lambda: other)
    fit(small(data_dir, tmp_path / "other", epochs=1))
    losses = [pd.read_csv(p / "history.csv")["loss"][0] for p in (cnn_run_path, tmp_path / "other")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize(
    ("precision", "model"),
    [
        ("mixed_float16", "lstm_attn"),
        ("mixed_bfloat16", "lstm"),
        pytest.param("mixed_float16", "attentive_chrome", marks=pytest.mark.slow),
        pytest.param("mixed_bfloat16", "attentive_chrome", marks=pytest.mark.slow),
    ],
)
def test_mixed_precision_trains_and_saves_float32(
    data_dir: Path, tmp_path: Path, precision: str, model: str
) -> None:
    run = fit(small(data_dir, tmp_path / "run", precision=precision, model=model))
    metrics = json.loads((run.path / "metrics.json").read_text())
    assert metrics["training_precision"] == precision
    saved = run.load_model()
    assert {w.dtype for w in saved.weights} == {"float32"}
    assert {layer.compute_dtype for layer in saved.layers} == {"float32"}
    history = pd.read_csv(run.path / "history.csv")
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]


def test_float16_scales_its_loss_and_goes_on_with_the_scale(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scales = []
    scale_loss = keras.optimizers.LossScaleOptimizer.scale_loss

    def seen(optimizer: keras.optimizers.LossScaleOptimizer, loss: Any) -> Any:
        scales.append(optimizer.initial_scale)
        return scale_loss(optimizer, loss)

    monkeypatch.setattr(keras.optimizers.LossScaleOptimizer, "scale_loss", seen)
    options = {"precision": "mixed_float16", "model": "lstm_attn", "schedule": "constant"}
    unbroken = fit(small(data_dir, tmp_path / "unbroken", **options, epochs=2))
    assert scales
    fit(small(data_dir, tmp_path / "run", **options, epochs=1))
    resumed = fit(small(data_dir, tmp_path / "run", **options, epochs=2, resume=True))
    assert resumed.history["loss"].tolist() == unbroken.history["loss"].tolist()


def test_nan_loss_is_an_error_and_leaves_nothing(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"finite loss.*--learning-rate"):
        fit(small(data_dir, tmp_path / "run", learning_rate=1e38, clip_norm=0))
    assert not (tmp_path / "run").exists()


def test_any_marks_in_any_order(data_dir: Path, tmp_path: Path) -> None:
    run = fit(small(data_dir, tmp_path / "run", marks=("H3K27ac", "H3K9me3"), epochs=1))
    assert run.marks == ("H3K27ac", "H3K9me3")
    assert run.load_model().input_shape == (None, 20, 2)


def test_all_marks_of_the_dataset_are_the_default_and_told(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"model": "logistic_regression_max", "marks": None}
    run = fit(small(data_dir, tmp_path / "run", dataset="small", **options))
    assert run.marks == (*CORE_MARKS, "H3K27ac")
    assert run.config.options["marks"] == [*CORE_MARKS, "H3K27ac"]
    assert run.config.options["dataset"] == "remc/small"
    first, *others = lines = capsys.readouterr().out.splitlines()[:5]
    assert first == "small: 6 marks: H3K27me3, H3K36me3, H3K4me1, H3K4me3, H3K9me3, H3K27ac"
    assert others == [
        "50 training genes, 50 validation, 50 test (the dataset's split), median labels",
        "model logistic_regression_max, 20 bins of each mark, hard targets",
        "H3K27ac is trained on, so that importance cannot be held against it later:",
        f"to leave it out, --marks {' '.join(CORE_MARKS)}",
    ]
    assert max(map(len, lines)) <= 100
    # The same run, whichever way the marks and the dataset are named.
    for marks in (None, (*CORE_MARKS, "H3K27AC")):
        check_run_directory(
            small(data_dir, run.path, **{**options, "marks": marks, "resume": True}),
            run.open_dataset(),
        )
    with pytest.raises(InputError, match=r"marks=\['H3K4me3'\] \(was \["):
        fit(small(data_dir, run.path, **{**options, "marks": ["h3k4ME3"], "resume": True}))


def test_marks_are_understood_in_any_spelling(data_dir: Path, tmp_path: Path) -> None:
    options = {"model": "logistic_regression_max", "marks": ("h3k4ME3", "H3k27AC")}
    run = fit(small(data_dir, tmp_path / "run", **options))
    assert run.marks == ("H3K4me3", "H3K27ac")
    assert run.config.options["marks"] == ["H3K4me3", "H3K27ac"]
    with pytest.raises(InputError, match=r"each mark once.*'H3K4me3', 'H3K4me3'"):
        fit(small(data_dir, tmp_path / "other", marks=("h3k4ME3", "H3K4me3")))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"labels": "Median", "split": "Random"}, {"labels": "median", "split": "random"}),
        ({"model": "Deep-Chrome"}, {"model": "deep_chrome"}),
        ({"split": "published"}, {"split": "dataset"}),
        ({"split": "neighbors"}, {"split": "neighbours"}),
        ({"precision": "FLOAT32"}, {"precision": "float32"}),
    ],
)
def test_words_are_understood_in_other_spellings(
    given: dict[str, str], expected: dict[str, str]
) -> None:
    typed = [part for name, word in given.items() for part in (f"--{name}", word)]
    required = ("--dataset", "E012", "--run-dir", "run")
    of_command = parse(FitConfig, [*required, *typed], prog="fit", description="")
    for config in (FitConfig(dataset="E012", run_dir="run", **given), of_command):
        assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize("split", ["published", None])
def test_a_run_of_an_earlier_version_opens_and_goes_on(
    data_dir: Path, cnn_run_path: Path, split: str | None
) -> None:
    content = json.loads((cnn_run_path / "config.json").read_text())
    del content["options"]["split"]
    content["options"] |= {"split": split} if split else {}
    (cnn_run_path / "config.json").write_text(json.dumps(content))
    run = open_run(cnn_run_path)
    assert run.config.split == "dataset"
    assert run.load_genes("test").gene_id.tolist() == (
        load_genes(run.open_dataset(), "test").gene_id.tolist()
    )
    check_run_directory(small(data_dir, run.path, resume=True), run.open_dataset())


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("model", "deep", "attentive_chrome.*model='deep'"),
        ("labels", "mean", "labels='mean'"),
        ("precision", "float8", "precision='float8'"),
        ("transform", "sqrt", "transform='sqrt'"),
        ("epochs", 0, "epochs=0"),
        ("batch_size", 0, "batch_size=0"),
        ("learning_rate", 0.0, r"learning_rate=0\.0"),
        ("clip_norm", -1.0, r"clip_norm=-1\.0"),
        ("dropout", 1.0, r"dropout=1\.0"),
        ("split", "shuffled", "split='shuffled'"),
        ("num_folds", 2, "num_folds=2"),
        ("fold", 5, "from 0 to 4.*fold=5"),
        ("marks", ("H3K4me3", "H3K4me3"), "each mark once"),
        ("marks", (), "at least one"),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        FitConfig(**{"dataset": "remc/small", "run_dir": "run", option: value})


def test_help_tells_the_dropout_that_variants_have() -> None:
    rates: dict[float, list[str]] = {}
    for name, path in VARIANTS.items():
        module, function = path.split(":")
        variant = getattr(importlib.import_module(module), function)
        rates.setdefault(inspect.signature(variant).parameters["dropout"].default, []).append(name)
    (told,) = (f.metadata["help"] for f in dataclasses.fields(FitConfig) if f.name == "dropout")
    assert set(rates) == {0.0, 0.1, 0.5}
    (of_ours,) = rates[0.1]
    words = f"0.5 for {' and '.join(rates[0.5])}, 0.1 for {of_ours} and 0 for other variants"
    assert words in told


def test_one_mark_is_one_mark() -> None:
    assert FitConfig(dataset="a", run_dir="b", marks="H3K4me3").marks == ("H3K4me3",)  # type: ignore[arg-type]


def test_options_of_variants_are_refused_with_a_baseline() -> None:
    with pytest.raises(InputError, match=r"model='svm', dropout=0\.5"):
        FitConfig(dataset="remc/small", run_dir="run", model="svm", dropout=0.5)


def test_folders_take_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = FitConfig(dataset="remc/small", run_dir="~/run", data_dir=Path("~/data"))
    assert (config.run_dir, config.data_dir) == (
        Path("/home/someone/run"),
        Path("/home/someone/data"),
    )


def test_resume_and_overwrite_exclude_each_other() -> None:
    with pytest.raises(InputError, match="Received: both"):
        FitConfig(dataset="remc/small", run_dir="run", resume=True, overwrite=True)


def test_the_paper_preset_and_what_is_given_beside_it(
    monkeypatch: pytest.MonkeyPatch, run_path: Path
) -> None:
    seen = []
    monkeypatch.setattr(fit_module, "fit", lambda c: seen.append(c) or open_run(run_path))
    main(["--preset", "paper", "--dataset", "d", "--run-dir", "r", "--epochs", "2"])
    assert dataclasses.asdict(seen[0]).items() >= {**PRESETS["paper"], "epochs": 2}.items()
    assert (seen[0].learning_rate, seen[0].transform, seen[0].labels) == (1e-4, "none", "published")


def test_permuted_labels_leave_nothing_to_learn_and_the_test_genes_alone(
    cnn_run_path: Path, data_dir: Path, tmp_path: Path
) -> None:
    options = {"model": "logistic_regression", "permute_labels": True}
    permuted = fit(small(data_dir, tmp_path / "permuted", **options))
    tables = [pd.read_csv(path / "predictions.csv") for path in (cnn_run_path, permuted.path)]
    test, valid = (
        [t[t["split"] == s]["label"].tolist() for t in tables] for s in ("test", "valid")
    )
    assert test[0] == test[1]
    assert valid[0] != valid[1]
    assert sum(valid[0]) == sum(valid[1])
