"""Gene tables: where each gene's region lies on the genome (hg19)."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

GENES_TSV_COLUMNS = ("gene_id", "symbol", "chrom", "tss", "strand")
_GENE_INFO_FIELDS = 7


class GeneTableError(ValueError):
    """A gene table that cannot be used."""


@dataclasses.dataclass(frozen=True)
class GeneTable:
    """Genes and the centres of their regions, as parallel arrays over genes.

    Coordinates are 0-based. `tss` is the boundary between the two middle bins of the gene's
    region: the region is the half-open interval `[tss - flank_bp, tss + flank_bp)`. As in the
    published files it has the value of the TSS's 1-based position, so the TSS's own base is the
    last one before the boundary.

    Attributes:
        gene_id: (genes,) str, full Ensembl id, "ENSG00000000003".
        symbol: (genes,) str, "" where unknown.
        chrom: (genes,) str, "chrX".
        tss: (genes,) int64.
        strand: (genes,) str, "+", "-", or "" where unknown.
    """

    gene_id: np.ndarray
    symbol: np.ndarray
    chrom: np.ndarray
    tss: np.ndarray
    strand: np.ndarray

    def __post_init__(self) -> None:
        if len(self.gene_id) == 0:
            raise GeneTableError("Expected at least one gene in the gene table. Received: none.")
        unknown = sorted(set(self.strand.tolist()) - {"+", "-", ""})
        if unknown:
            raise GeneTableError(
                "Expected strand '+', '-' or '' in the gene table. "
                f"Received: strand={unknown[0]!r}."
            )

    def rows_of(self, gene_ids: Sequence[str]) -> np.ndarray:
        """Returns the row of each gene id.

        A few ids stand twice, in the published files and in the table alike: the second time an
        id is asked for, its second row answers (its only row, if it has just one).

        Args:
            gene_ids: Full Ensembl ids, repeated ids in the order of the published files.

        Returns:
            (len(gene_ids),) int64 row indices.

        Raises:
            GeneTableError: If an id is not in the table.
        """
        rows: dict[str, list[int]] = defaultdict(list)
        for row, gene_id in enumerate(self.gene_id.tolist()):
            rows[gene_id].append(row)
        asked: Counter[str] = Counter()
        answer = np.empty(len(gene_ids), dtype=np.int64)
        for position, gene_id in enumerate(gene_ids):
            if gene_id not in rows:
                raise GeneTableError(
                    f"Expected a gene of the gene table. Received: gene_id={gene_id!r}."
                )
            candidates = rows[gene_id]
            answer[position] = candidates[min(asked[gene_id], len(candidates) - 1)]
            asked[gene_id] += 1
        return answer


def bin_edges(tss: np.ndarray, *, num_bins: int, bin_bp: int, flank_bp: int) -> np.ndarray:
    """Returns the edges of each gene region's bins, in genome orientation.

    Args:
        tss: (genes,) int64, 0-based centre of each region.
        num_bins: Bins a region.
        bin_bp: Width of a bin.
        flank_bp: Distance from the region's start to its centre.

    Returns:
        (genes, num_bins + 1) int64: bin `i` is the 0-based half-open interval
        `[edges[:, i], edges[:, i + 1])`. Negative where a region reaches over the start of its
        chromosome.
    """
    return np.asarray(tss, dtype=np.int64)[:, None] - flank_bp + bin_bp * np.arange(num_bins + 1)


def read_gene_table(path: Path) -> GeneTable:
    """Reads a gene table in either of its two layouts, told apart by the first line.

    * `genes.tsv`: tab-separated with a header that has the columns gene_id, symbol, chrom, tss
      (0-based centre of the gene region) and strand ("?" or empty where unknown).
    * Roadmap's `Ensembl_v65.Gencode_v10.ENSG.gene_info`: tab-separated without a header: gene_id,
      chromosome without "chr", start and end (1-based, inclusive), strand (1 or -1), biotype,
      symbol, description. The TSS is the start of a gene on the plus strand and the end of one
      on the minus strand.

    Raises:
        GeneTableError: If the file is in neither layout, naming the first line at fault.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    is_genes_tsv = bool(lines) and lines[0].split("\t")[0] == "gene_id"
    parse = _parse_genes_tsv if is_genes_tsv else _parse_gene_info
    genes = list(parse(lines, path.name))
    gene_id, symbol, chrom, tss, strand = zip(*genes, strict=True) if genes else ((),) * 5
    return GeneTable(
        gene_id=np.array(gene_id, dtype=np.str_),
        symbol=np.array(symbol, dtype=np.str_),
        chrom=np.array(chrom, dtype=np.str_),
        tss=np.array(tss, dtype=np.int64),
        strand=np.array(strand, dtype=np.str_),
    )


def _parse_genes_tsv(lines: Sequence[str], name: str) -> Iterator[tuple[str, str, str, int, str]]:
    header = lines[0].split("\t")
    missing = [column for column in GENES_TSV_COLUMNS if column not in header]
    if missing:
        raise GeneTableError(
            f"Expected the columns {', '.join(GENES_TSV_COLUMNS)} in {name}. "
            f"Received: {', '.join(header)}."
        )
    columns = [header.index(column) for column in GENES_TSV_COLUMNS]
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        if len(fields) != len(header):
            raise GeneTableError(
                f"Expected {len(header)} fields in {name}, line {number}. Received: {len(fields)}."
            )
        gene_id, symbol, chrom, tss, strand = (fields[column] for column in columns)
        yield (
            gene_id,
            symbol,
            chrom,
            _position(tss, "tss", name, number),
            "" if strand == "?" else strand,
        )


def _parse_gene_info(lines: Sequence[str], name: str) -> Iterator[tuple[str, str, str, int, str]]:
    for number, line in enumerate(lines, start=1):
        fields = line.split("\t")
        if len(fields) < _GENE_INFO_FIELDS or fields[4] not in ("1", "-1"):
            raise GeneTableError(
                f"Expected gene_id, chromosome, start, end, strand (1 or -1), biotype and symbol "
                f"between tabs in {name}, line {number}. Received: {line[:80]!r}."
            )
        gene_id, chrom, start, end, strand, _, symbol = fields[:_GENE_INFO_FIELDS]
        is_plus = strand == "1"
        yield (
            gene_id,
            symbol,
            f"chr{chrom}",
            _position(start if is_plus else end, "TSS", name, number),
            "+" if is_plus else "-",
        )


def _position(text: str, what: str, name: str, number: int) -> int:
    if not text.isdecimal():
        raise GeneTableError(
            f"Expected {what} to be a whole number of base pairs in {name}, line {number}. "
            f"Received: {what}={text!r}."
        )
    return int(text)
