"""The processes of a sweep's runs."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from keras_chrome.fit import FitConfig
from keras_chrome.fit.config import as_arguments
from keras_chrome.runs.files import write_json
from keras_chrome.runs.run import read_metrics
from keras_chrome.sweep.config import fits_bank

_POLL_S = 0.1


def processes_of(
    runs: Mapping[str, FitConfig], logs: Path, *, jobs: int, bank: int
) -> list[_RunProcess]:
    """The processes to start: one a run, and for the runs that fit a bank one a job."""
    banked = [name for name, config in runs.items() if bank > 1 and fits_bank(config)]
    alone = [
        _RunProcess(
            {name: config},
            ["keras_chrome.fit", *as_arguments(config)],
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
        command = ["keras_chrome.sweep.fit_bank", str(file), f"--places={bank}"]
        shared.append(_RunProcess(of_job, command, logs / f"bank-{number}.log"))
    return [*shared, *alone]


def run_all(
    processes: Sequence[_RunProcess], jobs: int, lock: IO[str], *, num_done: int
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
                auroc = read_metrics(metrics)["test"]["auroc"]
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
