"""Trainings that are killed, each at a file operation that a seed chooses, and gone on with.

As a script, `killed_runs.py JOB.json`: it imports what trains once, and forks a process for each
training. What is on disk changes with file operations alone, and a process that is killed before
one of them leaves what one leaves that is killed at any moment since the operation before.
"""

import functools
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

_OPERATIONS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")


def main() -> None:
    """Make an unbroken training, then broken ones that are gone on with, and tell where each."""
    job = json.loads(Path(sys.argv[1]).read_text())
    folder, rng = Path(job["folder"]), random.Random(job["seed"])
    train = _bank if job["bank"] else _fit
    _import_what_trains()
    num_operations = _in_child(functools.partial(train, job, folder / "whole"), folder)
    print(json.dumps({"operations": num_operations}), flush=True)
    for number in range(job["kills"]):
        again = functools.partial(train, job, folder / f"broken-{number}")
        # Every other one is killed twice: when it has been gone on with, too.
        moments = rng.sample(range(1, num_operations), 1 + number % 2)
        killed_at = [_in_child(again, folder, kill_at=moment) for moment in moments]
        _in_child(again, folder)
        print(json.dumps({"number": number, "killed_at": killed_at}), flush=True)


def _import_what_trains() -> None:
    # No operation is run, which would start threads, that no fork takes along.
    import keras_chrome.fit.job
    import keras_chrome.fit.loop
    import keras_chrome.sweep.bank
    import keras_chrome.sweep.fit_bank  # noqa: F401


def _fit(job: dict[str, Any], path: Path) -> None:
    from keras_chrome.fit import fit

    fit(**job["options"], run_dir=path / "0", resume=True)


def _bank(job: dict[str, Any], path: Path) -> None:
    """As a sweep with a bank: what is not finished is begun anew."""
    from keras_chrome.fit import FitConfig
    from keras_chrome.sweep.fit_bank import fit_bank

    runs = {
        str(seed): FitConfig(**job["options"], seed=seed, run_dir=path / str(seed), overwrite=True)
        for seed in range(3)
        if not (path / str(seed) / "metrics.json").exists()
    }
    if runs and (failures := fit_bank(runs, num_places=2)):
        raise RuntimeError(failures)


def _in_child(work: Callable[[], None], folder: Path, kill_at: int | None = None) -> int:
    """Do something in a forked process; how many file operations below `folder` it has begun."""
    receiving, sending = os.pipe()
    if child := os.fork():
        os.close(sending)
        with os.fdopen(receiving, "rb") as told:
            num_operations = len(told.read())
        status = os.waitpid(child, 0)[1]
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and status:
            sys.exit(f"a training ended with status {status}")
        if killed and kill_at is None:
            sys.exit("a training was killed that was not to be")
        return num_operations
    os.close(receiving)
    count = 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in _OPERATIONS and str(arguments[0]).startswith(str(folder)):
            count += 1
            os.write(sending, b".")
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
