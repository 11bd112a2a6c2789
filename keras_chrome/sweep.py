"""Train models x datasets x label rules x seeds, and rank the models.

As a command: `python -m keras_chrome.sweep --models attentive_chrome deep_chrome --datasets
remc/E012 --seeds 0 1 2 --out-dir sweeps/a`. The same command again goes on where it was broken off.
"""

import argparse
import dataclasses
import fcntl
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from keras_chrome.command_line import add_options, option, run_command
from keras_chrome.errors import InputError
from keras_chrome.fit import PRESETS, FitConfig, changed_options
from keras_chrome.fit_bank import fits_bank
from keras_chrome.run_directory import open_run, write_json
from keras_chrome.vocabulary import LABELS

if TYPE_CHECKING:
    from keras_chrome.leaderboard import Leaderboard

RUN_NAME = "{labels}/{epigenome}/{model}/seed-{seed}"
"""What a run is called below `runs/` and `logs/` of a sweep's folder."""

# The options of `fit` that a sweep sets itself; all others are the same in every run.
_SET_BY_SWEEP = ("dataset", "model", "labels", "seed", "run_dir", "resume", "overwrite")
_FIT_OPTIONS = {field.name for field in dataclasses.fields(FitConfig)} - set(_SET_BY_SWEEP)
_POLL_S = 0.1


@dataclass(frozen=True)
class SweepConfig:
    """Every option of `sweep`.

    Attributes:
        fit_options: Options of `fit` by their names in `FitConfig`, for every run.

    Raises:
        InputError: If a value is out of range, unknown, or stands twice.
    """

    models: tuple[str, ...] = option("variants and baselines")
    datasets: tuple[str, ...] = option("built datasets, such as remc/E012")
    out_dir: str = option("folder to write runs, logs and the leaderboard to")
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
        for name in ("models", "datasets", "seeds", "labels"):
            object.__setattr__(self, name, values := tuple(getattr(self, name)))
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
        if unknown := sorted(set(self.fit_options) - _FIT_OPTIONS):
            raise InputError(
                f"Expected fit_options among {sorted(_FIT_OPTIONS)}. Received: {', '.join(unknown)}"
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
                run_dir=str(Path(self.out_dir, "runs", name)),
                resume=True,
            )
        return runs


def sweep(config: SweepConfig) -> "Leaderboard":
    """Train every model on every dataset, label rule and seed, and rank the models.

    Each run is a process of its own: one that crashes ends no other. With a bank, recurrent
    variants share processes, each of which trains several runs at once. A finished run is never
    repeated, an unfinished one is gone on with. A line is printed for each run that ends, and the
    leaderboard at last; it is also written into the sweep's folder.

    Args:
        config: The options.

    Returns:
        The leaderboard of the sweep's runs.

    Raises:
        InputError: Before anything is started, if the folder holds runs with other options or
            another sweep is at work in it; at the end, if runs failed. The leaderboard of the
            finished ones is written all the same.

    Example:
        >>> sweep(
        ...     SweepConfig(
        ...         models=("attentive_chrome", "deep_chrome"),
        ...         datasets=("remc/E003", "remc/E012"),
        ...         seeds=(0, 1, 2),
        ...         out_dir="sweeps/a",
        ...         fit_options={"epochs": 10},
        ...     )
        ... )
    """
    from keras_chrome.leaderboard import leaderboard, write_leaderboard
    from keras_chrome.leaderboard_text import leaderboard_text

    out_dir = Path(config.out_dir)
    runs = config.runs()
    with _locked(out_dir) as lock:
        to_do = _to_do(runs, overwrite=config.overwrite)
        num_done = len(runs) - len(to_do)
        print(f"runs: {len(runs)}; finished before: {num_done}", flush=True)
        processes = _processes(to_do, out_dir / "logs", jobs=config.jobs, bank=config.bank)
        failed = _run_all(processes, config.jobs, lock, num_done=num_done)
        if finished := [run.run_dir for name, run in runs.items() if name not in failed]:
            board = leaderboard(finished)
            write_leaderboard(board, out_dir)
            print(f"\n{leaderboard_text(board)}\nleaderboard: {out_dir}")
    if failed:
        raise InputError(
            f"Expected every run to finish. Received: {len(failed)} of {len(runs)} failed; their "
            f"output is in {out_dir / 'logs'}. The same command starts them again"
        )
    return board


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    config = _parse(argv)
    # What a kill leaves is to be what Ctrl-C leaves: no process of a run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sweep(config)


def _parse(argv: Sequence[str] | None) -> SweepConfig:
    parser = argparse.ArgumentParser(
        prog="python -m keras_chrome.sweep",
        description="Train models x datasets x label rules x seeds, and rank the models. The same "
        "command again goes on where it was broken off.",
    )
    add_options(parser, SweepConfig, leave_out=["fit_options"])
    parser.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        help="take the defaults of fit's options, which follow, from here",
    )
    add_options(parser, FitConfig, leave_out=_SET_BY_SWEEP)
    given = vars(parser.parse_args(argv))
    fit_options = dict(PRESETS.get(given.pop("preset"), {}))
    if "labels" in fit_options:
        given.setdefault("labels", (fit_options.pop("labels"),))
    for name in given.keys() & _FIT_OPTIONS:
        fit_options[name] = given.pop(name)
    return SweepConfig(**given, fit_options=fit_options)


def _epigenome(dataset: str) -> str:
    """`E012` of `remc/E012` and of the folder of its version."""
    path = Path(dataset)
    return path.parent.name if (path / "dataset_info.json").is_file() else path.name


