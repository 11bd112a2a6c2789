"""The options of a training that are searched, and between what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_chrome.fit.config import knows_expression
from keras_chrome.fit.recipes import Recipe
from keras_chrome.vocabulary import SCHEDULES

if TYPE_CHECKING:
    import optuna

    from keras_chrome.data import Dataset
    from keras_chrome.fit import FitConfig


@dataclass(frozen=True)
class Between:
    """Numbers between two, which belong to it: whole ones if both are.

    Attributes:
        low: The least.
        high: The greatest.
        step: How far apart they are; 0 for any.
        is_log: Whether their logarithm is drawn.
    """

    low: float
    high: float
    step: float = 0
    is_log: bool = False

    def __str__(self) -> str:
        text = f"{self.low:g} to {self.high:g}"
        return f"{text}, logarithmic" if self.is_log else f"{text} by {self.step:g}"

    def __contains__(self, value: float) -> bool:
        steps = (value - self.low) / self.step if self.step else 0.0
        return self.low <= value <= self.high and abs(steps - round(steps)) < 1e-9

    def draw(self, trial: optuna.Trial, name: str) -> float:
        """The value of a trial, in three digits, as it is written and typed."""
        if isinstance(self.low, int):
            return trial.suggest_int(name, self.low, int(self.high), log=self.is_log)
        step = self.step or None
        drawn = trial.suggest_float(name, self.low, self.high, step=step, log=self.is_log)
        return float(f"{drawn:.3g}")


@dataclass(frozen=True)
class OneOf:
    """One of several values."""

    values: tuple[Any, ...]

    def __str__(self) -> str:
        return "one of " + ", ".join(map(str, self.values))

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def draw(self, trial: optuna.Trial, name: str) -> Any:
        """The value of a trial."""
        return trial.suggest_categorical(name, self.values)


Space = Mapping[str, Between | OneOf]

SPACE: Space = {
    "learning_rate": Between(1e-4, 1e-2, is_log=True),
    "batch_size": Between(16, 256, step=1, is_log=True),
    "epochs": Between(10, 40, step=1),
    "schedule": OneOf(SCHEDULES),
    "warmup": Between(0.05, 0.4, step=0.05),
    "weight_decay": Between(0.0, 0.2, step=0.01),
    "ema": OneOf((0.0, 0.9, 0.99, 0.995, 0.999)),
    "clip_norm": OneOf((0.3, 1.0, 3.0)),
    "dropout": Between(0.0, 0.5, step=0.05),
    "target_width": Between(0.25, 2.0, step=0.25),
    "regression_weight": Between(0.0, 1.0, step=0.1),
    "mixup": Between(0.0, 1.0, step=0.1),
    "gain": Between(0.0, 0.5, step=0.05),
    "shift": Between(0, 5, step=1),
    "empty_bins": Between(0.0, 0.3, step=0.05),
}
"""What is searched: every part of a `Recipe` but for `LEFT_OUT`, and what else there is to tune.

Each holds what every recipe says, so that a search can begin with it.
"""

LEFT_OUT = {
    "least_steps": "it is for recipes, which do not know how many genes there are",
    "patience": "it saves time: the best epoch is kept whatever it is",
    "mark_dropout": "it is for epigenomes that lack marks, whatever it costs those that have them",
}
"""Parts of a `Recipe` that are not searched, and why."""


def without_effect(config: FitConfig, dataset: Dataset) -> dict[str, str]:
    """The options that change nothing in such a training, and why."""
    unused = {}
    if (targets := config.chosen_targets(*dataset.medians)) != "soft":
        unused["target_width"] = f"{targets} targets"
    if not all(map(knows_expression, dataset.medians)):
        unused["regression_weight"] = f"{dataset.name}, without expression"
    return unused


def start_of(config: FitConfig, space: Space, num_genes: int) -> dict[str, Any]:
    """What the training does by itself: the values of its recipe.

    Args:
        config: Its options.
        space: The options that are wanted.
        num_genes: Training genes, which the batch size of a recipe depends on.
    """
    from keras_chrome.models.registry import default_option

    values = {
        **dataclasses.asdict(config.recipe().for_genes(num_genes)),
        "dropout": default_option(config.model, "dropout"),
        "target_width": config.target_width,
    }
    return {name: values[name] for name in space if _has_effect(name, values)}


def draw(trial: optuna.Trial, space: Space, recipe: Recipe) -> dict[str, Any]:
    """The options of a trial.

    Args:
        trial: The trial.
        space: What is searched.
        recipe: How to train where it is not.
    """
    options = dataclasses.asdict(recipe)
    drawn: dict[str, Any] = {}
    for name, values in space.items():
        if _has_effect(name, {**options, **drawn}):
            drawn[name] = values.draw(trial, name)
    return drawn


def _has_effect(name: str, options: Mapping[str, Any]) -> bool:
    """Whether an option counts beside those that stand before it in the space."""
    return name != "warmup" or options["schedule"] != "constant"
