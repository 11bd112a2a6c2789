"""What a report says of a run: from its directory, from its dataset, and from the model itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np
import pandas as pd

from keras_chrome.errors import InputError
from keras_chrome.importance import compute_importance, methods_of
from keras_chrome.models.prediction import Prediction
from keras_chrome.models.task import CLASSIFICATION, Task
from keras_chrome.runs import Study, open_run, open_study
from keras_chrome.runs.csv_reader import Kind, read_table
from keras_chrome.runs.json_reader import read_json
from keras_chrome.runs.run import read_history, read_metrics
from keras_chrome.runs.study import DataOptions


class Finding(NamedTuple):
    """What another command leaves in a run directory, `NAME/NAME.csv` and `NAME/NAME.svg`.

    Attributes:
        name: NAME.
        title: Of its section.
        about: What it shows, in a sentence or two.
        command: That writes it.
        columns: Of the CSV.
        newer_columns: Those that it has, too, unless an earlier version wrote it.
    """

    name: str
    title: str
    about: str
    command: str
    columns: tuple[str, ...]
    newer_columns: tuple[str, ...] = ()


FINDINGS = (
    Finding(
        name="compare",
        title="Comparison with a mark that was not trained on",
        about="If attention finds what regulates a gene, it should follow a mark of regulation "
        "that the model has not seen, such as H3K27ac of active promoters and enhancers: Table 3 "
        "of the paper. What is held fixed takes out what the mark's own signal, the distance from "
        "the TSS, or both explain.",
        command="python -m keras_chrome.compare {run} --validation-mark H3K27ac",
        columns=(
            *("epigenome", "method", "level", "statistic", "control", "r", "low", "high"),
            "num_genes",
        ),
        newer_columns=(
            *("network", "form", "num_networks", "num_as_high"),
            *("mark", "validation_mark", "validation_dataset", "direction", "on_rule"),
        ),
    ),
    Finding(
        name="faithfulness",
        title="Faithfulness",
        about="Whether the bins that a method calls important are those that the model's answer "
        "rests on.",
        command="python -m keras_chrome.faithfulness {run}",
        columns=(
            *("question", "measure", "method", "value", "low", "high", "num_genes", "better"),
        ),
        newer_columns=("num_networks",),
    ),
)


@dataclass(frozen=True)
class CollectedRun:
    """A run as a report shows it; None where the run does not have it.

    Attributes:
        name: Its name in the report.
        path: Its directory.
        study: The run, its model and the test genes.
        prediction: What the model says of the test genes.
        metrics: Of the test genes, as `Task.metrics` returns them.
        training: What `metrics.json` says of the training.
        history: An epoch a row.
        quality: What `quality.json` beside the records holds.
        saliency: float32 `(genes, marks, bins)`, with respect to the signal as measured, in logit a
            unit of it.
        no_saliency: Why there is no saliency; empty if there is.
        tables: The tables of `FINDINGS`, by name.
    """

    name: str
    path: Path
    study: Study
    prediction: Prediction
    metrics: dict[str, Any]
    training: dict[str, Any]
    history: pd.DataFrame | None
    quality: dict[str, Any] | None
    saliency: np.ndarray | None
    no_saliency: str
    tables: dict[str, pd.DataFrame]

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks of the model and, if the quality of more was measured, these, too."""
        measured = (of_mark["mark"] for of_mark in (self.quality or {"marks": ()})["marks"])
        return tuple(dict.fromkeys((*self.study.run.marks, *measured)))


def collect_runs(run_dirs: Iterable[str | Path], **data: Unpack[DataOptions]) -> list[CollectedRun]:
    """Collect what a report says of runs; a run that is named twice counts once.

    Args:
        run_dirs: Run directories.
        **data: For all runs, `dataset`, `data_dir`, `labels`, see `DataOptions`.

    Raises:
        InputError: If a run or a dataset is missing, they do not fit each other, a file is
            damaged, the test genes are all of one class, or the runs are of two tasks.
    """
    paths = list({Path(path).resolve(): Path(path) for path in run_dirs}.values())
    _check_one_task(paths)
    collected = []
    for path, name in zip(paths, _names(paths), strict=True):
        # Files first: they are read at once, and the model takes its time.
        task = open_run(path).task
        file = path / "history.csv"
        history = read_history(file, task) if file.is_file() else None
        tables = {finding.name: _read_finding(path, finding) for finding in findings_of(task)}
        study = open_study(path, split="test", **data)
        study = replace(study, genes=task.known(study.genes))
        quality = _read_quality(study.dataset.path / "quality" / "quality.json")
        task.check(study.genes, study.dataset, study.labels)
        prediction = study.prediction
        saliency, no_saliency = _saliency(study)
        collected.append(
            CollectedRun(
                name=name,
                path=path,
                study=study,
                prediction=prediction,
                metrics=task.metrics(task.truth(study.genes), prediction.answer),
                training=read_metrics(path / "metrics.json"),
                history=history,
                quality=quality,
                saliency=saliency,
                no_saliency=no_saliency,
                tables={name: table for name, table in tables.items() if table is not None},
            )
        )
    return collected


