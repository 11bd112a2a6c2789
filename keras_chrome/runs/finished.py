"""Finished runs on disk, and what their models predicted for the test genes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.models.task import CLASSIFICATION, TASKS
from keras_chrome.runs.config import LOCAL_OPTIONS, DatasetSpec, RunConfig
from keras_chrome.runs.json_reader import shown
from keras_chrome.runs.run import Run, open_run, read_predictions

if TYPE_CHECKING:
    import pandas as pd

# Options that a leaderboard parts or averages over: they make no other training of a model.
_COMPARED = {"dataset", "marks", "seed", "split", "split_seed", "num_folds", "fold"}
_UNKNOWN = object()
_T = TypeVar("_T")
_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True)
class FinishedRun:
    """A run with metrics, and what tells it apart from others.

    Attributes:
        path: The run directory.
        labels: Label rule.
        split: Split scheme: what decides which genes are tested, but for the fold.
        marks: The marks that it reads, in the order of the alphabet.
        epigenome: Name of the dataset.
        model: Variant or baseline.
        fold: Which chromosomes are tested; 0 where the scheme has no folds.
        seed: Seed of the training.
        task: `classification` or `regression`.
        test_score: AUROC of the test genes, of regression Pearson's r, as in `metrics.json`.
        fingerprint: Of the dataset's contents.
        options: All options of the training; of an ensemble also of its members' trainings.
        training: How it was trained, where the runs of its model differ in that; see `tell_apart`.
    """

    path: Path
    labels: str
    split: str
    marks: tuple[str, ...]
    epigenome: str
    model: str
    fold: int
    seed: int
    task: str
    test_score: float
    fingerprint: str
    options: Mapping[str, Any]
    training: str = ""

    @property
    def name(self) -> str:
        """The model, and how it was trained where that is not the same for all its runs."""
        return f"{self.model} ({self.training})" if self.training else self.model


class PredictedGenes(NamedTuple):
    """The test genes of one epigenome and fold, as several runs predicted them.

    Attributes:
        gene_id: Text `(genes,)`.
        truth: `(genes,)`, the label, 0 or 1; of regression the measured expression.
        answer: Floats `(runs, genes)`, the probability, or the predicted expression.
    """

    gene_id: np.ndarray
    truth: np.ndarray
    answer: np.ndarray


def find_finished_runs(
    paths: Iterable[str | Path],
) -> tuple[list[FinishedRun], dict[Path, str]]:
    """The finished runs at or below paths.

    Args:
        paths: Run directories, or folders with run directories at any depth.

    Returns:
        The runs in the order of their attributes, and why others are left out.

    Raises:
        InputError: If a path has no run, no run is finished, or one is damaged.
    """
    runs, left_out = [], {}
    for run in _named_runs(paths):
        if not run.is_finished:
            left_out[run.path] = "not finished: no metrics.json"
        elif run.config.dataset is None:
            left_out[run.path] = "imported: not trained on a dataset"
        else:
            runs.append(_finished_run(run, run.config.dataset))
    if not runs:
        path, reason = next(iter(left_out.items()))
        raise InputError(
            f"Expected at least one finished run. Received: {len(left_out)} to leave out, such as "
            f"{path} ({reason})"
        )
    return sorted(runs, key=_identity), left_out


def run_directories(folder: Path, visited: set[Path] | None = None) -> Iterator[Path]:
    """The run directories at or below a folder, behind links too, each once."""
    visited = set() if visited is None else visited
    # A link may lead back to a folder above it.
    if not folder.is_dir() or (real := folder.resolve()) in visited:
        return
    visited.add(real)
    if (folder / "config.json").is_file():
        yield folder
    else:
        for child in sorted(folder.iterdir()):
            yield from run_directories(child, visited)


def _named_runs(paths: Iterable[str | Path]) -> Iterator[Run]:
    """The runs at or below paths; one that is named twice counts once."""
    found: dict[Path, Path] = {}
    for path in (Path(p).expanduser() for p in paths):
        directories = {directory.resolve(): directory for directory in run_directories(path)}
        if not directories:
            raise InputError(
                "Expected a run directory, with config.json, or a folder of run directories. "
                f"Received: {str(path)!r}"
            )
        found |= directories
    return map(open_run, found.values())


def _finished_run(run: Run, dataset: DatasetSpec) -> FinishedRun:
    config = run.config
    if config.seed is None:
        raise InputError(
            f"Expected the seed of a training in config.json. Received: {run.path} without; train "
            "it again"
        )
    split, fold = _split_scheme(config)
    return FinishedRun(
        run.path,
        labels=config.labels,
        split=split,
        marks=tuple(sorted(config.marks)),
        epigenome=dataset.epigenome,
        model=config.model,
        fold=fold,
        seed=config.seed,
        task=run.task.name,
        test_score=run.metrics["test"][run.task.monitor],
        fingerprint=dataset.fingerprint,
        options=_all_options(config),
    )


def _all_options(config: RunConfig) -> dict[str, Any]:
    """The options of a training, or of an ensemble and of the trainings of its members."""
    of_members = {
        f"{name} of member {number}": value
        for number, member in enumerate(config.members, start=1)
        for name, value in {"model": member.model, **member.options}.items()
        if name not in _COMPARED
    }
    return {**config.options, **of_members}


def _split_scheme(config: RunConfig) -> tuple[str, int]:
    """What the test genes depend on, and the fold."""
    match config.split:
        case "random" | "neighbours" | "disjoint":
            return f"{config.split} (seed {config.options['split_seed']})", 0
        case "chromosome":
            return f"chromosome ({config.options['num_folds']} folds)", config.options["fold"]
        case split:
            return split, 0


def _identity(run: FinishedRun) -> tuple[str, str, str, tuple[str, ...], str, str, int, int]:
    return run.task, run.labels, run.split, run.marks, run.epigenome, run.name, run.fold, run.seed


def tell_apart(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Name what was trained differently of one model: `attentive_chrome (targets hard)`.

    Of the options in which the runs of a model differ with the same label rule, split scheme and
    set of marks, those are named that it takes to tell them apart, and the others counted:
    `additive_chrome (epochs 30 and 9 more)`. What older runs do not know of makes no difference.
    """
    of_model: dict[Hashable, list[FinishedRun]] = {}
    for run in runs:
        of_model.setdefault(_compared_as(run), []).append(run)
    telling = {key: _telling_options(group) for key, group in of_model.items()}
    return [
        dataclasses.replace(run, training=_training(run, *telling[_compared_as(run)]))
        for run in runs
    ]


