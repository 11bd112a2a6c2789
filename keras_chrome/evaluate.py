"""Measure how well a run predicts.

As a command: `python -m keras_chrome.evaluate RUN`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.command_line import option, parse, quieten_tensorflow, run_command
from keras_chrome.data import label_rule
from keras_chrome.data.expression_elsewhere import mean_elsewhere
from keras_chrome.data.recorded_signal import joined
from keras_chrome.errors import InputError
from keras_chrome.models.task import TASKS
from keras_chrome.runs import open_run
from keras_chrome.runs.files import checked_directory, locked, write_csv, write_json
from keras_chrome.runs.run import read_metrics
from keras_chrome.runs.study import DataArguments
from keras_chrome.tables import format_table

if TYPE_CHECKING:
    from keras_chrome.data import Dataset, Genes
    from keras_chrome.models.task import Task
    from keras_chrome.runs import Run

_EVALUATED_SPLITS = ("valid", "test")
_ELSEWHERE = {
    "mean_label": "the mean label",
    "mean_log_expression": "the mean log2 expression",
    "mean_expression": "the mean expression",
}


def evaluate(
    run_dir: str | Path,
    *,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    labels: str | None = None,
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Predict the validation and test genes and compare with their labels.

    Args:
        run_dir: A run directory.
        dataset: A built dataset; the run's own if None. It must have the run's bins.
        data_dir: Where datasets were built; where the run found its own if None.
        labels: `median` or `published`; the run's own if None.
        out: Directory for `metrics.json` and `predictions.csv`; the run directory if None.

    Returns:
        For `valid` and `test` what `classification_metrics` returns, and `label_rule`; of
        regression what `regression_metrics` returns, the task, and the scale in words. Of a run on
        several epigenomes also `epigenomes`, the same of each, and `mean_auroc` or `mean_pearson`.
        On an epigenome that the run was not trained on also `expression_elsewhere`, see
        `evaluate_unseen`; genes that it was trained on in another one are left out.

    Raises:
        InputError: If the run or the dataset is missing, or they do not fit each other; if
            `dataset` or `labels` differ from the run's own and `out` is None.
    """
    run = open_run(run_dir)
    opened = run.open_dataset(dataset, data_dir)
    labels = label_rule(labels or run.labels)
    own = run.config.dataset
    if out is None and own and (opened.name, labels) != (own.name, run.labels):
        raise InputError(
            f"Expected --out for an evaluation on other genes or labels than the run's own "
            f"({own.name}, {run.labels}). Received: dataset={opened.name!r}, labels={labels!r}"
        )

    run.task.check_unit(own.unit if own else None, opened.unit)
    genes = [run.load_genes(split, dataset=opened, labels=labels) for split in _EVALUATED_SPLITS]
    is_unseen = own is not None and not {part.epigenome for part in own.parts}.intersection(
        genes[0].by_epigenome()
    )
    if is_unseen:
        genes = [_without_trained(run, of_split, opened) for of_split in genes]
    genes = [run.task.known(of_split) for of_split in genes]
    for of_split in genes:
        run.task.check(of_split, opened, labels)
    directory = Path(out).expanduser() if out else run.path
    options: Any = {"labels": labels, "unit": opened.unit, "directory": directory}
    with locked(directory, "evaluate", "--out"):
        if is_unseen:
            metrics = evaluate_unseen(run, genes, _own_genes(run), **options)
        else:
            metrics = evaluate_genes(run, genes, **options)
        # What training wrote about itself (epochs, time) stays.
        path = directory / "metrics.json"
        write_json(path, {**read_metrics(path), **metrics})
    return metrics


def _without_trained(run: Run, genes: Genes, dataset: Dataset) -> Genes:
    """The genes on which the run was not trained in any other epigenome; it says how many."""
    is_trained = np.isin(genes.gene_id, run.gene_ids("train"))
    print(
        f"{dataset.name}, which {run.path} was not trained on: {(~is_trained).sum():,} "
        f"{genes.split} genes; {is_trained.sum():,} left out, trained on in other epigenomes"
    )
    return genes.subset(genes.split, ~is_trained)


def _own_genes(run: Run) -> list[Genes]:
    """The genes that a run validated and tested on; none where its dataset is gone."""
    try:
        dataset = run.open_dataset()
    except InputError:
        print(f"no row of expression elsewhere: the dataset of {run.path} is not to be found")
        return []
    return [run.load_genes(split, dataset=dataset) for split in _EVALUATED_SPLITS]


def evaluate_unseen(
    run: Run,
    splits: Sequence[Genes],
    own: Sequence[Genes],
    *,
    labels: str,
    unit: str = "RPKM",
    directory: Path,
) -> dict[str, Any]:
    """Measure a run's saved model on genes of an epigenome that it was not trained on.

    Beside it stands what needs no model and no mark: the same genes' expression in the epigenomes
    that were trained on, which the model has not seen.

    Args:
        run: The run.
        splits: The genes, by split.
        own: Genes that the run validated and tested on.
        labels: Label rule.
        unit: Of expression.
        directory: Where `predictions.csv` is written.

    Returns:
        As `evaluate_genes`, and for each split, where it is known, `expression_elsewhere`: for
        `mean_label` and `mean_log_expression`, over the epigenomes that were trained on, the
        `auroc` and the `num_genes` that it is of; of regression for `mean_expression` the
        `pearson`.
    """
    task = run.task
    metrics = evaluate_genes(run, splits, labels=labels, unit=unit, directory=directory)
    for genes in splits:
        rows = metrics[genes.split]["expression_elsewhere"] = {}
        for name, values in mean_elsewhere(genes.gene_id, own, task.elsewhere).items():
            is_known = np.isfinite(values)
            truth = task.truth(genes)[is_known]
            if len(np.unique(truth)) > 1:
                score = task.score(truth, values[is_known])
                rows[name] = {task.monitor: score, "num_genes": len(truth)}
    return metrics