@contextmanager
def _locked(out_dir: Path) -> Iterator[IO[str]]:
    """The folder's lock. The processes of runs inherit it, and keep it if the sweep is killed.

    Raises:
        InputError: If another has it.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    with (out_dir / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"Expected no other sweep at work in {out_dir}. Received: a folder that one, or a "
                "run that it left behind, has locked; wait for it, or take another --out-dir"
            ) from None
        yield lock


def _to_do(runs: Mapping[str, FitConfig], *, overwrite: bool) -> dict[str, FitConfig]:
    """The runs to start, each told to resume or to overwrite.

    Raises:
        InputError: If a run directory was made with other options and is not to be overwritten.
    """
    to_do = {}
    differences: Counter[str] = Counter()
    for name, config in runs.items():
        if changed := _changed_options(config):
            differences.update(changed)
            to_do[name] = dataclasses.replace(config, resume=False, overwrite=True)
        elif not Path(config.run_dir, "metrics.json").is_file():  # `fit` writes it last.
            to_do[name] = config
    if differences and not overwrite:
        raise InputError(
            "Expected runs with the options of this sweep. Received: "
            + ", ".join(
                f"{change} in {num_runs} of them" for change, num_runs in differences.items()
            )
            + "; take another --out-dir, or redo them with --overwrite"
        )
    return to_do


def _changed_options(config: FitConfig) -> list[str]:
    """What a run directory was made with and is not to be made with now."""
    if not Path(config.run_dir, "config.json").exists():
        return []
    earlier = open_run(config.run_dir).config["options"]
    return changed_options(config, earlier, free={"run_dir", "data_dir", "resume", "overwrite"})


def _processes(
    runs: Mapping[str, FitConfig], logs: Path, *, jobs: int, bank: int
) -> "list[_RunProcess]":
    """The processes to start: one a run, and for the runs that fit a bank one a job."""
    banked = [name for name, config in runs.items() if bank > 1 and fits_bank(config)]
    alone = [
        _RunProcess(
            {name: config},
            ["keras_chrome.fit", *_arguments(config)],
            logs / f"{name}.log",
        )
        for name, config in runs.items()
        if name not in banked
    ]
    shared = []
    for number in range(min(jobs, len(banked))):
        of_job = {name: runs[name] for name in banked[number::jobs]}
        file = logs / f"bank-{number}.json"
        logs.mkdir(parents=True, exist_ok=True)
        options = {
            # A bank keeps no checkpoint to resume from.
            name: dataclasses.asdict(config) | {"resume": False, "overwrite": True}
            for name, config in of_job.items()
        }
        write_json(file, options)
        command = ["keras_chrome.fit_bank", str(file), f"--places={bank}"]
        shared.append(_RunProcess(of_job, command, logs / f"bank-{number}.log"))
    return [*shared, *alone]


def _run_all(
    processes: "Sequence[_RunProcess]", jobs: int, lock: IO[str], *, num_done: int
) -> set[str]:
    """Run all, `jobs` at the same time, and print a line for each run that ends.

    Returns:
        The names of the runs that failed.
    """
    environment = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        # Or the first run takes the whole memory of a GPU.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    num_all = num_done + sum(len(process.runs) for process in processes)
    failed = set()
    waiting = deque(processes)
    running: list[_RunProcess] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(waiting.popleft())
                running[-1].start(environment, lock)
            time.sleep(_POLL_S)
            for process in tuple(running):
                has_ended = process.has_ended()  # Asked before what it has finished.
                for name, outcome in process.outcomes(has_ended):
                    num_done += 1
                    if outcome.startswith("failed"):
                        failed.add(name)
                    print(f"[{num_done}/{num_all}] {name}: {outcome}", flush=True)
                if has_ended:
                    running.remove(process)
    finally:
        for process in running:
            process.process.terminate()
        for process in running:
            process.process.wait()
    return failed


class _RunProcess:
    """A process that makes one run or several."""

    def __init__(self, runs: Mapping[str, FitConfig], command: Sequence[str], log: Path) -> None:
        self.runs = runs
        self.command = command
        self.log = log
        self.unfinished = dict(runs)

    def start(self, environment: Mapping[str, str], lock: IO[str]) -> None:
        """Start it."""
        self.started = time.time()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=[lock.fileno()],
            )

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.poll() is not None

    def outcomes(self, has_ended: bool) -> Iterator[tuple[str, str]]:
        """The runs that have ended since it was last asked, each with how, in a line."""
        wall_s = time.time() - self.started
        for name, config in tuple(self.unfinished.items()):
            metrics = Path(config.run_dir, "metrics.json")  # `fit` writes it last.
            if metrics.is_file() and metrics.stat().st_mtime >= self.started:
                auroc = json.loads(metrics.read_text())["test"]["auroc"]
                outcome = f"test AUROC {auroc:.4f}, {wall_s:.0f} s"
            elif has_ended:
                outcome = f"failed with {self._exit()} after {wall_s:.0f} s: {self._reason(name)}"
            else:
                continue
            del self.unfinished[name]
            yield name, outcome

    def _exit(self) -> str:
        code = self.process.returncode
        return f"exit code {code}" if code >= 0 else signal.Signals(-code).name

    def _reason(self, name: str) -> str:
        """What the log says last, of this run if it names it."""
        lines = self.log.read_text(errors="replace").rstrip().splitlines() or ["no output"]
        return next((line for line in reversed(lines) if f"{name}: " in line), lines[-1])


def _arguments(config: FitConfig) -> Iterator[str]:
    """The command line of `fit` that stands for these options."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        flag = field.name.replace("_", "-")
        if value == field.default:
            continue
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        elif isinstance(value, tuple):
            yield from (f"--{flag}", *map(str, value))
        else:
            yield f"--{flag}={value}"


if __name__ == "__main__":
    run_command(main)
