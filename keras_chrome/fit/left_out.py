"""An epigenome that is not trained on, to be predicted afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_chrome.data import load_genes, open_dataset
from keras_chrome.data.epigenomes import check_alike
from keras_chrome.models.task import TASKS

if TYPE_CHECKING:
    from keras_chrome.data import Dataset, Genes
    from keras_chrome.fit.config import FitConfig


def load_left_out(config: FitConfig, dataset: Dataset, genes: Mapping[str, Genes]) -> Genes | None:
    """The genes of the left-out epigenome that are test genes of the others, if there is one.

    Whatever its own splits are, these are the ones on which no epigenome was trained: most genes
    are high everywhere or low everywhere, and others would be known by heart.

    Args:
        config: The options, spelled out.
        dataset: What is trained on.
        genes: Its genes by their split; without test genes there is none.

    Raises:
        InputError: If the left-out dataset is missing, has other bins, lacks a mark, or has no such
            genes of both classes, of regression none of known expression in the same unit.
    """
    if config.leave_out is None or "test" not in genes:
        return None
    left_out = open_dataset(config.leave_out, config.data_dir)
    check_alike([*(dataset.parts or (dataset,)), left_out])
    if config.recipe().mark_dropout:
        left_out = left_out.reading(config.marks or dataset.marks)
    task = TASKS[config.task]
    task.check_unit(dataset.unit, left_out.unit)
    every_gene = load_genes(left_out, marks=config.marks, labels=config.labels)
    tested = every_gene.subset("test", np.isin(every_gene.gene_id, genes["test"].gene_id))
    tested = task.known(tested)
    task.check(tested, left_out, config.labels)
    return tested
