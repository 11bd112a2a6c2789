"""How a variant is trained: its recipe, what is given beside it, and that it is carried out."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.fit import PRESETS, FitConfig, fit
from keras_chrome.fit.recipes import PLAIN, RECIPES, Recipe
from keras_chrome.models import VARIANTS
from keras_chrome.models.head import answer
from keras_chrome.runs.config import EARLIER_TRAINING

RICH = {
    "batch_size": 10,
    "learning_rate": 0.01,
    "weight_decay": 0.05,
    "schedule": "one_cycle",
    "ema": 0.8,
    "regression_weight": 0.5,
    "mixup": 0.3,
    "gain": 0.1,
    "shift": 2,
    "empty_bins": 0.05,
    "patience": 0,
}


def small(data_dir: Path, run_path: Path, **options: Any) -> FitConfig:
    required = {"dataset": "remc/small", "data_dir": data_dir, "run_dir": run_path}
    return FitConfig(**{**required, "model": "cnn_alpha_beta", "epochs": 3, **options})


def stop_after(epoch: int) -> keras.callbacks.Callback:
    """Breaks a training off, as a kill after an epoch's checkpoint does."""

    class Break(keras.callbacks.Callback):
        def on_epoch_begin(self, now: int, logs: dict[str, float] | None = None) -> None:
            if now == epoch:
                raise KeyboardInterrupt

    return Break()


def normalized(signal: Any, *, dropout: float = 0.2) -> dict[str, Any]:
    """A variant with all that has a state of its own: batch normalization, and dropout."""
    hidden = keras.layers.Conv1D(4, 3, use_bias=False, name="convolution")(signal)
    hidden = keras.layers.BatchNormalization(name="norm")(hidden)
    pooled = keras.layers.GlobalAveragePooling1D(name="pooling")(keras.ops.relu(hidden))
    return answer(keras.layers.Dropout(dropout, name="gene_dropout")(pooled))


