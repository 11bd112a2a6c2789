"""The runs that become one, and whether they can."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_chrome.errors import InputError
from keras_chrome.runs import Run, open_run
from keras_chrome.vocabulary import SPLITS


def open_members(run_dirs: Iterable[str | Path]) -> list[Run]:
    """Open the runs of an ensemble.

    Raises:
        InputError: If one is missing, named twice, not finished, not trained on a dataset or an
            ensemble itself, there are fewer than two, or they differ in what `shared_by_members`
            says or in the genes of their splits.
    """
    runs = [open_run(run_dir) for run_dir in run_dirs]
    check_each_once([run.path for run in runs])
    if len(runs) < 2:
        raise InputError(f"Expected two runs or more. Received: {len(runs)}")
    for run in runs:
        if not run.is_finished or run.config.dataset is None or run.config.kind == "ensemble":
            raise InputError(
                "Expected finished runs of variants and baselines that were trained on a dataset. "
                f"Received: {run.path}, {_why_not(run)}"
            )
    check_alike(runs, shared_by_members, "Only runs of one dataset and label rule can be averaged")
    for run in runs[1:]:
        _check_same_genes(runs[0], run)
    return runs


def check_each_once(run_dirs: Iterable[str | Path]) -> None:
    """See that no run is named twice.

    Raises:
        InputError: If one is, be it by another path.
    """
    seen = set()
    for run_dir in run_dirs:
        if (resolved := Path(run_dir).resolve()) in seen:
            raise InputError(
                f"Expected each run of an ensemble once. Received: {run_dir} twice. Name it once"
            )
        seen.add(resolved)


def shared_by_members(run: Run) -> dict[str, Any]:
    """What the members of an ensemble have in common, each by a name."""
    config, dataset = run.config, run.config.dataset
    return {
        "task": run.task.name,
        "marks": list(config.marks),
        "labels": config.labels,
        **dataclasses.asdict(config.bins),
        # A run with imported weights knows less of its data than one that was trained here.
        "dataset": dataset and dataset.name,
        "dataset contents": dataset and dataset.fingerprint,
        "oriented": dataset and dataset.oriented,
        "genome": dataset and dataset.genome,
    }


def check_alike(
    runs: Sequence[Run], shared: Callable[[Run], Mapping[str, Any]], remedy: str
) -> None:
    """See that what the members have to share is the same for all.

    Args:
        runs: The members.
        shared: What each has to share with the others, by a name.
        remedy: What the error ends in.

    Raises:
        InputError: If it is not.
    """
    first, *others = runs
    expected = shared(first)
    for run in others:
        for key, received in shared(run).items():
            if received != expected[key]:
                raise InputError(
                    f"Expected an ensemble of runs with the same {key}. Received: "
                    f"{first.path} ({expected[key]!r}) and {run.path} ({received!r}). {remedy}"
                )


def _check_same_genes(first: Run, run: Run) -> None:
    expected, received = (
        Counter(zip(r.splits["split"], r.splits["gene_id"], strict=True)) for r in (first, run)
    )
    differing = Counter(split for split, _ in ((expected - received) + (received - expected)))
    if differing:
        counted = ", ".join(f"{differing[split]:,} of {split}" for split in SPLITS)
        raise InputError(
            f"Expected runs with the same genes in each split. Received: {first.path} and "
            f"{run.path}, which differ in genes: {counted}. Name runs of one split, or a member's "
            "test genes have trained another"
        )


def _why_not(run: Run) -> str:
    if run.config.kind == "ensemble":
        return "an ensemble; name its members"
    return "not finished" if run.config.dataset else "with imported weights"
