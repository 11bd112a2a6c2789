"""Gene tables: which genes there are, and where each one's TSS lies."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from .annotations import (
    STRANDS,
    Feature,
    GeneTableError,
    date_warnings,
    feature_reader,
    known_symbol,
    parse_position,
    without_version,
)
from .errors import require_known, some
from .text_files import Line, content_lines, open_text, read_rows

TssLevel = Literal["gene", "transcript"]
"""What has a region: each gene, or each distinct TSS of a gene's transcripts."""

_REQUIRED_COLUMNS = ("gene_id", "chrom", "tss", "strand")


@dataclasses.dataclass(frozen=True)
class GeneTable:
    """Genes and the centres of their regions, as parallel arrays over genes.

    Coordinates are 0-based. `tss` is the centre of the gene's region, which is the half-open
    interval `[tss - flank_bp, tss + flank_bp)`. As in the published files it has the value of the
    TSS's 1-based position on either strand, so the TSS's own base is the last one before the
    centre.

    Attributes:
        gene_id: (genes,) str, Ensembl id without its version, "ENSG00000000003"; see
            `without_version`. With `tss="transcript"` a gene stands once for each of its TSSs.
        transcript_id: (genes,) str, the first of the file's transcripts that start at `tss`, also
            without version; "" where the region is the gene's.
        symbol: (genes,) str, "" where unknown.
        chrom: (genes,) str, as the file names it: "chrX" or "X".
        tss: (genes,) int64.
        strand: (genes,) str, "+", "-", or "" where unknown.
        left_out: How many genes, transcripts or lines of the file the table leaves out, by reason.
        warnings: A line on each thing that a user should know about the file.
    """

    gene_id: np.ndarray
    transcript_id: np.ndarray
    symbol: np.ndarray
    chrom: np.ndarray
    tss: np.ndarray
    strand: np.ndarray
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.gene_id) == 0:
            raise GeneTableError("Expected at least one gene in the gene table. Received: none.")

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
        answer = []
        for gene_id in gene_ids:
            if gene_id not in rows:
                raise GeneTableError(
                    f"Expected a gene of the gene table. Received: gene_id={gene_id!r}."
                )
            candidates = rows[gene_id]
            answer.append(candidates.pop(0) if len(candidates) > 1 else candidates[0])
        return np.array(answer, dtype=np.int64)

    def select(self, rows: np.ndarray) -> GeneTable:
        """Returns the table of some rows, given as indices or as a (genes,) mask.

        Raises:
            GeneTableError: If no row is left.
        """
        columns = {name: getattr(self, name)[rows] for name in _Region._fields}
        return dataclasses.replace(self, **columns)


