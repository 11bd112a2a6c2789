"""Train models x datasets x label rules x seeds, and rank the models.

As a command: `python -m keras_chrome.sweep --models attentive_chrome deep_chrome --datasets
remc/E012 --seeds 0 1 2 --out-dir sweeps/a`. The same command again goes on where it was broken off.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from keras_chrome.data.epigenomes import open_datasets
from keras_chrome.errors import InputError
from keras_chrome.fit import FitConfig
from keras_chrome.fit.config import changed_options
from keras_chrome.runs import open_run
from keras_chrome.runs.config import LOCAL_OPTIONS
from keras_chrome.runs.files import locked
from keras_chrome.sweep.config import SweepConfig
from keras_chrome.sweep.processes import processes_of, run_all

if TYPE_CHECKING:
    from keras_chrome.leaderboard import Leaderboard


def sweep(config: SweepConfig) -> Leaderboard:
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
    from keras_chrome.leaderboard.output import summary

    out_dir = Path(config.out_dir)
    runs = config.runs()
    with locked(out_dir, "sweep") as lock:
        to_do = _to_do(runs, overwrite=config.overwrite)
        num_done = len(runs) - len(to_do)
        print(f"runs: {len(runs)}; finished before: {num_done}", flush=True)
        for line in _marks_of(to_do.values()):
            print(line, flush=True)
        processes = processes_of(to_do, out_dir / "logs", jobs=config.jobs, bank=config.bank)
        failed = run_all(processes, config.jobs, lock, num_done=num_done)
        if finished := [run.run_dir for name, run in runs.items() if name not in failed]:
            board = leaderboard(finished)
            print("", summary(board), "", *write_leaderboard(board, out_dir), sep="\n")
    if failed:
        raise InputError(
            f"Expected every run to finish. Received: {len(failed)} of {len(runs)} failed; their "
            f"output is in {out_dir / 'logs'}. The same command starts them again"
        )
    return board


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


def _marks_of(configs: Iterable[FitConfig]) -> Iterator[str]:
    """The marks that are trained on, a line for each set of them.

    Raises:
        InputError: If a dataset is missing or lacks a mark.
    """
    epigenomes: dict[tuple[str, ...], list[str]] = {}
    for name, data_dir, marks in {(c.dataset, c.data_dir, c.marks) for c in configs}:
        dataset = open_datasets(name, data_dir)
        epigenomes.setdefault(dataset.find_marks(marks), []).append(dataset.epigenome)
    for marks, names in sorted(epigenomes.items()):
        yield f"{', '.join(sorted(names))}: marks {', '.join(marks)} ({len(marks)})"


def _changed_options(config: FitConfig) -> list[str]:
    """What a run directory was made with and is not to be made with now."""
    if not Path(config.run_dir, "config.json").exists():
        return []
    return changed_options(config, open_run(config.run_dir).config, free=LOCAL_OPTIONS)
