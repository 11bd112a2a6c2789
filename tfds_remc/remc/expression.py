"""Gene expression: one epigenome's column of an expression table, and labels from it."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from .annotations import without_version
from .errors import InputError, require_known
from .text_files import open_text

ExpressionUnit = Literal["RPKM", "FPKM", "TPM", "counts"]
"""What the numbers of an expression table are."""

LABEL_UNKNOWN = -1
LABEL_RULE = (
    "high if rpkm > median_rpkm, the median of the epigenome over all genes of the RPKM table, "
    "compared as numbers; -1 where the gene has no rpkm"
)
_UNKNOWN_VALUES = frozenset(("", "na", "n/a", "nan"))


class ExpressionTableError(InputError):
    """An expression table that cannot be used."""


class MatchedExpression(NamedTuple):
    """The expression of gene regions, and what found no counterpart.

    Attributes:
        rpkm: (regions,) float64 in the table's unit, NaN where unknown.
        num_regions_not_in_table: Regions whose gene the table lacks.
        num_regions_unknown: Regions whose gene the table has, without a value.
        num_genes_without_region: Genes of the table that no region is of. They still count for
            the median.
    """

    rpkm: np.ndarray
    num_regions_not_in_table: int
    num_regions_unknown: int
    num_genes_without_region: int


@dataclasses.dataclass(frozen=True)
class Expression:
    """Expression of all genes of the table in one epigenome.

    The names say RPKM, as Roadmap's table has, whatever the unit: a label only asks on which side
    of the epigenome's median a gene lies. RPKM, FPKM and TPM of one epigenome differ by a factor
    and give the same labels. Counts are not divided by the length of the gene, so they call long
    genes high more often.

    Attributes:
        rpkm_of: Value by gene id without version; NaN where the table has none.
        median_rpkm: Median over all genes of the table that have a value.
        unit: What the values are.
        num_repeated: Lines left out because a gene stood before with the same value.
    """

    rpkm_of: dict[str, float]
    median_rpkm: float
    unit: ExpressionUnit = "RPKM"
    num_repeated: int = 0

    def rpkm(self, gene_ids: Sequence[str]) -> np.ndarray:
        """Returns (len(gene_ids),) float64 values, NaN for a gene that has none in the table."""
        return np.array([self.rpkm_of.get(gene_id, np.nan) for gene_id in gene_ids])

    def match(self, gene_ids: Sequence[str]) -> MatchedExpression:
        """Looks up the gene of each region, and counts what finds no counterpart.

        Args:
            gene_ids: Gene id of each region, without version, as `GeneTable.gene_id` holds them; a
                gene may have several regions.

        Raises:
            ExpressionTableError: If no region's gene is in the table.
        """
        num_in_table = sum(gene_id in self.rpkm_of for gene_id in gene_ids)
        if num_in_table == 0:
            raise ExpressionTableError(
                f"Expected genes of the expression table, such as {next(iter(self.rpkm_of))}. "
                f"Received: {len(gene_ids)} other genes, such as {next(iter(gene_ids), 'none')}. "
                "Give both with the same kind of gene id."
            )
        rpkm = self.rpkm(gene_ids)
        num_not_in_table = len(gene_ids) - num_in_table
        return MatchedExpression(
            rpkm=rpkm,
            num_regions_not_in_table=num_not_in_table,
            num_regions_unknown=int(np.isnan(rpkm).sum()) - num_not_in_table,
            num_genes_without_region=len(self.rpkm_of.keys() - set(gene_ids)),
        )


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


def read_expression(path: Path, epigenome: str, *, unit: ExpressionUnit = "RPKM") -> Expression:
    """Reads one epigenome's column of an expression table, plain or gzipped.

    The table has tabs or, where its header has no tab, commas between the fields; a header; and
    one line a gene. The gene id is the column gene_id, or else the first. Versions of Ensembl ids
    are dropped. An empty value, NA or NaN is unknown. Lines that start with "#" are comments.

    Two quirks of published tables are read as they are meant. In the original download of
    Roadmap's `57epigenomes.RPKM.pc.gz` the data lines end with a tab that the header lacks: columns
    are taken by their place in the header. R's `write.table` leaves the gene ids' column out of the
    header: it is the first.

    Args:
        path: The table.
        epigenome: Name of the column.
        unit: What the numbers are; it does not change them. See `Expression`.

    Raises:
        ExpressionTableError: If the file is not such a table, if the epigenome has no column, if a
            gene stands twice with two values, or if a value is not a number of at least 0.
        InputError: If `unit` is unknown.
    """
    require_known("unit", unit, get_args(ExpressionUnit))
    rpkm_of: dict[str, float] = {}
    first_of: dict[str, tuple[int, str]] = {}
    num_repeated = 0
    for line, gene_id, text in _column(path, epigenome):
        first_line, first_text = first_of.setdefault(gene_id, (line, text))
        if text != first_text:
            raise ExpressionTableError(
                f"Expected each gene once in {path.name}. Received: {gene_id} with {first_text!r} "
                f"in line {first_line} and {text!r} in line {line}. Remove one of the lines."
            )
        num_repeated += line != first_line
        rpkm_of[gene_id] = _value(
            text, f"gene {gene_id}, epigenome {epigenome} ({path.name}, line {line})"
        )
    known = [rpkm for rpkm in rpkm_of.values() if not math.isnan(rpkm)]
    if not known:
        raise ExpressionTableError(
            f"Expected at least one gene with a value in the column {epigenome} of {path.name}. "
            f"Received: {len(rpkm_of)} genes without."
        )
    return Expression(rpkm_of, float(np.median(known)), unit, num_repeated)


def _column(path: Path, epigenome: str) -> Iterator[tuple[int, str, str]]:
    """Yields line number, gene id and text of each line of one column."""
    rows = _rows(path)
    _, header = next(rows, (0, []))
    first = next(rows, None)
    if first is None:
        raise ExpressionTableError(
            f"Expected at least one gene in {path.name}. "
            f"Received: {'a header only' if header else 'nothing'}."
        )
    if "gene_id" not in header and len(first[1]) == len(header) + 1 and first[1][-1]:
        header.insert(0, "gene_id")
    gene_column = header.index("gene_id") if "gene_id" in header else 0
    columns = [index for index in range(len(header)) if index != gene_column]
    found = [index for index in columns if header[index] == epigenome]
    if len(found) != 1:
        raise ExpressionTableError(
            f"Expected one column {epigenome} in {path.name}. "
            f"Received: {', '.join(header[index] for index in columns)[:500] or 'gene ids only'}."
        )
    for line, row in itertools.chain([first], rows):
        # Without gene_id in the header, one field more may as well be R's column of gene ids.
        is_trailing = "gene_id" in header and len(row) == len(header) + 1 and not row[-1]
        if len(row) != len(header) and not is_trailing:
            raise ExpressionTableError(
                f"Expected {len(header)} fields in {path.name}, line {line}. Received: {len(row)}."
            )
        if not row[gene_column]:
            raise ExpressionTableError(
                f"Expected a gene id in {path.name}, line {line}. Received: none."
            )
        yield line, without_version(row[gene_column]), row[found[0]]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the fields of each line that is neither blank nor a comment, with its number."""
    with open_text(path, ExpressionTableError) as file:
        # The reader counts the blank lines that it skips.
        lines = ("\n" if line.startswith("#") else line for line in file)
        num_before, header = next(
            (position for position in enumerate(lines) if not position[1].isspace()), (0, "")
        )
        delimiter = "\t" if "\t" in header else ","
        reader = csv.reader(itertools.chain([header], lines), delimiter=delimiter)
        try:
            for row in reader:
                if any(row):
                    yield num_before + reader.line_num, row
        except csv.Error as error:
            raise ExpressionTableError(
                f"Expected a table in {path.name}, line {num_before + reader.line_num}. "
                f"Received: {error}."
            ) from error


def _value(text: str, of: str) -> float:
    if text.strip().lower() in _UNKNOWN_VALUES:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ExpressionTableError(
            f"Expected a number of at least 0, no logarithm, for {of}. Received: {text!r}."
        )
    return value
