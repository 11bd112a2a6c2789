"""Expression of genes in the other epigenomes of an expression table.

Most genes are high everywhere or low everywhere: what a gene does elsewhere tells its label without
any mark. It stands beside a dataset to hold models against, and is in no example.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from .epigenomes import EPIGENOMES
from .expression import ExpressionUnit, gene_lines

FILE_NAME = "expression_elsewhere.csv"

_PSEUDOCOUNT = 0.1


class ExpressionElsewhere(NamedTuple):
    """A gene in the other epigenomes that have a value of it.

    Attributes:
        log2_mean: Mean of log2(value + 0.1).
        num_epigenomes: Their number, at least one.
    """

    log2_mean: float
    num_epigenomes: int


def read_expression_elsewhere(
    path: Path,
    epigenome: str,
    *,
    others: Collection[str] = (),
    unit: ExpressionUnit = "RPKM",
    is_only: bool = False,
) -> dict[str, ExpressionElsewhere]:
    """Reads what an expression table has of other epigenomes.

    Those are Roadmap's and the ones that are named: no other column, which may hold lengths of
    genes. A value that is no number of at least 0 is unknown.

    Args:
        path: The table, which `read_expression` reads; arguments of the same name are its.
        epigenome: See there.
        others: Names of other epigenomes.
        unit: See there.
        is_only: See there.

    Returns:
        By gene id, those that have a value in another epigenome.
    """
    names = {*EPIGENOMES, *others} - {epigenome}
    elsewhere: dict[str, ExpressionElsewhere] = {}
    for line in gene_lines(path, epigenome, unit if is_only else None):
        texts = (t for name, t in zip(line.header, line.fields, strict=False) if name in names)
        if (log2 := _log2_of_known(texts)) and line.gene_id not in elsewhere:
            elsewhere[line.gene_id] = ExpressionElsewhere(math.fsum(log2) / len(log2), len(log2))
    return elsewhere


def _log2_of_known(texts: Iterable[str]) -> list[float]:
    values = []
    for text in texts:
        try:
            value = float(text)
        except ValueError:
            continue
        if 0 <= value < math.inf:
            values.append(math.log2(value + _PSEUDOCOUNT))
    return values


def write_expression_elsewhere(
    elsewhere: Mapping[str, ExpressionElsewhere], gene_ids: Iterable[str], folder: Path
) -> None:
    """Writes `expression_elsewhere.csv` of a dataset's genes, in the order of their ids.

    Args:
        elsewhere: By gene id.
        gene_ids: Of the dataset; those of which nothing is known have no line.
        folder: Of the dataset.
    """
    with (folder / FILE_NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["gene_id", *ExpressionElsewhere._fields])
        for gene_id in sorted(elsewhere.keys() & set(gene_ids)):
            log2_mean, num_epigenomes = elsewhere[gene_id]
            writer.writerow([gene_id, f"{log2_mean:.6f}", num_epigenomes])
