"""Gene expression: one epigenome's column of an expression table, and labels from it."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from .annotations import date_warnings, known_symbol, without_version
from .errors import InputError, require_known, some
from .text_files import Row, content_lines, open_text, read_rows

ExpressionUnit = Literal["RPKM", "FPKM", "TPM", "counts"]
"""What the numbers of an expression table are."""

MedianOver = Literal["genes", "table"]
"""Which genes the median is over that parts high from low: those of the dataset that have a value,
or all of the expression table."""

LABEL_UNKNOWN = -1
LABEL_RULES: dict[MedianOver, str] = {
    "genes": "high if rpkm > median_rpkm, the median of the epigenome over the genes of the "
    "dataset that have an rpkm, compared as numbers; -1 where the gene has no rpkm",
    "table": "high if rpkm > median_rpkm, the median of the epigenome over all genes of the RPKM "
    "table, compared as numbers; -1 where the gene has no rpkm",
}
"""How a gene is labelled, in words, by what the median is over."""

MIN_SHARE = 0.2
"""Of the labelled genes of a split less than this part high, or low, are a reason to warn."""

_UNKNOWN_VALUES = frozenset(("", "na", "n/a", "nan", "#n/a", "null", "none", "-", "."))
# Counts of reads that are of no gene, as HTSeq has them (older versions without "__"), and STAR;
# and RNA that was spiked in, by ENCODE's names and the ERCC's.
_NO_GENE = re.compile(
    "__.*|no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique"
    r"|N_(?:unmapped|multimapping|noFeature|ambiguous)|gSpikein_.*|ERCC-\d+"
)
_MAX_VALUE = float(np.finfo(np.float32).max)
_GCT_VERSIONS = ("#1.2", "#1.3")
_NUMBERS = " Write numbers with a decimal point, and without separators of thousands."


class ExpressionTableError(InputError):
    """An expression table that cannot be used."""


class MatchedExpression(NamedTuple):
    """The expression of gene regions, and what found no counterpart.

    Attributes:
        rpkm: (regions,) float64 in the table's unit, NaN where unknown.
        num_regions_not_in_table: Regions whose gene the table lacks.
        num_regions_unknown: Regions whose gene the table has, without a value.
        num_genes_without_region: Genes of the table that no region is of.
        median_of_genes: Median over the genes that have a region and a value, each once; NaN if
            none has.
    """

    rpkm: np.ndarray
    num_regions_not_in_table: int
    num_regions_unknown: int
    num_genes_without_region: int
    median_of_genes: float = math.nan


class GeneLine(NamedTuple):
    """A line of an expression table.

    Attributes:
        number: Of the line, from 1.
        gene_id: Without version.
        header: Names of the columns.
        fields: Text by column; there may be an empty one more than names.
        column: Which of them is the epigenome's.
    """

    number: int
    gene_id: str
    header: Sequence[str]
    fields: Sequence[str]
    column: int


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
        warnings: A line on each thing that a user should know about the table, such as which lines
            are left out.
    """

    rpkm_of: dict[str, float]
    median_rpkm: float
    unit: ExpressionUnit = "RPKM"
    warnings: tuple[str, ...] = ()

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
            median_of_genes=_median(self.rpkm(list(dict.fromkeys(gene_ids)))),
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


def label_warnings(
    label: np.ndarray, split_of_gene: np.ndarray, *, median_rpkm: float, unit: str
) -> Iterator[str]:
    """Yields a line if the median is 0, and on each split that it parts in unequal halves.

    Args:
        label: (genes,) int, as of `label_high`.
        split_of_gene: (genes,) str.
        median_rpkm: What a gene of high expression exceeds.
        unit: Of the expression.
    """
    if median_rpkm == 0:
        yield f"the median expression is 0 {unit}: any expression at all makes a gene high"
    for split in dict.fromkeys(split_of_gene.tolist()):
        num_high, num_low = (int(np.sum(label[split_of_gene == split] == i)) for i in (1, 0))
        num_labelled = num_high + num_low
        if num_labelled and min(num_high, num_low) < MIN_SHARE * num_labelled:
            yield (
                f"{split}: {num_high:,} of {num_labelled:,} labelled genes are high "
                f"({100 * num_high / num_labelled:.1f} %), above the median expression of "
                f"{median_rpkm:.4g} {unit}"
            )


