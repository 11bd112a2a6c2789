"""What a served model says of genes, and how it is written down."""

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from serving.errors import InputError
from serving.genes import Genes


class Prediction(NamedTuple):
    """What a model says of n genes.

    Attributes:
        probability: Of high expression, float32 `(n,)`, in [0, 1].
        alpha: Attention over the bins of each mark, float32 `(n, marks, bins)`, or None.
        beta: Attention over the marks, float32 `(n, marks)`, or None.
    """

    probability: np.ndarray
    alpha: np.ndarray | None = None
    beta: np.ndarray | None = None


class Saliency(NamedTuple):
    """How the score of n genes answers to their signal.

    Attributes:
        gradient: Of the logit of high expression, float32 `(n, bins, marks)`.
        probability: Of high expression, float32 `(n,)`.
    """

    gradient: np.ndarray
    probability: np.ndarray


def to_table(genes: Genes, prediction: Prediction) -> pd.DataFrame:
    """One row a gene.

    Returns:
        Columns `gene_id`, `probability`; with alpha, `top_mark` and `top_bin` (from 1), where
        the attention is largest: alpha, times the beta of the mark where there is one; with
        beta, `beta_MARK` for each mark.
    """
    table = pd.DataFrame({"gene_id": genes.gene_id, "probability": prediction.probability})
    if prediction.alpha is not None:
        weight = prediction.alpha
        if prediction.beta is not None:
            weight = weight * prediction.beta[:, :, np.newaxis]
        num_genes, num_marks, num_bins = weight.shape
        mark, bin_ = np.divmod(weight.reshape(num_genes, -1).argmax(axis=1), num_bins)
        if num_marks == len(genes.marks):
            table["top_mark"] = np.array(genes.marks)[mark]
        table["top_bin"] = bin_ + 1
    if prediction.beta is not None:
        for axis, name in enumerate(genes.marks):
            table[f"beta_{name}"] = prediction.beta[:, axis]
    return table


def write_table(path: str | Path | None, table: pd.DataFrame) -> None:
    """Write a table as CSV, all of it or nothing; without a path to standard output."""
    if path is None:
        table.to_csv(sys.stdout, index=False, float_format="%.6g")
        return
    with _replacing(Path(path)) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")


def write_attention(path: str | Path, genes: Genes, prediction: Prediction) -> None:
    """Write gene_id, marks, alpha and beta into an NPZ file, all of it or nothing.

    Raises:
        InputError: If the prediction has no attention.
    """
    attention = {"alpha": prediction.alpha, "beta": prediction.beta}
    arrays = {name: array for name, array in attention.items() if array is not None}
    if not arrays:
        raise InputError(
            f"Expected a model with attention. Received: attention={path}, of a model without. "
            "Leave --attention out"
        )
    with _replacing(Path(path)) as temporary, temporary.open("wb") as file:
        arrays |= {"gene_id": genes.gene_id, "marks": np.array(genes.marks)}
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place at the end, or vanishes."""
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
