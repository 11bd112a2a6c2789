"""Train many models in one process, several at once.

`sweep --bank` uses it, as `python -m keras_chrome.sweep.fit_bank RUNS.json --places 8`: a file with
the options of each run by its name.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.errors import InputError, printable
from keras_chrome.fit.config import FitConfig
from keras_chrome.fit.job import (
    begin,
    check_run_directory,
    finish,
    load,
    measured_in_training,
    prepare,
)
from keras_chrome.runs.json_reader import read_json
from keras_chrome.runs.run import writing
from keras_chrome.sweep.config import fits_bank

if TYPE_CHECKING:
    from keras_chrome.data import Dataset, Genes
    from keras_chrome.sweep.bank import Bank


def fit_bank(runs: Mapping[str, FitConfig], *, num_places: int) -> dict[str, str]:
    """Train runs as `fit` does, `num_places` at once.

    Each run is what `fit` would have made of it, up to rounding: it has its own data, order of
    genes, optimizer, early stopping and run directory. When one stops, the next takes its place.
    Training is in float32. There are no checkpoints: a run that was broken off is begun anew.

    Args:
        runs: Options of each run by its name; all that `fits_bank` finds fit.
        num_places: Most runs trained at once.

    Returns:
        Why runs failed, by their names: none that failed ends another.

    Raises:
        InputError: If a run does not fit a bank.
    """
    if unfit := [name for name, config in runs.items() if not fits_bank(config)]:
        raise InputError(
            "Expected runs of recurrent variants for classification in float32, without dropout, "
            f"shared weights, a second loss, or altered genes. Received: {', '.join(unfit)}"
        )
    failures: dict[str, str] = {}
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    sizes: dict[str, tuple[int, int]] = {}
    for name, config in runs.items():
        try:
            dataset, genes = _data(config)
            check_run_directory(config, dataset)
        except InputError as error:
            failures[name] = str(error)
            continue
        sizes[name] = len(genes["train"]), len(genes["valid"])
        groups[_shape(config, dataset, sizes[name][0])].append(name)
    for names in groups.values():
        num_train, num_valid = (max(sizes[name][i] for name in names) for i in (0, 1))
        of_group = {name: runs[name] for name in names}
        failures |= _fit_alike(of_group, num_places, num_train=num_train, num_valid=num_valid)
    return failures


def _data(config: FitConfig) -> tuple[Dataset, dict[str, Genes]]:
    """The data of a run; those of several seeds of one dataset are read once."""
    seed = config.seed if config.permute_labels else 0
    return _load_once(dataclasses.replace(config, run_dir="", seed=seed))


_load_once = functools.lru_cache(maxsize=1)(load)


def _shape(config: FitConfig, dataset: Dataset, num_train: int) -> tuple[Any, ...]:
    """What runs of one bank have in common."""
    return (
        config.model,
        len(dataset.find_marks(config.marks)),
        dataset.num_bins,
        # How long each trains is its own affair.
        dataclasses.replace(config.recipe().for_genes(num_train), epochs=1, patience=0),
    )


def _fit_alike(
    runs: Mapping[str, FitConfig], num_places: int, *, num_train: int, num_valid: int
) -> dict[str, str]:
    """Train runs of one shape; why runs failed."""
    from keras_chrome.sweep.bank import Bank

    failures: dict[str, str] = {}
    waiting = deque(runs.items())
    bank: Bank | None = None
    seats: list[_Seat | None] = [None] * min(num_places, len(runs))
    with ExitStack() as all_runs:
        while waiting or any(seats):
            for place in (place for place, seat in enumerate(seats) if seat is None):
                seats[place] = seat = _next_seat(waiting, all_runs, failures)
                if seat is None:
                    break
                if bank is None:
                    bank = Bank(
                        seat.config.model,
                        len(seats),
                        num_marks=len(seat.training.arguments["marks"]),
                        num_bins=seat.training.dataset.num_bins,
                        num_train=num_train,
                        num_valid=num_valid,
                        recipe=seat.recipe,
                        options={},
                    )
                seat.enter(bank, place)
            if not any(seats):
                break
            assert bank is not None
            for place, why in _train_to_next_end(bank, seats):
                seat = seats[place]
                assert seat is not None
                seat.close(why)
                if why:
                    failures[seat.name] = why
                seats[place] = None
    return failures


def _next_seat(
    waiting: deque[tuple[str, FitConfig]], all_runs: ExitStack, failures: dict[str, str]
) -> _Seat | None:
    """The next run that can begin; those that cannot have failed."""
    while waiting:
        name, config = waiting.popleft()
        try:
            return _Seat(name, config, all_runs)
        except InputError as error:
            failures[name] = str(error)
    return None


def _train_to_next_end(
    bank: Bank, seats: Sequence[_Seat | None]
) -> Iterator[tuple[int, str | None]]:
    """Train all until an epoch of one ends; the places whose runs are over, and why if failed."""
    taken = [(place, seat) for place, seat in enumerate(seats) if seat is not None]
    steps = min(len(seat.batches) for _, seat in taken)
    rows = np.zeros((steps, len(seats), bank.batch_size), np.int32)
    loss = np.zeros(len(seats), np.float32)
    for place, seat in taken:
        rows[:, place] = seat.batches[:steps]
        loss[place] = seat.loss
    started = time.perf_counter()
    loss = bank.train(rows, loss)
    wall_s = time.perf_counter() - started
    for place, seat in taken:
        seat.advance(steps, float(loss[place]), wall_s)
    ended = [(place, seat) for place, seat in taken if not len(seat.batches)]
    probability = bank.predict_valid()
    for place, seat in ended:
        try:
            seat.end_epoch(bank, place, probability[place])
        except InputError as error:
            yield place, str(error)
        else:
            if seat.is_over:
                yield place, None


class _Seat:
    """A run that has a place in a bank."""

    def __init__(self, name: str, config: FitConfig, runs: ExitStack) -> None:
        from keras_chrome.fit.course import Course

        self.name = name
        self.config = config
        with ExitStack() as context:
            context.enter_context(writing(config.run_dir, "sweep"))
            self.training = prepare(config, _data(config))
            self.run = begin(self.training)
            self.context = runs.enter_context(context.pop_all())
        self.model: Any = self.training.model
        genes = self.training.genes
        self.recipe = config.recipe().for_genes(len(genes["train"]))
        self.num_steps = len(genes["train"]) // self.recipe.batch_size
        self.course = Course(
            self.run,
            genes["valid"],
            self.recipe.epochs,
            self.recipe.patience,
            self.num_steps * self.recipe.batch_size,
            name=f"{name}: ",
        )
        self.started = time.perf_counter()

    def enter(self, bank: Bank, place: int) -> None:
        """Take the place."""
        transform = self.model.get_layer("signal_transform")
        genes = self.training.genes
        bank.put(
            place,
            self.model.get_weights(),
            train_signal=transform(genes["train"].signal).numpy(),
            train_target=self.training.targets.target,
            valid_signal=transform(genes["valid"].signal).numpy(),
            num_steps=self.recipe.epochs * self.num_steps,
        )
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        from keras_chrome.fit.loop import order_of_genes

        num_genes = len(self.training.genes["train"])
        order = order_of_genes(num_genes, self.config.seed, self.course.num_epochs).numpy()
        batch_size = self.recipe.batch_size
        self.batches: np.ndarray = order[: self.num_steps * batch_size].reshape(-1, batch_size)
        self.loss = self.wall_s = 0.0

    def advance(self, steps: int, loss: float, wall_s: float) -> None:
        """Take note of steps of the epoch and the sum of the losses of all so far."""
        self.batches = self.batches[steps:]
        self.loss = loss
        self.wall_s += wall_s

    def end_epoch(self, bank: Bank, place: int, probability: np.ndarray) -> None:
        """Validate, and begin the next epoch.

        Raises:
            InputError: If the loss is not finite.
        """
        loss = self.loss / self.num_steps
        self.course.check_loss(loss)
        shapes = [weight.shape for weight in self.model.get_weights()]
        self.course.end_epoch(
            loss=loss,
            wall_s=self.wall_s,
            answer=probability[: len(self.training.genes["valid"])],
            weights=bank.weights(place, shapes),
        )
        self._begin_epoch()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to train."""
        return self.course.is_over

    def close(self, failure: str | None) -> None:
        """Leave the run directory whole, or as a failed `fit` leaves it."""
        if failure:
            error = InputError(failure)
            self.context.__exit__(InputError, error, None)
            return
        print(self.course.end(), flush=True)
        self.model.set_weights(self.course.best_weights)
        measured = {
            "training_precision": "float32",
            **measured_in_training(self.course.table()),
        }
        finish(self.training, self.run, measured, wall_s=time.perf_counter() - self.started)
        self.context.close()


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the command."""

    runs: Path = option(
        "options of `fit` for each run's name", positional=True, metavar="RUNS.json"
    )
    places: int = option("runs trained at once", default=8)

    def __post_init__(self) -> None:
        if self.places < 1:
            raise InputError(f"Expected at least 1. Received: places={self.places}")


def _read_runs(file: Path) -> dict[str, FitConfig]:
    what = "options of fit for each run's name"
    remedy = 'write such as {"a": {"dataset": "remc/E012", "run_dir": "runs/a"}}'
    options = read_json(file, dict[str, dict[str, Any]], what=what, remedy=remedy)
    try:
        return {name: FitConfig(**of_run) for name, of_run in options.items()}
    except TypeError as error:  # of an option that there is not
        raise InputError(
            f"Expected {what}. Received: {file} ({printable(error)}); {remedy}"
        ) from None


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.sweep.fit_bank",
        description="Train many models in one process, several at once.",
    )
    runs = _read_runs(given.runs)
    quieten_tensorflow()
    if failures := fit_bank(runs, num_places=given.places):
        raise InputError("\n".join(f"{name}: {why}" for name, why in failures.items()))


if __name__ == "__main__":
    run_command(main, InputError)
