"""What a training is told: models, options, presets."""

import dataclasses
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_chrome.baselines import BASELINES
from keras_chrome.command_line import as_spelled, option
from keras_chrome.data import check_each_once
from keras_chrome.errors import InputError
from keras_chrome.models.registry import VARIANTS
from keras_chrome.runs import RunConfig
from keras_chrome.vocabulary import (
    CALIBRATIONS,
    CORE_MARKS,
    LABELS,
    MARK_WEIGHTS,
    PRECISIONS,
    RECURRENCES,
    SPLIT_SCHEMES,
    TRANSFORMS,
    split_scheme,
)

MODELS = (*VARIANTS, *BASELINES)


@dataclass(frozen=True)
class FitConfig:
    """Every option of `fit`, with its default.

    Words may be spelled as on the command line, see `as_spelled`. A run's `config.json` holds
    `marks` as the dataset spells them, all that it has if they were left out.

    Raises:
        InputError: If a value is out of range.
    """

    dataset: str = option("built dataset: remc/E012, E012 for short, or its folder")
    run_dir: str | Path = option("run directory to write")
    data_dir: str | Path | None = option(
        "where datasets were built; TFDS's default if left out", default=None
    )
    model: str = option("variant or baseline", default="attentive_chrome", choices=MODELS)
    marks: tuple[str, ...] | None = option(
        "marks to use, in this order (default: all of the dataset)", default=None
    )
    labels: str = option(
        "median: high if rpkm > the epigenome's median; published: the authors' labels",
        default="median",
        choices=LABELS,
    )
    split: str = option(
        "dataset: the dataset's own splits; random: thirds; neighbours: thirds in which genes "
        "whose regions overlap by half or more stay together; disjoint: thirds in which genes "
        "whose regions overlap at all do; chromosome: whole chromosomes",
        default="dataset",
        choices=SPLIT_SCHEMES,
        type=split_scheme,
    )
    split_seed: int = option("seed of thirds", default=0)
    num_folds: int = option("folds of whole chromosomes", default=5)
    fold: int = option("fold to test on, from 0; the next one validates", default=0)
    epochs: int = option("most epochs to train", default=30)
    batch_size: int = option("genes a step", default=16)
    learning_rate: float = option("Adam's learning rate", default=1e-3)
    clip_norm: float = option("greatest norm of a step's gradient; 0 for no limit", default=1.0)
    dropout: float | None = option(
        "dropout rate; 0.5 for deep_chrome and cnn_attn and 0 for other variants if left out",
        default=None,
    )
    seed: int = option("seed of weights and shuffling", default=0)
    permute_labels: bool = option(
        "train and validate on shuffled labels, and test on the true ones: a sanity check, whose "
        "model has nothing to learn",
        default=False,
    )
    precision: str = option(
        "auto: mixed_float16 on a GPU with tensor cores, else float32",
        default="auto",
        choices=PRECISIONS,
    )
    recurrence: str = option(
        "code that runs the LSTMs in training: fused, or stock, which is Keras's own layer and "
        "cuDNN on a GPU; both compute the same",
        default="fused",
        choices=RECURRENCES,
    )
    transform: str = option(
        "log1p: log(1 + signal), standardised; none: the signal as it is",
        default="log1p",
        choices=TRANSFORMS,
    )
    calibrate: str = option(
        "temperature: divide the trained model's log-odds by the number that makes validation "
        "genes likeliest; none: leave them",
        default="temperature",
        choices=CALIBRATIONS,
    )
    mark_weights: str | None = option(
        "separate: one LSTM a mark; shared: one for all; of variants with an LSTM a mark, "
        "separate if left out",
        default=None,
        choices=MARK_WEIGHTS,
    )
    patience: int = option("epochs without a better validation AUROC before stopping", default=5)
    resume: bool = option("go on with the run in --run-dir", default=False)
    overwrite: bool = option("put the new run in the place of the one in --run-dir", default=False)

    def __post_init__(self) -> None:
        if self.marks is not None:
            marks = (self.marks,) if isinstance(self.marks, str) else tuple(self.marks)
            object.__setattr__(self, "marks", marks)
        for name in ("run_dir", "data_dir"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(value).expanduser())
        object.__setattr__(self, "split", split_scheme(str(self.split)))
        for name, known in self._words().items():
            value = as_spelled(str(getattr(self, name)), known)
            if value not in known:
                raise InputError(f"Expected one of {known}. Received: {name}={value!r}")
            object.__setattr__(self, name, value)
        for name in ("epochs", "batch_size", "patience"):
            if (value := getattr(self, name)) < 1:
                raise InputError(f"Expected at least 1. Received: {name}={value}")
        if not self.learning_rate > 0:
            raise InputError(
                f"Expected a positive number. Received: learning_rate={self.learning_rate}"
            )
        if not self.clip_norm >= 0:
            raise InputError(f"Expected zero or more. Received: clip_norm={self.clip_norm}")
        if not 0 <= (self.dropout or 0) < 1:
            raise InputError(f"Expected a rate in [0, 1). Received: dropout={self.dropout}")
        if self.num_folds < 3:
            raise InputError(f"Expected at least 3 folds. Received: num_folds={self.num_folds}")
        if not 0 <= self.fold < self.num_folds:
            raise InputError(
                f"Expected a fold from 0 to {self.num_folds - 1}. Received: fold={self.fold}"
            )
        if self.resume and self.overwrite:
            raise InputError("Expected --resume or --overwrite. Received: both")
        if self.model in BASELINES and self.variant_options():
            raise InputError(
                f"Expected no options of variants with a baseline. Received: model={self.model!r}, "
                + ", ".join(f"{k}={v!r}" for k, v in self.variant_options().items())
            )
        if self.marks is not None:
            check_each_once(self.marks)

    def _words(self) -> dict[str, Sequence[str]]:
        """The options that are one of several words, and these."""
        words: dict[str, Sequence[str]] = {
            "model": MODELS,
            "labels": LABELS,
            "split": SPLIT_SCHEMES,
            "precision": PRECISIONS,
            "recurrence": RECURRENCES,
            "transform": TRANSFORMS,
            "calibrate": CALIBRATIONS,
        }
        return words if self.mark_weights is None else words | {"mark_weights": MARK_WEIGHTS}

    def variant_options(self) -> dict[str, Any]:
        """The options that not every model has, as far as they are given."""
        options = {"mark_weights": self.mark_weights, "dropout": self.dropout}
        return {name: value for name, value in options.items() if value is not None}