def _compared_as(run: FinishedRun) -> tuple[str, str, str, tuple[str, ...], str]:
    return run.task, run.labels, run.split, run.marks, run.model


def _telling_options(runs: Sequence[FinishedRun]) -> tuple[list[str], int]:
    """The options that tell trainings apart, and in how many more they differ."""
    names = dict.fromkeys(name for run in runs for name in run.options)
    telling: list[str] = []
    num_more = 0
    for name in names:
        values = {json.dumps(run.options[name]) for run in runs if name in run.options}
        if len(values) == 1 or name in _COMPARED | LOCAL_OPTIONS:
            continue
        if _num_kinds(runs, [*telling, name]) > _num_kinds(runs, telling):
            telling.append(name)
        else:
            num_more += 1
    return telling, num_more


def _num_kinds(runs: Sequence[FinishedRun], names: Sequence[str]) -> int:
    return len({json.dumps([run.options.get(name, [name]) for name in names]) for run in runs})


def _training(run: FinishedRun, telling: Sequence[str], num_more: int) -> str:
    words = [
        f"{name.replace('_', ' ')} {'default' if value is None else value}"
        for name in telling
        if (value := run.options.get(name, _UNKNOWN)) is not _UNKNOWN
    ]
    return ", ".join(words) + (f" and {num_more} more" if words and num_more else "")


def check_belong_together(runs: Sequence[FinishedRun]) -> None:
    """See that runs differ only in what a leaderboard compares or averages over.

    Raises:
        InputError: If one dataset has several contents, or two runs are the same training.
    """
    for first, run in _with_first(runs, lambda r: r.epigenome):
        if run.fingerprint != first.fingerprint:
            raise InputError(
                f"Expected one dataset named {run.epigenome}. Received: {first.path} and "
                f"{run.path}, trained on different contents of it; name the runs of one"
            )
    for first, run in _with_first(runs, _identity):
        if run is not first:
            raise InputError(
                f"Expected one run of {run.name} on {run.epigenome} with {run.labels} labels and "
                f"seed {run.seed}. Received: {first.path} and {run.path}; name one of them"
            )


def grouped(items: Iterable[_T], key: Callable[[_T], _K]) -> dict[_K, list[_T]]:
    """Items by key, keys in the order of their first item."""
    groups: dict[_K, list[_T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _with_first(items: Iterable[_T], key: Callable[[_T], Hashable]) -> Iterator[tuple[_T, _T]]:
    """Each item, after the first one of its key."""
    first: dict[Hashable, _T] = {}
    for item in items:
        yield first.setdefault(key(item), item), item


def read_test_genes(runs: Sequence[FinishedRun]) -> PredictedGenes:
    """What runs on the same epigenome and fold predicted for the test genes.

    Genes are paired by their position, since seven published gene ids stand twice.

    Raises:
        InputError: If a `predictions.csv` is damaged, does not fit `metrics.json`, or has other
            genes or labels than the first.
    """
    truth, answer = TASKS[runs[0].task].column_names
    tables = [_read_test_table(run) for run in runs]
    for run, table in zip(runs, tables, strict=True):
        if not table[["gene_id", truth]].equals(tables[0][["gene_id", truth]]):
            raise InputError(
                f"Expected the same test genes and labels on {run.epigenome}. Received: "
                f"{runs[0].path} and {run.path}, which differ in predictions.csv"
            )
    return PredictedGenes(
        tables[0]["gene_id"].to_numpy(),
        tables[0][truth].to_numpy(),
        np.stack([t[answer].to_numpy() for t in tables]),
    )


def _read_test_table(run: FinishedRun) -> pd.DataFrame:
    task, file = TASKS[run.task], run.path / "predictions.csv"
    truth, answer = task.column_names
    table = read_predictions(file, task)
    test = table[table["split"] == "test"].reset_index(drop=True)
    is_label = task is CLASSIFICATION
    if is_label and set(test[truth]) != {0, 1}:
        fault = f"labels of test genes: {shown(sorted(set(test[truth])))}"
    else:
        score = task.score(test[truth].to_numpy(), test[answer].to_numpy())
        if abs(score - run.test_score) <= 1e-6:
            return test
        fault = f"{task.monitor_title} {score:.6f}, in metrics.json {run.test_score:.6f}"
    raise InputError(
        f"Expected test genes {'labelled 0 and 1 ' if is_label else ''}with the "
        f"{task.monitor_title} of metrics.json. Received: {file} ({fault}); write it anew with "
        f"`python -m keras_chrome.evaluate {run.path}`"
    )
