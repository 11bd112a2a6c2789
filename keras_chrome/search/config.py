"""What a search is told."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_chrome.baselines import BASELINES
from keras_chrome.command_line import as_spelled, option
from keras_chrome.errors import InputError
from keras_chrome.fit.config import MODELS, FitConfig
from keras_chrome.search.space import SPACE

# The options of `fit` that a search sets itself, one that leaves nothing to search for, one for
# which there is no AUROC to search by, and those of several devices.
SET_BY_SEARCH = {
    *("dataset", "model", "seed", "run_dir", "resume", "overwrite", "permute_labels", "task"),
    *("strategy", "worker_timeout_s"),
}
FIT_OPTIONS = {field.name for field in dataclasses.fields(FitConfig)} - SET_BY_SEARCH


@dataclass(frozen=True)
class SearchConfig:
    """Every option of `search`.

    Attributes:
        fit_options: Options of `fit` by their names in `FitConfig`, for every trial: what is given
            here is not searched.

    Raises:
        InputError: If a value is out of range, unknown, or stands twice.
    """

    dataset: str = option("built dataset, as for fit")
    out_dir: str | Path = option("folder to write trials.csv and best.json to", aliases=["out"])
    model: str = option(
        "variant; a baseline has no options to search", default="attentive_chrome", choices=MODELS
    )
    trials: int = option(
        "trials in the folder, those of earlier commands among them; the first is the recipe that "
        "the model has",
        default=30,
    )
    hours: float | None = option(
        "hours after which this command begins no further trial", default=None
    )
    seed: int = option("seed of what is tried", default=0)
    seeds: tuple[int, ...] = option(
        "seeds of weights and shuffling; the score of a trial is the mean over them", default=(0,)
    )
    vary: tuple[str, ...] = option(
        "options to search (default: all that have an effect and are not given)",
        default=(),
        choices=tuple(SPACE),
    )
    fit_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "out_dir", Path(self.out_dir).expanduser())
        object.__setattr__(self, "model", as_spelled(self.model, MODELS))
        object.__setattr__(self, "seeds", tuple(self.seeds))
        object.__setattr__(self, "vary", tuple(as_spelled(name, SPACE) for name in self.vary))
        if self.model in BASELINES:
            raise InputError(
                f"Expected a variant, which has options to search. Received: model={self.model!r}, "
                "a baseline, which has none"
            )
        if self.trials < 1:
            raise InputError(f"Expected at least 1. Received: trials={self.trials}")
        if self.hours is not None and not (self.hours > 0 and math.isfinite(self.hours)):
            raise InputError(f"Expected a positive number. Received: hours={self.hours}")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"Expected a seed of 0 or more, below 2^32. Received: {self.seed}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(
                f"Expected each of seeds once, and at least one. Received: seeds={self.seeds}"
            )
        if unknown := sorted(set(self.fit_options) - FIT_OPTIONS):
            raise InputError(
                f"Expected fit_options among {sorted(FIT_OPTIONS)}. Received: {', '.join(unknown)}"
            )
        if unknown := [name for name in self.vary if name not in SPACE]:
            raise InputError(f"Expected options among {', '.join(SPACE)}. Received: vary={unknown}")
        if both := [name for name in self.vary if name in self.fit_options]:
            raise InputError(
                f"Expected an option either to vary or with its value. Received: {', '.join(both)} "
                "as both"
            )
        self.fit_config()  # `FitConfig` checks the rest.

    def given(self, **tried: Any) -> dict[str, Any]:
        """Options of `fit`, all but where to: those given here, and what a trial tries."""
        own = {"dataset": self.dataset, "model": self.model, "seed": self.seeds[0]}
        return {**own, **self.fit_options, **tried}

    def fit_config(self, run_dir: str | Path = "", **tried: Any) -> FitConfig:
        """The same as `fit` takes them."""
        return FitConfig(run_dir=run_dir, **self.given(**tried))