PRESETS: dict[str, dict[str, Any]] = {
    # As published: Adam at 1e-4, batches of 16, gradients clipped to norm 1, counts as they are,
    # the authors' labels, the epoch with the best validation AUROC. It levels off before 30.
    "paper": {
        "marks": CORE_MARKS,
        "labels": "published",
        "transform": "none",
        "learning_rate": 1e-4,
        "batch_size": 16,
        "clip_norm": 1.0,
        "epochs": 30,
        "patience": 30,
        "calibrate": "none",
    },
}


@dataclass(frozen=True, kw_only=True)
class PresetOption:
    """The option that takes the defaults from `PRESETS`."""

    preset: str | None = option(
        "take the defaults from here: paper is the published training; options given beside it "
        "still count",
        default=None,
        choices=sorted(PRESETS),
    )


def changed_options(config: FitConfig, earlier: RunConfig, *, free: Collection[str]) -> list[str]:
    """The options that are not what a run was made with, each as `name=value (was value)`.

    The dataset is compared by its contents, where it is read, and not by its name here.

    Args:
        config: The options now.
        earlier: The run's.
        free: Names of options that may change.
    """
    now = dataclasses.asdict(config)
    if earlier.dataset is not None and earlier.dataset.marks is not None:
        held = earlier.dataset.marks
        now["marks"] = held if config.marks is None else [as_spelled(m, held) for m in config.marks]
    return [
        f"{name}={value!r} (was {before!r})"
        for name, value in json.loads(json.dumps(now, default=os.fspath)).items()
        if name not in {"dataset", *free} and value != (before := earlier.options.get(name))
    ]
