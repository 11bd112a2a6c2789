"""What a sweep is told, and what its runs are called."""

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_chrome.command_line import as_spelled, option
from keras_chrome.errors import InputError
from keras_chrome.fit.config import MODELS, FitConfig
from keras_chrome.models.registry import BANKS
from keras_chrome.vocabulary import LABELS

RUN_NAME = "{labels}/{epigenome}/{model}/seed-{seed}"
"""What a run is called below `runs/` and `logs/` of a sweep's folder.

It says neither the split scheme nor whether labels are permuted: these need a folder of their own,
as any other options do, and a leaderboard of several folders tells schemes and folds apart.
"""

# The options of `fit` that a sweep sets itself, and those of several devices, which train one run
# after the other; all others are the same in every run.
SET_BY_SWEEP = {
    *("dataset", "model", "labels", "seed", "run_dir", "resume", "overwrite"),
    *("strategy", "worker_timeout_s"),
}
FIT_OPTIONS = {field.name for field in dataclasses.fields(FitConfig)} - SET_BY_SWEEP


@dataclass(frozen=True)
class SweepConfig:
    """Every option of `sweep`.

    Attributes:
        fit_options: Options of `fit` by their names in `FitConfig`, for every run.

    Raises:
        InputError: If a value is out of range, unknown, or stands twice.
    """

    models: tuple[str, ...] = option("variants and baselines", choices=MODELS)
    datasets: tuple[str, ...] = option("built datasets, such as remc/E012")
    out_dir: str | Path = option(
        "folder to write runs, logs and the leaderboard to", aliases=["out"]
    )
    seeds: tuple[int, ...] = option("seeds of weights and shuffling", default=(0,))
    labels: tuple[str, ...] = option("label rules", default=("median",), choices=LABELS)
    jobs: int = option("processes at the same time", default=1)
    bank: int = option(
        "runs of recurrent variants that a process trains at once; several times faster than one "
        "after the other, but a run that was broken off is begun anew",
        default=1,
    )
    overwrite: bool = option("redo the runs that were made with other options", default=False)
    fit_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "out_dir", Path(self.out_dir).expanduser())
        for name, known in (("models", MODELS), ("labels", LABELS)):
            spelled = tuple(as_spelled(word, known) for word in getattr(self, name))
            object.__setattr__(self, name, spelled)
        for name in ("datasets", "seeds"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("models", "datasets", "seeds", "labels"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise InputError(
                    f"Expected each of {name} once, and at least one. Received: {name}={values}"
                )
        for name in ("jobs", "bank"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")
        if len({_epigenome(d) for d in self.datasets}) < len(self.datasets):
            raise InputError(
                "Expected datasets of different names, which the run directories take. "
                f"Received: datasets={self.datasets}"
            )
        if unknown := sorted(set(self.fit_options) - FIT_OPTIONS):
            raise InputError(
                f"Expected fit_options among {sorted(FIT_OPTIONS)}. Received: {', '.join(unknown)}"
            )
        self.runs()  # `FitConfig` checks the rest.

    def runs(self) -> dict[str, FitConfig]:
        """The options of each run by its name, in the order in which they are started."""
        runs = {}
        for labels, dataset, model, seed in itertools.product(
            self.labels, self.datasets, self.models, self.seeds
        ):
            name = RUN_NAME.format(
                labels=labels, epigenome=_epigenome(dataset), model=model, seed=seed
            )
            runs[name] = FitConfig(
                **self.fit_options,
                dataset=dataset,
                model=model,
                labels=labels,
                seed=seed,
                run_dir=Path(self.out_dir, "runs", name),
                resume=True,
            )
        return runs


def fits_bank(config: FitConfig) -> bool:
    """Whether a run can be trained in a bank.

    It can for classification in float32, with one LSTM a mark that reads its mark, from random
    weights, from memory, and without dropout, a second loss, altered genes, or a bias of each
    epigenome.
    """
    recipe = config.recipe()
    return (
        config.model in BANKS
        and config.task == "classification"
        and not config.dropout
        and config.mark_weights != "shared"
        and config.lstm_reads != "all"
        and config.precision in ("auto", "float32")
        and config.recurrence == "fused"
        and not recipe.regression_weight
        and not recipe.augments
        and not config.init_from
        and not config.epigenome_bias
        and not config.stream
    )


def _epigenome(dataset: str) -> str:
    """`E012` of `remc/E012` and of the folder of its version."""
    path = Path(dataset).expanduser()
    return path.parent.name if (path / "dataset_info.json").is_file() else path.name
