"""Gene expression: the RPKM table of an epigenome, and labels from it."""

from __future__ import annotations

import dataclasses
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

LABEL_UNKNOWN = -1
LABEL_RULE = (
    "high if rpkm > median_rpkm, the median of the epigenome over all genes of the RPKM table, "
    "compared as numbers; -1 where the gene has no rpkm"
)


class ExpressionTableError(ValueError):
    """An RPKM table that cannot be used."""


@dataclasses.dataclass(frozen=True)
class Expression:
    """Expression of all genes of the RPKM table in one epigenome.

    Attributes:
        rpkm_of: RPKM by full Ensembl gene id.
        median_rpkm: Median over all genes of the table.
    """

    rpkm_of: dict[str, float]
    median_rpkm: float

    def rpkm(self, gene_ids: Sequence[str]) -> np.ndarray:
        """Returns (len(gene_ids),) float64 RPKM, NaN for a gene that is not in the table."""
        return np.array([self.rpkm_of.get(gene_id, np.nan) for gene_id in gene_ids])


def label_high(rpkm: np.ndarray, median_rpkm: float) -> np.ndarray:
    """Labels genes by whether they are expressed above the median.

    The published labels compare the two numbers as strings, which calls 9.8 higher than 14.2;
    this compares them as numbers.

    Args:
        rpkm: (genes,) float, NaN where unknown.
        median_rpkm: The epigenome's median.

    Returns:
        (genes,) int64: 1 above the median, 0 at or below it, -1 where `rpkm` is NaN.
    """
    label = (rpkm > median_rpkm).astype(np.int64)
    label[np.isnan(rpkm)] = LABEL_UNKNOWN
    return label


def read_expression(path: Path, epigenome: str) -> Expression:
    """Reads one epigenome's column of the gzipped table `57epigenomes.RPKM.pc.gz`.

    The table is tab-separated: a header gene_id, E003 ..., then one line a gene. In the original
    download the header also has E000 (the universal human reference) and the data lines end with
    a tab that the header lacks; columns are therefore taken by their place in the header.

    Raises:
        ExpressionTableError: If the file is not such a table, if the epigenome has no column, if a
            gene stands twice, or if an RPKM is not a number of at least 0.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            header = lines.readline().rstrip("\r\n").split("\t")
            if epigenome not in header or header[0] != "gene_id":
                raise ExpressionTableError(
                    f"Expected the columns gene_id and {epigenome} in {path.name}. "
                    f"Received: {', '.join(header)[:500]}."
                )
            table = pd.read_csv(
                lines,
                sep="\t",
                header=None,
                usecols=[0, header.index(epigenome)],
                dtype=str,
                keep_default_na=False,
            )
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, pd.errors.ParserError) as e:
        raise ExpressionTableError(
            f"Expected a complete gzipped, tab-separated table. Received: {path.name} ({e}). "
            "Fetch it again."
        ) from e
    except pd.errors.EmptyDataError:
        raise ExpressionTableError(
            f"Expected at least one gene in {path.name}. Received: a header only."
        ) from None
    gene_id, text = table.iloc[:, 0], table.iloc[:, 1]
    repeated = gene_id[gene_id.duplicated()]
    if len(repeated):
        raise ExpressionTableError(
            f"Expected each gene once in {path.name}. Received: {repeated.iloc[0]} more than once."
        )
    rpkm = pd.to_numeric(text, errors="coerce").to_numpy(dtype=np.float64)
    faults = np.flatnonzero(~(np.isfinite(rpkm) & (rpkm >= 0)))
    if len(faults):
        fault = int(faults[0])
        raise ExpressionTableError(
            f"Expected an RPKM of at least 0 for gene {gene_id.iloc[fault]}, epigenome {epigenome} "
            f"({path.name}, line {fault + 2}). Received: {text.iloc[fault]!r}."
        )
    return Expression(dict(zip(gene_id, rpkm.tolist(), strict=True)), float(np.median(rpkm)))