def read_gene_table(path: Path, *, tss: TssLevel = "gene", biotype: str | None = None) -> GeneTable:
    """Reads genes and their TSSs from any of four layouts, plain or gzipped, told apart by content.

    * `genes.tsv`: a table, see `read_rows`, with a header that has the columns gene_id, chrom, tss
      (0-based centre of the gene region) and strand (empty, "." or "?" where unknown), and may have
      symbol and transcript_id. It is a list of chosen genes: `biotype` does not apply.
    * Roadmap's `Ensembl_v65.Gencode_v10.ENSG.gene_info`: tab-separated without a header: gene_id,
      chromosome without "chr" (which the table adds), start and end (1-based, inclusive), strand
      (1 or -1), biotype, symbol, description.
    * GTF, of GENCODE, Ensembl, RefSeq, UCSC or a transcript assembler: a gene without a gene line
      spans its transcripts, a transcript without a transcript line its exons.
    * GFF3, of GENCODE, Ensembl or RefSeq: a gene is a feature such as "gene" or "ncRNA_gene", and
      its id is the attribute ID; a transcript is a feature whose parent is a gene. A gene that only
      its transcripts name spans these.

    The TSS is the start of a gene or transcript on the plus strand and the end of one on the minus
    strand. Transcripts of a gene with the same TSS have one region.

    A gene or transcript of an annotation that lies in several places has no one TSS, and is left
    out: on two chromosomes or strands, or on one chromosome with a gap of more than `MAX_APART_BP`
    between transcripts that do not overlap, or of `MAX_INTRON_BP` between exons.
    Copies of a gene on alternate loci, as UCSC names them ("chr6_GL000250v2_alt"), are none of its
    places where it has another. A symbol such as NA or "-" is unknown.

    A gene may stand twice with one TSS, as seven do in the published files; a line that repeats
    another one in full counts once.

    Args:
        path: The file.
        tss: Whether each "gene" has a region, at its 5' end, or each distinct "transcript" TSS.
        biotype: Keep the genes of this biotype only, such as "protein_coding"; all if None. It is
            the gene's biotype, whatever that of its transcripts.

    Raises:
        GeneTableError: If the file is in none of the layouts, if a gene or transcript stands there
            with two TSSs, or if the file has no transcripts or biotypes where they are asked for;
            naming the lines at fault.
        InputError: If `tss` is unknown.
    """
    require_known("tss", tss, get_args(TssLevel))
    left_out: Counter[str] = Counter()
    warnings: list[str] = []
    with open_text(path, GeneTableError) as file:
        lines = content_lines(file, path.name)
        head = _head(lines)
        if not head:
            raise GeneTableError(f"Expected at least one gene in {path.name}. Received: none.")
        lines = itertools.chain(head, lines)
        read_features = feature_reader(head[-1])
        if read_features is None:
            regions = list(_read_genes_tsv(lines, tss))
        else:
            features, transcripts, num_derived = read_features(lines, tss == "transcript", left_out)
            if num_derived:
                warnings.append(
                    f"{path.name}: {num_derived:,} of {len(features):,} genes have no gene line, "
                    "and span their transcripts and exons"
                )
            if biotype is not None:
                features = _of_biotype(features, biotype, path.name, left_out)
            if tss == "transcript":
                features = _transcripts_of(features, transcripts, path.name, left_out)
            regions = _at_five_prime_ends(features, f"{tss}s", left_out)
    table = _without_repeats(regions, path.name, left_out)
    if tss == "transcript":
        table = _one_per_tss(table, left_out)
    warnings += date_warnings((region.gene_id for region in table), path.name)
    return GeneTable(
        **{name: np.array([getattr(region, name) for region in table]) for name in _Region._fields},
        left_out={reason: number for reason, number in left_out.items() if number},
        warnings=tuple(warnings),
    )


def _head(lines: Iterator[Line]) -> list[Line]:
    """The lines up to the first with attributes, which tell GTF from GFF3."""
    head = []
    for line in lines:
        head.append(line)
        if not line.text.endswith("\t."):
            break
    return head


class _Region(NamedTuple):
    """A row of the gene table, which has a column for each of these."""

    gene_id: str
    transcript_id: str
    symbol: str
    chrom: str
    tss: int
    strand: str

    def __str__(self) -> str:
        return f"{self.chrom}:{self.tss}({self.strand or '?'})"


def _read_genes_tsv(lines: Iterator[Line], tss: TssLevel) -> Iterator[tuple[int, _Region]]:
    rows = read_rows(lines, GeneTableError)
    first, header = next(rows, (None, []))
    required = [*_REQUIRED_COLUMNS, *(["transcript_id"] if tss == "transcript" else [])]
    is_twice = header.count("symbol") > 1 or header.count("transcript_id") > 1
    if first is None or is_twice or any(header.count(column) != 1 for column in required):
        raise GeneTableError(
            "Expected GTF, GFF3, Roadmap's gene_info, or a table whose header has each of the "
            f"columns {', '.join(required)} once, and symbol and transcript_id at most once. "
            "Received: " + (f"{first.text[:200]!r} in {first.where}." if first else "no header.")
        )
    for line, fields in rows:
        if len(fields) < len(header) or any(fields[len(header) :]):
            raise GeneTableError(
                f"Expected {len(header)} fields in {line.where}. Received: {len(fields)}."
            )
        row = dict(zip(header, fields, strict=False))
        empty = [column for column in required if column != "strand" and not row[column]]
        if empty:
            raise GeneTableError(f"Expected a {empty[0]} in {line.where}. Received: none.")
        if row["strand"] not in STRANDS:
            raise GeneTableError(
                f"Expected strand '+' or '-', or '' where unknown, in {line.where}. "
                f"Received: strand={row['strand']!r}."
            )
        yield (
            line.number,
            _Region(
                gene_id=without_version(row["gene_id"]),
                transcript_id=without_version(row["transcript_id"]) if tss == "transcript" else "",
                symbol=known_symbol(row.get("symbol", "")),
                chrom=row["chrom"],
                tss=parse_position(row["tss"], "tss", line.where),
                strand=STRANDS[row["strand"]],
            ),
        )


