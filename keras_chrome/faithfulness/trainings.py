"""A run's model trained again, with other seeds and on shuffled labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from keras_chrome.errors import InputError
from keras_chrome.faithfulness.config import FaithfulnessConfig
from keras_chrome.fit import FitConfig, fit
from keras_chrome.runs import Run, open_run
from keras_chrome.runs.trainings import Trainings


def with_further_trainings(
    trainings: Trainings, config: FaithfulnessConfig, directory: Path
) -> Trainings:
    """Train as a run was, with other seeds and on shuffled labels, unless it was done before.

    Args:
        trainings: The runs at hand.
        config: How many trainings there are to be, and how many of them on shuffled labels.
        directory: Where further runs are or will be, in `runs`: `seed-N` and `permuted-labels-N`.

    Returns:
        The runs at hand, as many as asked for, and further ones in their train; no further ones
        for a run that `fit` did not write.

    Raises:
        InputError: If earlier ones are of other contents of the dataset.
    """
    first = trainings.first.config
    if first.dataset is None or first.kind == "ensemble":
        if config.num_seeds > 1 or config.num_permuted:
            print(
                f"seeds, permuted_labels: not measured, {trainings.first.path} was not trained here"
            )
        return trainings
    trained, permuted = (
        _filled(trainings.first, runs, number, is_permuted, directory / "runs")
        for runs, number, is_permuted in (
            (trainings.trained, config.num_seeds, False),
            (trainings.permuted, config.num_permuted, True),
        )
    )
    return Trainings(trained, permuted)


def _filled(
    first: Run, runs: tuple[Run, ...], number: int, is_permuted: bool, folder: Path
) -> tuple[Run, ...]:
    """So many runs: those at hand, and others of the first seeds that none of them has."""
    have = {run.config.seed for run in runs}
    seeds = [seed for seed in range(number) if seed not in have]
    others = [_trained(first, seed, is_permuted, folder) for seed in seeds[: number - len(have)]]
    return (*runs, *others)[:number]


def _trained(first: Run, seed: int, is_permuted: bool, folder: Path) -> Run:
    """A training of a seed, which is made unless it was made before."""
    path = folder / f"{'permuted-labels' if is_permuted else 'seed'}-{seed}"
    if not (path / "metrics.json").is_file():
        print(f"\ntraining {path}", flush=True)
        change: dict[str, Any] = {"seed": seed, "permute_labels": is_permuted}
        local = {"run_dir": path, "resume": True, "overwrite": False}
        fit(FitConfig(**{**first.config.options, **change, **local}))
    run = open_run(path)
    datasets = [of_run.config.dataset for of_run in (first, run)]
    if None in datasets or len({dataset.fingerprint for dataset in datasets if dataset}) > 1:
        raise InputError(
            f"Expected runs on the dataset of {first.path}. Received: {path}, of other contents; "
            f"remove {folder}"
        )
    return run
