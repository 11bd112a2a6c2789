"""What the same genes do in other epigenomes says of their labels: a ceiling, and no competitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from keras_chrome.data import open_dataset
from keras_chrome.data.expression_elsewhere import read_expression_elsewhere
from keras_chrome.errors import InputError
from keras_chrome.runs import open_run
from keras_chrome.runs.finished import FinishedRun, PredictedGenes
from keras_chrome.statistics.paired_tests import auroc_with_error, logit_interval, placements


class CeilingRow(NamedTuple):
    """`expression_elsewhere` on an epigenome; the columns of `Leaderboard.ceilings`."""

    epigenome: str
    auroc: float
    auroc_low: float
    auroc_high: float
    num_genes: int
    num_unknown: int


def ceiling_row(runs: Sequence[FinishedRun], folds: Sequence[PredictedGenes]) -> CeilingRow | None:
    """How well expression in other epigenomes ranks the test genes of some runs.

    Args:
        runs: Of one epigenome.
        folds: Their test genes, fold by fold.

    Returns:
        AUROC, its 95 % interval over genes (DeLong's variance), and genes with and without a value
        elsewhere; None where the dataset is not to be found, has other contents, or nothing is
        known of genes of both classes.
    """
    run = open_run(runs[0].path)
    assert run.config.dataset is not None
    try:
        dataset = open_dataset(run.config.dataset.name, run.config.options.get("data_dir"))
    except InputError:
        return None
    values = [read_expression_elsewhere(dataset, genes.gene_id) for genes in folds]
    labels = [g.truth[~np.isnan(of)] for g, of in zip(folds, values, strict=True)]
    if any(set(label) != {0, 1} for label in labels):
        return None
    if dataset.fingerprint() != run.config.dataset.fingerprint:
        return None
    known = [of[~np.isnan(of)] for of in values]
    placed = [placements(label, of) for label, of in zip(labels, known, strict=True)]
    auroc, standard_error = auroc_with_error(placed)
    num_known = sum(map(len, known))
    return CeilingRow(
        runs[0].epigenome,
        auroc,
        *logit_interval(auroc, standard_error),
        num_genes=num_known,
        num_unknown=sum(map(len, values)) - num_known,
    )
