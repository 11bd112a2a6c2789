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
from keras_chrome.data import check_classes, label_rule
from keras_chrome.errors import InputError
from keras_chrome.runs import open_run
from keras_chrome.runs.files import checked_directory, write_csv, write_json
from keras_chrome.runs.run import read_metrics
from keras_chrome.runs.study import DataArguments
from keras_chrome.tables import format_table

if TYPE_CHECKING:
    from keras_chrome.data import Genes
    from keras_chrome.runs import Run

_EVALUATED_SPLITS = ("valid", "test")


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
        For `valid` and `test` what `classification_metrics` returns, and `label_rule`.

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

    genes = [run.load_genes(split, dataset=opened, labels=labels) for split in _EVALUATED_SPLITS]
    for of_split in genes:
        check_classes(of_split, opened, labels)
    directory = Path(out).expanduser() if out else run.path
    metrics = evaluate_genes(run, genes, labels=labels, directory=directory)
    # What training wrote about itself (epochs, time) stays.
    path = directory / "metrics.json"
    write_json(path, {**read_metrics(path), **metrics})
    return metrics


def evaluate_genes(
    run: Run, splits: Sequence[Genes], *, labels: str, directory: Path | None = None
) -> dict[str, Any]:
    """Measure a run's saved model on genes, and write `predictions.csv`."""
    import pandas as pd

    from keras_chrome.models.prediction import predict
    from keras_chrome.statistics.metrics import classification_metrics

    # All splits at once: each call of `predict` compiles.
    together = predict(run.load_model(), np.concatenate([g.signal for g in splits]))
    answers = {"probability": together.probability, "probability_sd": together.probability_sd}
    ends = np.cumsum([len(genes) for genes in splits])
    metrics: dict[str, Any] = {"label_rule": labels}
    tables = []
    has_transcripts = any((genes.transcript_id != "").any() for genes in splits)
    for genes, end in zip(splits, ends, strict=True):
        own = slice(end - len(genes), end)
        of_genes = {name: v[own] for name, v in answers.items() if v is not None}
        metrics[genes.split] = classification_metrics(genes.label, of_genes["probability"])
        tables.append(
            pd.DataFrame(
                {
                    "gene_id": genes.gene_id,
                    # One gene may have several TSSs.
                    **({"transcript_id": genes.transcript_id} if has_transcripts else {}),
                    "split": genes.split,
                    "label": genes.label,
                    **of_genes,
                }
            )
        )
    write_csv((directory or run.path) / "predictions.csv", pd.concat(tables))
    return metrics


def summary(metrics: Mapping[str, Any]) -> str:
    """Metrics in words for the screen: a table, one line a split."""
    columns = (
        "num_genes",
        "positive_rate",
        "auroc",
        "auroc_ci95",
        "auprc",
        "log_loss",
        "brier",
        "ece",
    )
    return format_table(
        [
            {"split": split, **{name: metrics[split][name] for name in columns}}
            for split in _EVALUATED_SPLITS
        ]
    )


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
