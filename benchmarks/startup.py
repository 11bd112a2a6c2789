"""Whole commands, from start to end: CPU and wall time, in turns.

What a user waits for who asks about one gene is mostly imports. CPU time is that of the process
and of those that it starts, and hardly depends on what else the machine does.

    python -m keras_chrome.fit --dataset remc/demo --epochs 1 --run-dir runs/demo
    python benchmarks/startup.py runs/demo --gene DEMO00001

Another checkout takes turns with this one: `--beside FOLDER`.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from keras_chrome.command_line import option, parse, run_command
from keras_chrome.errors import InputError
from keras_chrome.tables import markdown_table


class Seconds(NamedTuple):
    """Medians of a command.

    Attributes:
        cpu_s: CPU time, of user and system.
        wall_s: From start to end.
    """

    cpu_s: float
    wall_s: float


class Command(NamedTuple):
    """What is started, and where: Python looks there for modules first."""

    arguments: Sequence[str]
    folder: Path


def time_commands(commands: Mapping[str, Command], repeats: int) -> dict[str, Seconds]:
    """The medians of commands by their names, which take turns."""
    times: dict[str, list[Seconds]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            times[name].append(_once(command))
    return {
        name: Seconds(*map(statistics.median, zip(*of_one, strict=True)))
        for name, of_one in times.items()
    }


def _once(command: Command) -> Seconds:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    answer = subprocess.run(
        command.arguments,
        cwd=command.folder,
        capture_output=True,
        text=True,
    )
    wall_s = time.perf_counter() - started
    if answer.returncode:
        said = answer.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise InputError(
            f"Expected a command that runs. Received: {' '.join(command.arguments)}, which said "
            f"{said[0]}"
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(cpu_s, wall_s)


@dataclass(frozen=True, kw_only=True)
class StartupOptions:
    """What is asked how often."""

    run: Path = option("run directory", positional=True)
    gene: str = option("a gene of its dataset")
    beside: Path | None = option("another checkout to take turns with", default=None)
    only: tuple[Literal["help", "attend", "evaluate", "export"], ...] = option(
        "these commands", default=("help", "attend", "evaluate", "export")
    )
    repeats: int = option("of each command", default=5)


def commands_of(run: Path, gene: str, folder: str) -> dict[str, list[str]]:
    """What users start most, by name, which write into a folder."""
    of_run, picture = str(run.absolute()), f"{folder}/gene.png"
    modules = {
        "help": ["keras_chrome.attend", "--help"],
        "attend": ["keras_chrome.attend", of_run, "--plot", gene, "--out", picture],
        "evaluate": ["keras_chrome.evaluate", of_run, "--out", folder],
        "export": ["export", of_run, "--models-dir", f"{folder}/models", "--name", "model"],
    }
    return {name: [sys.executable, "-m", *arguments] for name, arguments in modules.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(
        StartupOptions,
        argv,
        prog="python benchmarks/startup.py",
        description="Time whole commands, in turns.",
    )
    with tempfile.TemporaryDirectory() as folder:
        checkouts = {"": Path(__file__).parents[1]}
        if options.beside:
            checkouts[", beside"] = options.beside
        known = commands_of(options.run, options.gene, folder)
        commands = {
            name + which: Command(known[name], checkout)
            for name in options.only
            for which, checkout in checkouts.items()
        }
        times = time_commands(commands, options.repeats)
    rows = [
        {"command": name, "CPU, s": f"{of_one.cpu_s:.2f}", "wall, s": f"{of_one.wall_s:.2f}"}
        for name, of_one in times.items()
    ]
    print(markdown_table(rows))


if __name__ == "__main__":
    run_command(main, InputError)