@pytest.mark.parametrize("model", ["cnn_alpha_beta", "lstm"])
def test_a_resumed_rich_training_equals_an_unbroken_one_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, tmp_path: Path, model: str
) -> None:
    # It takes the place of a variant that has a name.
    monkeypatch.setitem(VARIANTS, "lstm", f"{__name__}:normalized")
    whole = fit(small(data_dir, tmp_path / "whole", model=model, **RICH))
    broken = small(data_dir, tmp_path / "broken", model=model, **RICH)
    with pytest.raises(KeyboardInterrupt):
        fit(broken, callbacks=stop_after(1))
    resumed = fit(broken, resume=True)
    columns = ["loss", "val_loss", "val_auroc"]
    assert (
        resumed.history[columns].to_numpy().tolist() == whole.history[columns].to_numpy().tolist()
    )
    assert len(whole.history) == 3
    for ours, theirs in zip(
        resumed.load_model().get_weights(), whole.load_model().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    if model == "lstm":
        assert (whole.load_model().get_layer("norm").moving_mean.numpy() != 0).all()
    # Nothing of the second loss is left in what is saved.
    assert not [w.path for w in whole.load_model().weights if "expression" in w.path]


def test_the_average_of_the_weights_is_kept_and_training_goes_on_from_the_weights(
    data_dir: Path, tmp_path: Path
) -> None:
    """Of one step an epoch: the average of two steps is known from those of a plain training."""
    options = {"batch_size": 50, "learning_rate": 0.01, "patience": 0, "epochs": 3}
    seen: dict[float, list[list[np.ndarray]]] = {}

    class Keep(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            seen[momentum].append(self.model.trainee.get_weights())

    for momentum in (0.0, 0.75):
        seen[momentum] = []
        run = fit(
            small(data_dir, tmp_path / str(momentum), ema=momentum, calibrate="none", **options),
            callbacks=Keep(),
        )
    for plain, averaged in zip(*seen.values(), strict=True):
        for ours, theirs in zip(plain, averaged, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    average = seen[0.0][0]
    by_epoch = [average]
    for weights in seen[0.0][1:]:
        average = [0.75 * a + 0.25 * w for a, w in zip(average, weights, strict=True)]
        by_epoch.append(average)
    best = run.metrics["best_epoch"] - 1
    for ours, theirs in zip(run.load_model().get_weights(), by_epoch[best], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_rich_recipe_trains_in_mixed_precision(data_dir: Path, tmp_path: Path) -> None:
    run = fit(small(data_dir, tmp_path / "run", precision="mixed_float16", **RICH))
    assert {w.dtype for w in run.load_model().weights} == {"float32"}
    assert np.isfinite(run.history["loss"]).all()
    assert run.metrics["epochs_run"] == 3


def test_no_patience_trains_to_the_last_epoch(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Steps so small that no validation gene changes places.
    run = fit(small(data_dir, tmp_path / "run", learning_rate=1e-12, epochs=8, patience=0))
    assert run.metrics["epochs_run"] == 8
    assert "reached the last epoch; kept epoch 1" in capsys.readouterr().out


def test_a_schedule_is_one_of_so_many_epochs(data_dir: Path, tmp_path: Path) -> None:
    config = small(data_dir, tmp_path / "run", epochs=1, schedule="cosine")
    fit(config)
    with pytest.raises(InputError, match=r"epochs=2 \(was 1\)"):
        fit(config, resume=True, epochs=2)
    fit(config, resume=True, patience=9)


def test_a_models_recipe_is_taken_and_options_win_over_it(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(RECIPES, "cnn_alpha_beta", Recipe(epochs=2, batch_size=25, ema=0.5))
    required: dict[str, Any] = {"dataset": "small", "data_dir": data_dir}
    config = FitConfig(**required, run_dir=tmp_path / "run", model="cnn_alpha_beta", ema=0)
    assert config.recipe() == Recipe(epochs=2, batch_size=25, ema=0)
    assert dataclasses.replace(config, model="lstm").recipe() == dataclasses.replace(
        RECIPES["lstm"], ema=0
    )
    options = fit(config).config.options
    assert {name: options[name] for name in ("epochs", "batch_size", "ema", "learning_rate")} == {
        "epochs": 2,
        "batch_size": 25,
        "ema": 0,
        "learning_rate": 1e-3,
    }
    # Left out again, it is the same training; and a preset is the same for every variant.
    fit(config, resume=True)
    preset = FitConfig(**required, run_dir="r", model="cnn_alpha_beta", **PRESETS["plain"])
    assert preset.recipe() == PLAIN


@pytest.mark.parametrize(
    ("num_genes", "batch_size"),
    [(6517, 128), (6400, 128), (6399, 127), (1000, 20), (800, 16), (250, 16), (9, 9)],
)
def test_few_genes_are_taken_in_smaller_batches(num_genes: int, batch_size: int) -> None:
    recipe = Recipe(batch_size=128, least_steps=50)
    assert recipe.for_genes(num_genes) == Recipe(batch_size=batch_size)
    # What is asked for is had, and what is smaller stays so.
    assert Recipe(batch_size=128).for_genes(num_genes).batch_size == min(128, num_genes)
    assert Recipe(batch_size=4, least_steps=50).for_genes(num_genes).batch_size == 4


def test_a_batch_size_that_is_given_is_taken(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, tmp_path: Path
) -> None:
    monkeypatch.setitem(RECIPES, "cnn_alpha_beta", Recipe(epochs=1, batch_size=25, least_steps=3))
    steps: list[int] = []

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            steps.append(int(self.model.optimizer.iterations))

    def train(name: str, **options: int) -> None:
        config = small(data_dir, tmp_path / name, epochs=1, **options)
        assert fit(config, callbacks=Count()).config.options["least_steps"] == (0 if options else 3)

    train("recipe")
    train("given", batch_size=25)
    assert steps == [3, 2]  # of 50 genes


def test_presets_say_every_part_of_a_recipe() -> None:
    parts = {field.name for field in dataclasses.fields(Recipe)}
    for preset in PRESETS.values():
        assert preset.keys() >= {"targets", "calibrate", *parts}
    further = {
        "task": "classification",
        "targets": "hard",
        "target_width": 1.0,
        "distill": None,
        "calibrate": "none",
    }
    start = {"leave_out": None, "init_from": None, "freeze": "none", "epigenome_bias": False}
    off = dataclasses.asdict(PLAIN) | further | start
    assert EARLIER_TRAINING.items() <= off.items()
    known = {"epochs", "batch_size", "learning_rate", "clip_norm", "patience"}
    assert parts - known <= EARLIER_TRAINING.keys()
    assert set(RECIPES) <= set(VARIANTS)


def test_the_paper_preset_is_what_it_was() -> None:
    paper = FitConfig(dataset="d", run_dir="r", **PRESETS["paper"])
    assert paper.recipe() == Recipe(learning_rate=1e-4, batch_size=16, epochs=30, patience=30)
    assert paper.targets == "hard"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("patience", -1),
        ("weight_decay", -0.1),
        ("schedule", "linear"),
        ("warmup", 1.0),
        ("ema", 1.0),
        ("regression_weight", -1.0),
        ("mixup", -0.1),
        ("gain", -0.1),
        ("shift", -1),
        ("empty_bins", 1.0),
        ("mark_dropout", 1.0),
    ],
)
def test_recipes_out_of_range_are_refused(option: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{option}={value!r}"):
        FitConfig(**{"dataset": "remc/small", "run_dir": "run", option: value})