def _of_biotype(
    genes: Sequence[Feature], biotype: str, file_name: str, left_out: Counter[str]
) -> list[Feature]:
    known = Counter(gene.biotype for gene in genes if gene.biotype)
    if biotype not in known:
        raise GeneTableError(
            f"Expected genes of biotype {biotype} in {file_name}. Received: {some(known, 10)}. "
            "Give one of these, or --biotype all (biotype=None) to take all genes."
        )
    left_out["genes without a biotype"] += len(genes) - known.total()
    left_out["genes of another biotype"] += known.total() - known[biotype]
    return [gene for gene in genes if gene.biotype == biotype]


def _transcripts_of(
    genes: Sequence[Feature],
    transcripts: Sequence[Feature],
    file_name: str,
    left_out: Counter[str],
) -> list[Feature]:
    if not transcripts:
        raise GeneTableError(
            f"Expected transcripts in {file_name} for tss='transcript'. Received: genes only."
        )
    symbol_of = {gene.gene_id: gene.symbol for gene in genes}
    with_transcripts = {transcript.gene_id for transcript in transcripts}
    left_out["genes without a transcript"] += len(symbol_of.keys() - with_transcripts)
    return [
        transcript._replace(symbol=symbol_of[transcript.gene_id])
        for transcript in transcripts
        if transcript.gene_id in symbol_of
    ]


def _at_five_prime_ends(
    features: Sequence[Feature], what: str, left_out: Counter[str]
) -> list[tuple[int, _Region]]:
    stranded = [feature for feature in features if feature.strand]
    left_out[f"{what} without a strand"] += len(features) - len(stranded)
    return [
        (
            feature.line,
            _Region(
                gene_id=feature.gene_id,
                transcript_id=feature.transcript_id,
                symbol=feature.symbol,
                chrom=feature.chrom,
                tss=feature.start if feature.strand == "+" else feature.end,
                strand=feature.strand,
            ),
        )
        for feature in stranded
    ]


def _without_repeats(
    regions: Sequence[tuple[int, _Region]], file_name: str, left_out: Counter[str]
) -> list[_Region]:
    first_of: dict[tuple[str, str], tuple[int, _Region]] = {}
    for line, region in regions:
        key = region.gene_id, region.transcript_id
        first_line, first = first_of.setdefault(key, (line, region))
        if str(first) != str(region):
            raise GeneTableError(
                f"Expected one TSS of {region.transcript_id or region.gene_id} in {file_name}. "
                f"Received: {first} in line {first_line} and {region} in line {line}. "
                "Remove one of the lines."
            )
    distinct = list(dict.fromkeys(region for _, region in regions))
    left_out["lines that repeat another"] += len(regions) - len(distinct)
    return distinct


def _one_per_tss(regions: Sequence[_Region], left_out: Counter[str]) -> list[_Region]:
    first_at: dict[tuple[str, str], _Region] = {}
    for region in regions:
        first_at.setdefault((region.gene_id, str(region)), region)
    left_out["transcripts with the TSS of another"] += len(regions) - len(first_at)
    return list(first_at.values())
