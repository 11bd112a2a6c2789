"""Compare models over finished runs: the paper's Table 2, with errors and paired tests.

As a command: `python -m keras_chrome.leaderboard runs --out leaderboard`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_chrome.baselines import DETERMINISTIC
from keras_chrome.models.task import CLASSIFICATION
from keras_chrome.runs.finished import (
    FinishedRun,
    PredictedGenes,
    check_belong_together,
    find_finished_runs,
    grouped,
    read_test_genes,
    tell_apart,
)

if TYPE_CHECKING:
    import pandas as pd

    from keras_chrome.leaderboard.models import Measurement

REFERENCE = "deep_chrome"
GROUP = ["labels", "split", "marks"]
"""The columns that every table begins with: what is not compared with each other."""


@dataclass(frozen=True)
class Leaderboard:
    """Models compared on the same test genes and the same marks.

    There is a group for each label rule, split scheme and set of marks. A group's models are
    compared on its shared epigenomes: those on which every model has runs, in every fold that any
    of them has. An AUROC is the mean over folds of means over seeds. Runs of one model that were
    trained differently are models of their own, with names by `tell_apart`.

    Attributes:
        models: A row a model, best first: `labels`, `split`, `marks`, `model`; `mean`, `median`,
            `max` and `min` of the AUROC over shared epigenomes; `se_over_seeds`, the standard error
            of `mean` that comes from random training: the root of the summed squares of the
            epigenomes' own, divided by their number; means of `ece`, `mean_probability` and
            `positive_rate`; `reference`, the model to improve on,
            empty where it has no run; `num_improved`, the number of shared epigenomes with a
            higher AUROC than its; `num_epigenomes`, shared; `num_runs`, on these.
        epigenomes: A row a model and epigenome, shared or not: `auroc`; its 95 % interval,
            `auroc_low` and `auroc_high`, over genes and seeds by the hierarchical bootstrap, with
            one seed over genes alone by DeLong's variance, both on the logit scale;
            `se_over_seeds`, the standard error from random training: standard deviation over
            seeds by the root of their number, NaN with one seed; `ece`, the expected calibration
            error, `mean_probability`, what the model predicts in the mean, and `positive_rate`,
            the share labelled high, all of the test genes and averaged as the AUROC is;
            `num_genes`, `num_folds`, `num_runs`, `is_shared`.
        paired_tests: A row a pair of models and test: DeLong's and the hierarchical bootstrap's in
            each epigenome where both have runs in every fold, and over these Wilcoxon's
            signed-rank test, `epigenome` empty. DeLong's counts chance in the genes alone, the
            bootstrap in genes and seeds, for which both models need two or a fit that does not
            depend on it. `difference` is `auroc_a - auroc_b`, with `model_a` further up in
            `models`. `p_holm` is `p_value` corrected for the number of pairs, of each test in each
            epigenome. Where there is no p-value, `note` says why.
        left_out: Runs that are not counted, and why.
        ceilings: A row an epigenome whose dataset knows its genes in others: `auroc` of
            `expression_elsewhere`, their mean logarithm there, which uses no mark; its 95 %
            interval over genes; `num_genes` with and `num_unknown` without a value elsewhere. It
            is in no rank and no test.
        correlations: Of runs of regression, which are compared with each other alone, a row a
            `split`, `marks`, `epigenome` and `model`, best first: `pearson`, of log2(expression +
            1), the mean over folds of means over seeds; its 95 % interval, `pearson_low` and
            `pearson_high`, over genes and seeds by the hierarchical bootstrap; `se_over_seeds`;
            `spearman`, `r2`; `against`, the reference, or the best model where it has no run in
            every fold; `difference`, this model's `pearson` less that of `against`, with its
            interval over the same samples of the genes, `difference_low` and `difference_high`;
            `num_genes`, `num_folds`, `num_runs`.
    """

    models: pd.DataFrame
    epigenomes: pd.DataFrame
    paired_tests: pd.DataFrame
    left_out: Mapping[Path, str]
    ceilings: pd.DataFrame
    correlations: pd.DataFrame


def leaderboard(paths: Iterable[str | Path], *, reference: str = REFERENCE) -> Leaderboard:
    """Compare the models of finished runs.

    Args:
        paths: Run directories, or folders with run directories at any depth.
        reference: The model on which others are to improve.

    Returns:
        The tables.

    Raises:
        InputError: If there is no finished run, a run is damaged, or runs do not belong together:
            one dataset with several contents, the same training twice, test genes that differ.

    Example:
        >>> leaderboard(["runs"]).models
    """
    import pandas as pd

    from keras_chrome.leaderboard.ceiling import CeilingRow, ceiling_row
    from keras_chrome.leaderboard.correlations import CorrelationRow, correlation_rows
    from keras_chrome.leaderboard.models import (
        EpigenomeRow,
        ModelRow,
        PairedTestRow,
        epigenome_rows,
        model_rows,
        paired_test_rows,
    )

    found, left_out = find_finished_runs(paths)
    every_run = tell_apart(found)
    check_belong_together(every_run)
    runs = [run for run in every_run if run.task == CLASSIFICATION.name]
    of_expression = [run for run in every_run if run.task != CLASSIFICATION.name]
    models, epigenomes, tests, ceilings = [], [], [], []
    for group, of_group in grouped(runs, _group).items():
        measurements = {}
        for epigenome, of_epigenome in grouped(of_group, lambda run: run.epigenome).items():
            by_fold = sorted(grouped(of_epigenome, lambda run: run.fold).items())
            folds = {fold: (of_fold, read_test_genes(of_fold)) for fold, of_fold in by_fold}
            measurements[epigenome] = _measure(folds)
            genes = [genes for _, genes in folds.values()]
            if ceiling := ceiling_row(of_epigenome, genes):
                ceilings.append((*group, *ceiling))
        of_epigenomes = epigenome_rows(measurements)
        of_models = model_rows(of_epigenomes, reference)
        of_tests = paired_test_rows(measurements, [row.model for row in of_models])
        models += [(*group, *row) for row in of_models]
        epigenomes += [(*group, *row) for row in of_epigenomes]
        tests += [(*group, *row) for row in of_tests]

    def table(row_class: Any, rows: list[tuple[Any, ...]], **types: str) -> pd.DataFrame:
        columns = [*GROUP, *row_class._fields]
        return pd.DataFrame(rows, columns=columns).astype(types)

    return Leaderboard(
        table(ModelRow, models, num_improved="Int64"),
        table(EpigenomeRow, epigenomes),
        table(PairedTestRow, tests, num_genes="Int64"),
        left_out,
        table(CeilingRow, ceilings),
        pd.DataFrame(correlation_rows(of_expression, reference), columns=CorrelationRow._fields),
    )


def group_titles(
    models: pd.DataFrame, title: str = "{labels} labels, {split}"
) -> dict[tuple[str, str, str], str]:
    """The groups of `Leaderboard.models` and their titles, which name marks if these differ."""
    groups = list(models[GROUP].drop_duplicates().itertuples(index=False, name=None))
    if len({marks for _, _, marks in groups}) > 1:
        title += ", marks {marks}"
    return {
        (labels, split, marks): title.format(labels=labels, split=split_title(split), marks=marks)
        for labels, split, marks in groups
    }


def rows_of(group: tuple[str, str, str], table: pd.DataFrame) -> pd.DataFrame:
    """The rows that a table of a leaderboard has of a group."""
    return table[(table[GROUP] == list(group)).all(axis="columns")]


def split_title(split: str) -> str:
    """A split scheme in words."""
    return "the dataset's split" if split == "dataset" else split


def _group(run: FinishedRun) -> tuple[str, str, str]:
    return run.labels, run.split, " ".join(run.marks)


def _measure(
    folds: Mapping[int, tuple[Sequence[FinishedRun], PredictedGenes]],
) -> dict[str, Measurement]:
    """Each model on the test genes of one epigenome, by fold."""
    from keras_chrome.leaderboard.models import Measurement
    from keras_chrome.statistics.calibration import calibration
    from keras_chrome.statistics.paired_tests import Placements, auroc_samples, placements

    measured = {
        run.name: Measurement({}, {}, {}, is_deterministic=run.model in DETERMINISTIC)
        for runs, _ in folds.values()
        for run in runs
    }
    for fold, (of_fold, genes) in folds.items():
        placed = placements(genes.truth, genes.answer)
        samples = auroc_samples(placed, seed=fold)
        calibrations = np.array([calibration(genes.truth, p) for p in genes.answer])
        models = np.array([run.name for run in of_fold])
        for model in dict.fromkeys(models):
            is_own = models == model
            measured[model].placements[fold] = Placements(*(own[is_own] for own in placed))
            measured[model].samples[fold] = samples[:, is_own]
            measured[model].calibrations[fold] = calibrations[is_own]
    return measured