def findings_of(task: Task) -> tuple[Finding, ...]:
    """What else is shown: both are of genes predicted ON, which regression does not tell."""
    return FINDINGS if task is CLASSIFICATION else ()


def _check_one_task(paths: Iterable[Path]) -> None:
    tasks = {path: open_run(path).task.name for path in paths}
    first = next(iter(tasks), None)
    for path, task in tasks.items():
        if first is not None and task != tasks[first]:
            raise InputError(
                f"Expected runs of one task in a report. Received: {first} of {tasks[first]} and "
                f"{path} of {task}; write two reports"
            )


def _names(paths: Sequence[Path]) -> list[str]:
    """The last part of each path, and as many more as tell it from the others."""
    parts = [path.resolve().parts[1:] for path in paths]
    names = []
    for own in parts:
        others = [other for other in parts if other is not own]
        length = 1
        while length < len(own) and any(other[-length:] == own[-length:] for other in others):
            length += 1
        names.append("/".join(own[-length:]))
    return names


def _saliency(study: Study) -> tuple[np.ndarray | None, str]:
    """The saliency `(genes, marks, bins)`, or None and why."""
    if "saliency" not in methods_of(study.model):
        return None, f"{study.run.model_name} has no gradient, and so no saliency"
    signal = study.genes.signal
    try:
        # No background: saliency compares with no other genes.
        importance = compute_importance("saliency", study.model, signal, background=signal[:0])
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "tf_keras_vis":
            raise
        return None, "saliency takes the extra explain: pip install 'keras-chrome[explain]'"
    return importance.swapaxes(1, 2), ""


def _read_finding(run: Path, finding: Finding) -> pd.DataFrame | None:
    path = run / finding.name / f"{finding.name}.csv"
    if not path.is_file():
        return None
    remedy = f"write it anew with `{finding.command.format(run=run)}`"
    kinds: dict[str, Kind] = {
        name: _kind(name) for name in (*finding.columns, *finding.newer_columns)
    }
    columns, newer = (
        {name: kinds[name] for name in names} for names in (finding.columns, finding.newer_columns)
    )
    table = read_table(path, columns, more=newer, remedy=remedy)
    return table[[*columns, *(name for name in newer if name in table.columns)]]


def _kind(name: str) -> Kind:
    if name in _TEXT:
        return "text"
    return "integer" if name.startswith("num_") else "number or none"


_TEXT = frozenset(
    {
        *("epigenome", "method", "level", "statistic", "control", "question", "measure", "better"),
        *("network", "form", "mark", "validation_mark", "validation_dataset", "direction"),
        "on_rule",
    }
)


class _OfMark(TypedDict, total=False):
    peak_bp: float | None
    tss_enrichment: float | None
    auroc: float | None
    profile_low: list[float | None] | None


class _MarkQuality(_OfMark):
    mark: str
    mean_signal: float | None
    zero_share: float | None
    profile: list[float]
    profile_high: list[float] | None


class _Quality(TypedDict):
    """What is shown of `quality.json`, which `tfds_remc` writes."""

    marks: list[_MarkQuality]
    correlation: list[list[float | None]]
    num_genes: int
    flank_bp: int
    bin_bp: int
    warnings: list[str]


def _read_quality(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    what, remedy = "the quality of a dataset as JSON", "delete it, or build the dataset anew"
    quality: dict[str, Any] = read_json(path, _Quality, what=what, remedy=remedy)
    if len(quality["correlation"]) > len(quality["marks"]):
        raise InputError(
            f"Expected a row of correlations a mark. Received: {path} with "
            f"{len(quality['correlation'])} of {len(quality['marks'])} marks; {remedy}"
        )
    return quality
