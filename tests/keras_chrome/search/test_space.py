"""What is searched: all of a recipe that there is to tune, within ranges that hold every recipe."""

import dataclasses
from pathlib import Path
from typing import Any

import optuna
import pytest

from keras_chrome.data import Dataset
from keras_chrome.fit import FitConfig
from keras_chrome.fit.recipes import PLAIN, Recipe
from keras_chrome.models import VARIANTS
from keras_chrome.search.space import LEFT_OUT, SPACE, Between, draw, start_of, without_effect


def config(**options: Any) -> FitConfig:
    return FitConfig(**{"dataset": "remc/small", "run_dir": "run", **options})


def dataset(median_rpkm: float | None) -> Dataset:
    return Dataset("remc/own", Path(), ("H3K4me3",), 2, 100, 100, {"median_rpkm": median_rpkm})


def drawn(number: int, recipe: Recipe = PLAIN, **space: Any) -> list[dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [draw(study.ask(), space or SPACE, recipe) for _ in range(number)]


def test_every_part_of_a_recipe_is_searched_or_left_out_by_name() -> None:
    parts = {field.name for field in dataclasses.fields(Recipe)}
    assert LEFT_OUT.keys() <= parts
    assert set(SPACE) == (parts - LEFT_OUT.keys()) | {"dropout", "target_width"}


@pytest.mark.parametrize("model", VARIANTS)
def test_the_space_holds_every_models_recipe(model: str) -> None:
    own = start_of(config(model=model), SPACE, 6600)
    has_schedule = own["schedule"] != "constant"
    assert set(own) == set(SPACE) - (set() if has_schedule else {"warmup"})
    for name, value in own.items():
        assert value in SPACE[name], name


def test_the_start_is_the_recipe_and_what_the_variant_has() -> None:
    own = start_of(config(model="context_chrome"), SPACE, 6600)
    assert {name: own[name] for name in ("learning_rate", "warmup", "mixup", "shift", "ema")} == {
        "learning_rate": 3e-3,
        "warmup": 0.15,
        "mixup": 0.3,
        "shift": 2,
        "ema": 0.99,
    }
    assert (own["dropout"], own["target_width"]) == (0.1, 1.0)
    assert start_of(config(model="deep_chrome"), SPACE, 6600)["dropout"] == 0.5
    # Of few genes a recipe takes smaller batches.
    assert own["batch_size"] == 128
    assert start_of(config(model="additive_chrome"), SPACE, 1000)["batch_size"] == 20


def test_what_is_drawn_lies_in_the_space_and_is_what_fit_takes() -> None:
    trials = drawn(100)
    for options in trials:
        config(**options)
        for name, value in options.items():
            assert value in SPACE[name] or name == "learning_rate"
            # As it is printed and typed.
            assert isinstance(value, int | str) or value == float(f"{value:.3g}")
        assert 1e-4 <= options["learning_rate"] <= 1e-2
    assert {type(options[name]) for options in trials for name in ("shift", "batch_size")} == {int}
    assert {options["shift"] for options in trials} == {0, 1, 2, 3, 4, 5}
    assert {options["mixup"] for options in trials} >= {0.0, 0.3, 1.0}
    # Half of the rates are below the middle of the logarithms.
    assert 30 < sum(options["learning_rate"] < 1e-3 for options in trials) < 70


def test_a_warm_up_is_drawn_where_a_schedule_has_one() -> None:
    for options in drawn(30):
        assert ("warmup" in options) == (options["schedule"] != "constant")
    warmup = {"warmup": SPACE["warmup"]}
    assert drawn(1, PLAIN, **warmup) == [{}]
    assert list(drawn(1, dataclasses.replace(PLAIN, schedule="cosine"), **warmup)[0]) == ["warmup"]


@pytest.mark.parametrize(
    ("options", "median_rpkm", "unused"),
    [
        ({}, 1.5, set()),
        ({"labels": "published"}, 1.5, {"target_width"}),
        ({"targets": "hard"}, 1.5, {"target_width"}),
        ({}, None, {"target_width", "regression_weight"}),
        ({}, -0.5, {"target_width", "regression_weight"}),
    ],
)
def test_options_without_effect_are_known(
    options: dict[str, Any], median_rpkm: float | None, unused: set[str]
) -> None:
    assert set(without_effect(config(**options), dataset(median_rpkm))) == unused


def test_a_step_tells_what_belongs_to_a_range() -> None:
    steps = Between(0.0, 0.3, step=0.1)
    assert [value in steps for value in (-0.1, 0.0, 0.15, 0.3, 0.4)] == [
        *(False, True, False, True, False)
    ]
    assert str(steps) == "0 to 0.3 by 0.1"
    assert str(Between(1e-4, 1e-2, is_log=True)) == "0.0001 to 0.01, logarithmic"