def evaluate_genes(
    run: Run,
    splits: Sequence[Genes],
    *,
    labels: str,
    unit: str = "RPKM",
    directory: Path | None = None,
) -> dict[str, Any]:
    """Measure a run's saved model on genes of known truth, and write `predictions.csv`.

    Of several epigenomes it has a column `epigenome`.
    """
    import pandas as pd

    model = run.load_model()  # Where Keras cannot be imported, it says so.

    from keras_chrome.models.prediction import predict

    # All splits at once: each call of `predict` compiles.
    together = predict(model, joined([g.signal for g in splits]))
    task, spread = run.task, together.answer_sd
    ends = np.cumsum([len(genes) for genes in splits])
    metrics: dict[str, Any] = {**task.about_metrics(labels, unit)}
    tables = []
    has_epigenomes = any(len(genes.by_epigenome()) > 1 for genes in splits)
    has_transcripts = any((genes.transcript_id != "").any() for genes in splits)
    for genes, end in zip(splits, ends, strict=True):
        own = slice(end - len(genes), end)
        truth, answer = task.truth(genes), together.answer[own]
        metrics[genes.split] = _measured(task, genes, truth, answer)
        tables.append(
            pd.DataFrame(
                {
                    "gene_id": genes.gene_id,
                    **({"epigenome": genes.epigenome} if has_epigenomes else {}),
                    # One gene may have several TSSs.
                    **({"transcript_id": genes.transcript_id} if has_transcripts else {}),
                    "split": genes.split,
                    **task.columns(truth, answer, None if spread is None else spread[own]),
                }
            )
        )
    write_csv((directory or run.path) / "predictions.csv", pd.concat(tables))
    return metrics


def _measured(task: Task, genes: Genes, truth: np.ndarray, answer: np.ndarray) -> dict[str, Any]:
    """The metrics of a split; of several epigenomes also those of each, and their mean score."""
    rows = genes.by_epigenome()
    if len(rows) == 1:
        return task.metrics(truth, answer)
    each = {name: task.metrics(truth[r], answer[r]) for name, r in rows.items()}
    return {
        **task.metrics(truth, answer, gene_id=genes.gene_id),
        f"mean_{task.monitor}": float(np.mean([of_one[task.monitor] for of_one in each.values()])),
        "epigenomes": each,
    }


def summary(metrics: Mapping[str, Any]) -> str:
    """Metrics in words for the screen: a table, one line a split.

    Of several epigenomes a line each, and the mean of their AUROCs or Pearson's r; of one that was
    not trained on also what expression in the others says of it.
    """
    task = TASKS[metrics.get("task", "classification")]
    splits = {name: metrics[name] for name in (*_EVALUATED_SPLITS, "left_out") if name in metrics}
    titled: dict[str, Any] = {}
    notes = []
    for split, of_split in splits.items():
        each = of_split.get("epigenomes")
        titled |= {f"{split} {name}": m for name, m in each.items()} if each else {split: of_split}
        if each and f"mean_{task.monitor}" in of_split:
            notes.append(
                f"{split}: mean {task.monitor_title} of {len(each)} epigenomes "
                f"{of_split[f'mean_{task.monitor}']:.4f}"
            )
        elsewhere = of_split.get("expression_elsewhere", {})
        for name, what in _ELSEWHERE.items():
            if (of_row := elsewhere.get(name, {})).keys() >= {task.monitor, "num_genes"}:
                notes.append(
                    f"{split}: {task.monitor_title} {of_row[task.monitor]:.4f} of {what} in the "
                    f"epigenomes trained on, without any mark ({of_row['num_genes']:,} genes)"
                )
    # Earlier versions measured less.
    shown = [name for name in task.shown if all(name in m for m in titled.values())]
    rows = [{"split": title, **{n: m[n] for n in shown}} for title, m in titled.items()]
    scale = [metrics["scale"]] if "scale" in metrics else []
    return "\n".join([*scale, format_table(rows), *notes])


@dataclass(frozen=True, kw_only=True)
class Options(DataArguments):
    """Options of the command."""

    run: Path = option("run directory", positional=True)
    out: Path | None = option(
        "directory for the results (default: the run directory)", default=None
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = parse(
        Options,
        argv,
        prog="python -m keras_chrome.evaluate",
        description="Measure how well a run predicts the validation and test genes.",
    )
    if given.out:
        checked_directory(given.out)
    quieten_tensorflow()
    metrics = evaluate(given.run, out=given.out, **given.data_options())
    print(summary(metrics))


if __name__ == "__main__":
    run_command(main, InputError)