def read_expression(
    path: Path, epigenome: str, *, unit: ExpressionUnit = "RPKM", is_only: bool = False
) -> Expression:
    """Reads one epigenome's column of an expression table, plain or gzipped.

    The table, see `read_rows`, has a header and one line a gene. The gene id is the column gene_id,
    or else the first. Versions of Ensembl ids are dropped. An empty value, NA or NaN is unknown.
    Lines that start with "#" are comments; so is the second line of a GCT file. The counts of reads
    without a gene that HTSeq and STAR write among the genes are left out, as are spike-ins and
    genes called NA.

    Two quirks of published tables are read as they are meant. In the original download of
    Roadmap's `57epigenomes.RPKM.pc.gz` the data lines end with a tab that the header lacks: columns
    are taken by their place in the header. R's `write.table` leaves the gene ids' column out of the
    header: it is the first.

    Args:
        path: The table.
        epigenome: Name of the column.
        unit: What the numbers are; it does not change them. See `Expression`.
        is_only: Whether the table may be of this epigenome alone, as RSEM, StringTie and Salmon
            write it: without a column of its name, that of the unit is its.

    Raises:
        ExpressionTableError: If the file is not such a table, if the epigenome has no column, if a
            gene stands twice with two values, or if a value is not a number of at least 0.
        InputError: If `unit` is unknown.
    """
    require_known("unit", unit, get_args(ExpressionUnit))
    rpkm_of: dict[str, float] = {}
    first_of: dict[str, tuple[int, str]] = {}
    no_genes = []
    num_repeated = 0
    for line, gene_id, _, fields, column in gene_lines(path, epigenome, unit if is_only else None):
        text = fields[column]
        if _NO_GENE.fullmatch(gene_id) or not known_symbol(gene_id):
            no_genes.append(gene_id)
            continue
        value = _value(text, f"gene {gene_id}, epigenome {epigenome} ({path.name}, line {line})")
        first_line, first_text = first_of.setdefault(gene_id, (line, text))
        if not _is_same(rpkm_of.setdefault(gene_id, value), value):
            of_excel = ", ".join(date_warnings([gene_id], path.name))
            raise ExpressionTableError(
                f"Expected each gene once in {path.name}. Received: {gene_id} with {first_text!r} "
                f"in line {first_line} and {text!r} in line {line}. "
                + (f"{of_excel}." if of_excel else "Remove one of the lines.")
            )
        num_repeated += line != first_line
    median = _median(np.array(list(rpkm_of.values())))
    if math.isnan(median):
        raise ExpressionTableError(
            f"Expected at least one gene with a value in the column {epigenome} of {path.name}. "
            f"Received: {len(rpkm_of)} genes without."
        )
    which = some(dict.fromkeys(no_genes))
    left_out = {"repeat another": num_repeated, f"are no genes: {which}": len(no_genes)}
    warnings = [
        f"{path.name}: {number:,} lines left out that {reason}"
        for reason, number in left_out.items()
        if number
    ]
    return Expression(rpkm_of, median, unit, (*warnings, *date_warnings(rpkm_of, path.name)))


def _median(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


def _is_same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


def gene_lines(path: Path, epigenome: str, unit: str | None) -> Iterator[GeneLine]:
    """Yields the lines of an expression table, below its header.

    Args:
        path: The table.
        epigenome: Name of the column.
        unit: Name that the column may have in its place; None if it may not.

    Raises:
        ExpressionTableError: If it is no such table.
    """
    with open_text(path, ExpressionTableError) as file:
        lines = content_lines(_gct_as_table(file), path.name)
        rows = read_rows(lines, ExpressionTableError)
        top = list(itertools.islice(rows, 2))
        if not top:
            raise ExpressionTableError(
                f"Expected at least one gene in {path.name}. Received: nothing."
            )
        header, gene_column, column = _header(top, epigenome, unit)
        if len(top) < 2:
            raise ExpressionTableError(
                f"Expected at least one gene in {path.name}. Received: a header only."
            )
        for line, fields in itertools.chain(top[1:], rows):
            # Without gene_id in the header, one field more may as well be R's column of gene ids.
            is_trailing = "gene_id" in header and not any(fields[len(header) :])
            if len(fields) < len(header) or (len(fields) > len(header) and not is_trailing):
                remedy = _NUMBERS if "," in line.text else ""
                raise ExpressionTableError(
                    f"Expected {len(header)} fields in {line.where}. Received: {len(fields)}."
                    f"{remedy}"
                )
            if not fields[gene_column]:
                raise ExpressionTableError(f"Expected a gene id in {line.where}. Received: none.")
            gene_id = without_version(fields[gene_column])
            yield GeneLine(line.number, gene_id, header, fields, column)


def _gct_as_table(lines: Iterable[str]) -> Iterator[str]:
    """Makes a comment of GCT's second line, which holds the numbers of genes and of samples."""
    before = ""
    for line in lines:
        yield f"#{line}" if before.strip() in _GCT_VERSIONS else line
        before = line


def _header(top: Sequence[Row], epigenome: str, unit: str | None) -> tuple[list[str], int, int]:
    """The header, and the columns of the gene ids and of the epigenome, by the first two rows."""
    header = [*top[0].fields]
    line, first = top[-1]
    # A decimal comma makes two fields of one, too.
    is_of_r = "\t" in line.text or '"' in line.text or len(header) == 1
    if "gene_id" not in header and len(first) == len(header) + 1 and first[-1] and is_of_r:
        header.insert(0, "gene_id")
    gene_column = header.index("gene_id") if "gene_id" in header else 0
    columns = [index for index in range(len(header)) if index != gene_column]
    found = [index for index in columns if header[index] == epigenome]
    if not found and unit:
        found = [index for index in columns if header[index].lower() == unit.lower()]
    if len(found) == 1:
        return header, gene_column, found[0]
    line, names = top[0]
    if columns and header == names and "gene_id" not in names and all(map(_is_number, names[1:])):
        raise ExpressionTableError(
            f"Expected a header such as gene_id, {epigenome} in {line.where}. Received: "
            f"{line.text[:200]!r}. STAR and HTSeq write none, and a line that starts with # is a "
            "comment: put a line before it that names the columns."
        )
    names = [header[index] for index in columns if header[index]]
    expected = f"{epigenome}, or {unit} as the unit is," if unit else epigenome
    or_unit = ", or give the unit that it has" if unit else ""
    raise ExpressionTableError(
        f"Expected one column {expected} in {line.file_name}. Received: "
        f"{', '.join(names)[:500] or 'gene ids only'}. Write {epigenome} into the header, above "
        f"the column that holds its expression{or_unit}."
    )


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) <= _MAX_VALUE
    except ValueError:
        return False


def _value(text: str, of: str) -> float:
    if text.lower() in _UNKNOWN_VALUES:
        return math.nan
    if _is_number(text) and "_" not in text and float(text) >= 0:
        return float(text)
    remedy = _NUMBERS if text[:1].isdigit() else ""
    raise ExpressionTableError(
        f"Expected a number of at least 0, no logarithm, for {of}. Received: {text!r}.{remedy}"
    )
