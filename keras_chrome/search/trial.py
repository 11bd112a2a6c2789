"""One trial: trainings with the same options, of which only the validation genes are asked."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import keras

from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig
from keras_chrome.fit.job import begin, prepare, train_variant

if TYPE_CHECKING:
    from keras_chrome.data import Dataset, Genes

# Of the epochs of a training.
PARTS = 10


class Outcome(NamedTuple):
    """How a trial ended.

    Attributes:
        state: `complete`; `pruned`, given up since others were better by then; or `failed`.
        scores: Of each training that ended, the validation AUROC of the epoch that is kept.
        reason: Why it failed.
    """

    state: Literal["complete", "pruned", "failed"]
    scores: list[float]
    reason: str = ""


def run_trial(
    config: FitConfig,
    data: tuple[Dataset, dict[str, Genes]],
    *,
    seeds: Sequence[int],
    is_hopeless: Callable[[int, float], bool],
) -> Outcome:
    """Train as `fit` does with each of the seeds, and stop before any gene is tested.

    Args:
        config: The options. What is written on the way goes to its run directory, which is removed.
        data: From `load`, for these options: training and validation genes.
        seeds: Of weights and shuffling.
        is_hopeless: Asked in the first training, after each tenth of its epochs, with the number of
            the tenth and the best validation AUROC so far: whether to give the trial up.

    Raises:
        InputError: If there can be no such training: a mark is missing, or an option is none of the
            variant's. A loss that is no longer finite makes the trial a failed one.
    """
    scores: list[float] = []
    for number, seed in enumerate(seeds):
        training = prepare(dataclasses.replace(config, seed=seed, overwrite=True), data)
        watch = _Watch(training.config.recipe().epochs, is_hopeless if number == 0 else None)
        try:
            train_variant(training, begin(training), [watch])
        except InputError as error:
            return Outcome("failed", scores, str(error))
        finally:
            shutil.rmtree(Path(config.run_dir), ignore_errors=True)
        if watch.gave_up:
            return Outcome("pruned", scores)
        scores.append(watch.best)
    return Outcome("complete", scores)


class _Watch(keras.callbacks.Callback):
    """Notes the best validation AUROC, and stops a training that is hopeless.

    A tenth of the epochs, and not so many of them, is what trainings are compared after: a schedule
    is one of all epochs.
    """

    def __init__(self, epochs: int, is_hopeless: Callable[[int, float], bool] | None) -> None:
        super().__init__()
        self.epochs = epochs
        self.is_hopeless = is_hopeless
        self.best = 0.0
        self.gave_up = False

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.best = max(self.best, (logs or {})["val_auroc"])
        before, now = (PARTS * number // self.epochs for number in (epoch, epoch + 1))
        if self.is_hopeless is None or before == now:
            return
        if self.is_hopeless(now, self.best) and now < PARTS:
            self.gave_up = self.model.stop_training = True
