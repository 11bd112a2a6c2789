"""A mark that a model was not trained on, to hold its importance against."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_chrome.command_line import as_spelled, option
from keras_chrome.data import Dataset, check_signal, read_columns
from keras_chrome.errors import InputError
from keras_chrome.runs.study import Study
from keras_chrome.vocabulary import SPLITS

MARK = "H3K4me3"
"""The mark that is held against another: it marks active promoters, and is trained on."""
VALIDATION_MARK = "H3K27ac"
"""The other: it marks active promoters, too, and enhancers."""


@dataclass(frozen=True, kw_only=True)
class ValidationArguments:
    """Where a validation mark comes from: options of a command, whose own class inherits them."""

    validation_mark: str = option(
        "mark that the model was not trained on", default=VALIDATION_MARK, group="validation mark"
    )
    validation_dataset: str | None = option(
        "dataset that holds it, if the run's own does not", default=None, group="validation mark"
    )
    across_epigenomes: bool = option(
        "let it be of another epigenome than the genes", default=False, group="validation mark"
    )


class ValidationMark(NamedTuple):
    """The signal of such a mark at the genes of a study.

    Attributes:
        mark: Its name.
        dataset: The dataset that it was read from.
        signal: float32 `(genes, bins)`, in the order and the direction of the study's genes; NaN
            where the dataset lacks the gene.
        has_signal: bool `(genes,)`.
    """

    mark: str
    dataset: str
    signal: np.ndarray
    has_signal: np.ndarray


def read_validation_mark(
    study: Study,
    mark: str,
    *,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    across_epigenomes: bool = False,
) -> ValidationMark:
    """Read a mark of the study's own dataset, or of another.

    Args:
        study: Model and genes.
        mark: A mark that the model was not trained on, in any capitals.
        dataset: Another built dataset of the same bins, whose genes are found by their ids and
            places; the study's own if None.
        data_dir: Where it was built; where the run found its own if None.
        across_epigenomes: Whether it may be of another epigenome than the study's genes.

    Raises:
        InputError: If the model was trained on the mark, no dataset holds it, the other is of
            another epigenome, or they share no gene.
    """
    held = study.dataset if dataset is None else study.run.open_dataset(dataset, data_dir)
    mark = as_spelled(mark, {*study.run.marks, *held.marks})
    if mark in study.run.marks:
        raise InputError(
            f"Expected a validation mark that {study.run.path} was not trained on: what a model "
            f"has seen does not validate it. Received: validation_mark={mark!r}, trained on "
            f"{', '.join(study.run.marks)}; train with --marks "
            + " ".join(name for name in study.run.marks if name != mark)
        )
    if mark not in held.marks:
        remedy = f"; {_recipe(held, mark)}" if dataset is None else ""
        raise InputError(
            f"Expected a validation mark that {held.name} holds ({', '.join(held.marks)}). "
            f"Received: validation_mark={mark!r}{remedy}"
        )
    if not across_epigenomes:
        _check_epigenome(study, held)
    columns = _columns(held)
    genes = study.genes
    row_of_key = {key: row for row, key in enumerate(_keys(columns))}
    wanted = _keys({name: getattr(genes, name) for name in ("gene_id", "chrom", "tss")})
    row = np.array([row_of_key.get(key, -1) for key in wanted])
    is_other_way = columns["oriented"][row] != genes.oriented
    # Which way bins run that run along transcription, nobody knows without the strand.
    has_signal = (row >= 0) & ~(is_other_way & (genes.strand == ""))
    if not has_signal.any():
        raise InputError(
            f"Expected genes of {study.dataset.name}, split {genes.split!r}, in {held.name}. "
            f"Received: none of {len(genes)} with the same gene id and TSS"
        )
    signal = columns["signal"][row, :, held.marks.index(mark)].astype(np.float32)
    gene_id = columns["gene_id"][row[has_signal]]
    check_signal(signal[has_signal, :, np.newaxis], held, gene_id, [mark])
    is_flipped = is_other_way & (genes.strand == "-")
    signal[is_flipped] = signal[is_flipped, ::-1]
    signal[~has_signal] = np.nan
    return ValidationMark(mark, held.name, signal, has_signal)


def _recipe(dataset: Dataset, mark: str) -> str:
    """How to come by a mark that a dataset lacks."""
    epigenome = _epigenome(dataset)
    if not re.fullmatch(r"E\d{3}", epigenome):
        return "name a dataset of the same epigenome that holds it with --validation-dataset"
    config = f'{{"source": "alignments", "epigenome": "{epigenome}", "marks": ["{mark}"]}}'
    return (
        f"build it of Roadmap's reads, `python -m tfds_remc --config '{config}'`, and name it with "
        f"--validation-dataset remc/{epigenome}_alignments"
    )


def _check_epigenome(study: Study, held: Dataset) -> None:
    """See that a dataset is of the same epigenome as the genes of a study."""
    own, other = _epigenome(study.dataset), _epigenome(held)
    if own != other:
        raise InputError(
            f"Expected a validation mark of the epigenome of {study.dataset.name}, {own}: that of "
            f"another says where that one is active. Received: validation_dataset={held.name}, of "
            f"{other}; build the mark of {own}, or give --across-epigenomes if they are the same "
            "cells, or you mean it"
        )


def _epigenome(dataset: Dataset) -> str:
    # A dataset may be named otherwise, such as E003_alignments. A simulated one has no epigenome.
    return dataset.metadata.get("epigenome") or dataset.epigenome


def _columns(dataset: Dataset) -> dict[str, np.ndarray]:
    """All genes of a dataset, labelled or not."""
    parts = [read_columns(dataset, split) for split in SPLITS]
    names = ("gene_id", "chrom", "tss", "oriented", "signal")
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _keys(columns: dict[str, np.ndarray]) -> list[tuple[str, str, int]]:
    # An id may have several TSSs, one a transcript, or another in another annotation. The seven
    # published ids that stand twice have one place each, on chr17 and chr19, and one signal.
    return list(zip(*(columns[name].tolist() for name in ("gene_id", "chrom", "tss")), strict=True))
