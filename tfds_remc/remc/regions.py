"""Gene regions: where each gene's TSS, its region and the region's bins lie on the genome."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TextIO, get_args

import numpy as np
from gffutils.feature import feature_from_line

TssLevel = Literal["gene", "transcript"]
"""What has a region: each gene, or each distinct TSS of a gene's transcripts."""

EndPolicy = Literal["keep", "drop"]
"""What becomes of a region that reaches over an end of its chromosome."""

_REQUIRED_COLUMNS = ("gene_id", "chrom", "tss", "strand")
_GENE_INFO_FIELDS = 7
_ANNOTATION_FIELDS = 9
_ENSEMBL_ID = re.compile(r"(ENS[A-Z]*\d+)\.\d+(?:_\d+)?(_PAR_Y)?")
_GFF3_ATTRIBUTE = re.compile(r"\s*[^\s=;]+=")
_GFF3_ID_PREFIX = re.compile(r"(?:gene|transcript|rna)[:-]", re.IGNORECASE)
_GFF3_BIOTYPES = ("gene_type", "gene_biotype", "biotype")
# Most lines of a GFF3 are these: to parse their attributes would be most of the work.
_GFF3_TRANSCRIPT_PARTS = frozenset(
    ("exon", "CDS", "five_prime_UTR", "three_prime_UTR", "start_codon", "stop_codon")
)


class GeneTableError(ValueError):
    """A gene table that cannot be used."""


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
    """

    gene_id: np.ndarray
    transcript_id: np.ndarray
    symbol: np.ndarray
    chrom: np.ndarray
    tss: np.ndarray
    strand: np.ndarray
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)

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

    def select(self, rows: np.ndarray) -> GeneTable:
        """Returns the table of some rows, given as indices or as a (genes,) mask.

        Raises:
            GeneTableError: If no row is left.
        """
        arrays = {
            field.name: getattr(self, field.name)[rows]
            for field in dataclasses.fields(self)
            if field.name != "left_out"
        }
        return dataclasses.replace(self, **arrays)


class ChromosomeEnds(NamedTuple):
    """Which gene regions reach over an end of their chromosome.

    Attributes:
        is_kept: (genes,) bool, the genes that stay.
        is_beyond: (kept genes, bins) bool, in genome orientation: bins that lie beyond an end,
            even if only in part, since what is counted in them is not comparable to other bins.
        num_over: Genes whose region reaches over an end.
        num_dropped: Those of them that do not stay.
        num_genes_without_size: Genes by chromosome whose size is not given; for them only the
            start of the chromosome was looked at.
    """

    is_kept: np.ndarray
    is_beyond: np.ndarray
    num_over: int
    num_dropped: int
    num_genes_without_size: dict[str, int]


def without_version(ensembl_id: str) -> str:
    """Drops the version of an Ensembl id; any other id may end in a dot and digits, and stays.

    GENCODE's copies of genes on the Y chromosome stay apart from those on X, and the suffix of
    GENCODE's lifted annotations goes with the version.

    Example:
        >>> [without_version(i) for i in ("ENSG00000000003.14", "ENSG00000002586.18_PAR_Y")]
        ['ENSG00000000003', 'ENSG00000002586_PAR_Y']
        >>> [without_version(i) for i in ("ENSMUST00000193812.1", "ENSG00000223972.5_2", "F25B5.7")]
        ['ENSMUST00000193812', 'ENSG00000223972', 'F25B5.7']
    """
    match = _ENSEMBL_ID.fullmatch(ensembl_id)
    return match[1] + (match[2] or "") if match else ensembl_id


def count_bins(*, flank_bp: int, bin_bp: int) -> int:
    """Returns the number of bins of a gene region of 2 x `flank_bp`.

    It is odd if `flank_bp` is no multiple of `bin_bp`: then the TSS lies in the middle of a bin.

    Raises:
        ValueError: If either is not positive, or the region is no whole number of bins.
    """
    if bin_bp < 1 or flank_bp < 1 or 2 * flank_bp % bin_bp:
        raise ValueError(
            "Expected flank_bp and bin_bp to be positive, and 2 x flank_bp a multiple of bin_bp. "
            f"Received: flank_bp={flank_bp}, bin_bp={bin_bp}."
        )
    return 2 * flank_bp // bin_bp


def bin_edges(tss: np.ndarray, *, num_bins: int, bin_bp: int, flank_bp: int) -> np.ndarray:
    """Returns the edges of each gene region's bins, in genome orientation.

    Args:
        tss: (genes,) int64, 0-based centre of each region.
        num_bins: Bins a region; see `count_bins`.
        bin_bp: Width of a bin.
        flank_bp: Distance from the region's start to its centre.

    Returns:
        (genes, num_bins + 1) int64: bin `i` is the 0-based half-open interval
        `[edges[:, i], edges[:, i + 1])`. Negative where a region reaches over the start of its
        chromosome.
    """
    return np.asarray(tss, dtype=np.int64)[:, None] - flank_bp + bin_bp * np.arange(num_bins + 1)


def check_chromosome_ends(
    table: GeneTable,
    sizes: Mapping[str, int],
    *,
    flank_bp: int,
    bin_bp: int,
    edges: EndPolicy = "keep",
) -> ChromosomeEnds:
    """Finds the bins that lie beyond an end of their chromosome.

    Args:
        table: Genes.
        sizes: Length in base pairs of each chromosome, named as in `table`. It may lack some, or
            be empty where nothing is known.
        flank_bp: Half the width of a gene region.
        bin_bp: Width of a bin.
        edges: "keep" the regions that reach over an end, or "drop" them.

    Raises:
        GeneTableError: If no chromosome of the table has a size although some are given, or if a
            TSS itself lies beyond the end: the genes are of another genome.
        ValueError: If `edges` is unknown, or for the reasons of `count_bins`.
    """
    _check_choice("edges", edges, get_args(EndPolicy))
    num_bins = count_bins(flank_bp=flank_bp, bin_bp=bin_bp)
    chroms = table.chrom.tolist()
    without_size = Counter(chrom for chrom in chroms if chrom not in sizes)
    if sizes and len(without_size) == len(set(chroms)):
        raise GeneTableError(
            f"Expected genes on the chromosomes {_some(sizes)}. Received: genes on "
            f"{_some(without_size)}. Give genes of the same genome, with the same chromosome names."
        )
    unknown_size = np.iinfo(np.int64).max
    size = np.array([sizes.get(chrom, unknown_size) for chrom in chroms], dtype=np.int64)
    outside = np.flatnonzero(table.tss > size)
    if len(outside):
        gene = outside[0]
        raise GeneTableError(
            f"Expected every TSS on its chromosome; {table.chrom[gene]} has {size[gene]} bp. "
            f"Received: tss={table.tss[gene]} of {table.gene_id[gene]}, and of "
            f"{len(outside) - 1} more genes. Give genes of the same genome."
        )
    region_edges = bin_edges(table.tss, num_bins=num_bins, bin_bp=bin_bp, flank_bp=flank_bp)
    is_beyond = (region_edges[:, :-1] < 0) | (region_edges[:, 1:] > size[:, None])
    is_over = is_beyond.any(axis=1)
    is_kept = np.logical_or(edges == "keep", ~is_over)
    return ChromosomeEnds(
        is_kept=is_kept,
        is_beyond=is_beyond[is_kept],
        num_over=int(is_over.sum()),
        num_dropped=int((~is_kept).sum()),
        num_genes_without_size=dict(without_size),
    )


@contextlib.contextmanager
def open_text(path: Path, error: type[ValueError]) -> Iterator[TextIO]:
    """Opens a text file, plain or gzipped by its content, with or without a byte-order mark.

    Raises:
        ValueError: As an `error`, if the file turns out to be no text or a damaged gzip while
            it is read.
    """
    with path.open("rb") as file:
        is_gzipped = file.read(2) == b"\x1f\x8b"
    opener: Callable[..., TextIO] = gzip.open if is_gzipped else open
    try:
        with opener(path, mode="rt", encoding="utf-8-sig") as lines:
            yield lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
        raise error(
            f"Expected a complete gzipped file. Received: {path.name} ({fault}). Fetch it again."
        ) from fault
    except UnicodeDecodeError as fault:
        raise error(f"Expected a text file. Received: {path.name} ({fault}).") from fault


def read_gene_table(path: Path, *, tss: TssLevel = "gene", biotype: str | None = None) -> GeneTable:
    """Reads genes and their TSSs from any of four layouts, plain or gzipped, told apart by content.

    * `genes.tsv`: tab-separated, with a header that has the columns gene_id, chrom, tss (0-based
      centre of the gene region) and strand ("?" or empty where unknown), and may have symbol and
      transcript_id. It is a list of chosen genes: `biotype` does not apply.
    * Roadmap's `Ensembl_v65.Gencode_v10.ENSG.gene_info`: tab-separated without a header: gene_id,
      chromosome without "chr" (which the table adds), start and end (1-based, inclusive), strand
      (1 or -1), biotype, symbol, description.
    * GTF, of GENCODE, Ensembl, RefSeq, UCSC or a transcript assembler: in a file without gene
      lines a gene spans its transcripts, in one without transcript lines a transcript spans its
      exons.
    * GFF3, of GENCODE, Ensembl or RefSeq: a gene is a feature such as "gene" or "ncRNA_gene", and
      its id is the attribute ID; a transcript is a feature whose parent is a gene.

    The TSS is the start of a gene or transcript on the plus strand and the end of one on the minus
    strand. Transcripts of a gene with the same TSS have one region.

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
        ValueError: If `tss` is unknown.
    """
    _check_choice("tss", tss, get_args(TssLevel))
    left_out: Counter[str] = Counter()
    read_features = _feature_reader_of(path)
    if read_features is None:
        regions = list(_genes_tsv_regions(path, tss))
    else:
        features = read_features(path, tss, left_out)
        genes = [feature for feature in features if not feature.transcript_id]
        if biotype is not None:
            genes = _of_biotype(genes, biotype, path.name, left_out)
        if tss == "transcript":
            transcripts = [feature for feature in features if feature.transcript_id]
            features = _transcripts_of(genes, transcripts, path.name, left_out)
        else:
            features = genes
        regions = _five_prime_ends(features, f"{tss}s", left_out)
    regions = _distinct(regions, path.name, left_out)
    if tss == "transcript":
        regions = _distinct_tss(regions, left_out)
    return GeneTable(
        gene_id=np.array([region.gene_id for region in regions], dtype=np.str_),
        transcript_id=np.array([region.transcript_id for region in regions], dtype=np.str_),
        symbol=np.array([region.symbol for region in regions], dtype=np.str_),
        chrom=np.array([region.chrom for region in regions], dtype=np.str_),
        tss=np.array([region.tss for region in regions], dtype=np.int64),
        strand=np.array([region.strand for region in regions], dtype=np.str_),
        left_out={reason: number for reason, number in left_out.items() if number},
    )


class _Region(NamedTuple):
    line: int
    gene_id: str
    transcript_id: str
    symbol: str
    chrom: str
    tss: int
    strand: str


class _Feature(NamedTuple):
    """A gene, or a transcript of one; start and end are 1-based and inclusive."""

    line: int
    gene_id: str
    transcript_id: str
    symbol: str
    biotype: str
    chrom: str
    start: int
    end: int
    strand: str


_FeatureReader = Callable[[Path, TssLevel, Counter[str]], list[_Feature]]


def _feature_reader_of(path: Path) -> _FeatureReader | None:
    """Tells the layout by the first line that is no comment; None for genes.tsv."""
    number, line = next(_lines(path), (0, ""))
    fields = line.split("\t")
    if "gene_id" in fields:
        return None
    if len(fields) == _ANNOTATION_FIELDS and fields[6] in ("+", "-", ".", "?"):
        return _read_gff3 if _GFF3_ATTRIBUTE.match(fields[8]) else _read_gtf
    if len(fields) >= _GENE_INFO_FIELDS and fields[4] in ("1", "-1"):
        return _read_gene_info
    if not line:
        raise GeneTableError(f"Expected at least one gene in {path.name}. Received: none.")
    raise GeneTableError(
        f"Expected {path.name} to be GTF, GFF3, Roadmap's gene_info, or tab-separated with the "
        f"columns {', '.join(_REQUIRED_COLUMNS)}. Received: {line[:80]!r} in line {number}."
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yields the lines and their numbers, without comments, blank lines and GFF3's sequences."""
    with open_text(path, GeneTableError) as lines:
        for number, line in enumerate(lines, start=1):
            if line.startswith("##FASTA"):
                return
            if not line.startswith("#") and not line.isspace():
                yield number, line.rstrip("\n")


def _genes_tsv_regions(path: Path, tss: TssLevel) -> Iterator[_Region]:
    lines = _lines(path)
    header = next(lines)[1].split("\t")
    required = [*_REQUIRED_COLUMNS, *(["transcript_id"] if tss == "transcript" else [])]
    if any(header.count(column) != 1 for column in required):
        raise GeneTableError(
            f"Expected each of the columns {', '.join(required)} once in {path.name}. "
            f"Received: {', '.join(header)}."
        )
    for number, line in lines:
        where = f"{path.name}, line {number}"
        fields = line.split("\t")
        if len(fields) != len(header):
            raise GeneTableError(
                f"Expected {len(header)} fields in {where}. Received: {len(fields)}."
            )
        row = dict(zip(header, fields, strict=True))
        empty = [column for column in required if column != "strand" and not row[column]]
        if empty:
            raise GeneTableError(f"Expected a {empty[0]} in {where}. Received: none.")
        if row["strand"] not in ("+", "-", "?", ""):
            raise GeneTableError(
                f"Expected strand '+', '-', '?' or '' in {where}. "
                f"Received: strand={row['strand']!r}."
            )
        yield _Region(
            line=number,
            gene_id=without_version(row["gene_id"]),
            transcript_id=without_version(row["transcript_id"]) if tss == "transcript" else "",
            symbol=row.get("symbol", ""),
            chrom=row["chrom"],
            tss=_position(row["tss"], "tss", where),
            strand=row["strand"].replace("?", ""),
        )


def _read_gene_info(path: Path, tss: TssLevel, left_out: Counter[str]) -> list[_Feature]:
    features = []
    for number, line in _lines(path):
        where = f"{path.name}, line {number}"
        fields = line.split("\t")
        if len(fields) < _GENE_INFO_FIELDS or fields[4] not in ("1", "-1"):
            raise GeneTableError(
                f"Expected gene_id, chromosome, start, end, strand (1 or -1), biotype and symbol "
                f"between tabs in {where}. Received: {line[:80]!r}."
            )
        start, end = _span(fields[2], fields[3], where)
        features.append(
            _Feature(
                line=number,
                gene_id=without_version(fields[0]),
                transcript_id="",
                symbol=fields[6],
                biotype=fields[5],
                chrom="chrM" if fields[1] == "MT" else f"chr{fields[1]}",
                start=start,
                end=end,
                strand="+" if fields[4] == "1" else "-",
            )
        )
    return features


def _read_gtf(path: Path, tss: TssLevel, left_out: Counter[str]) -> list[_Feature]:
    genes = list(_gtf_features(path, "gene"))
    if genes and tss == "gene":
        return genes
    transcripts = list(_gtf_features(path, "transcript")) or _spanning(
        _gtf_features(path, "exon"), "transcripts", left_out
    )
    if genes:
        gene_ids = {gene.gene_id for gene in genes}
        orphans = [transcript for transcript in transcripts if transcript.gene_id not in gene_ids]
        left_out["transcripts of genes without a line"] += len(orphans)
    else:
        parts = (transcript._replace(transcript_id="") for transcript in transcripts)
        genes = _spanning(parts, "genes", left_out)
    return genes + transcripts


def _gtf_features(path: Path, feature_type: str) -> Iterator[_Feature]:
    for number, line, fields in _annotation_lines(path):
        if fields[2] != feature_type:
            continue
        where = f"{path.name}, line {number}"
        attributes = _attributes(line)
        start, end = _span(fields[3], fields[4], where)
        is_gene = feature_type == "gene"
        yield _Feature(
            line=number,
            gene_id=without_version(_required(attributes, "gene_id", where)),
            transcript_id=(
                "" if is_gene else without_version(_required(attributes, "transcript_id", where))
            ),
            symbol=attributes.get("gene_name") or attributes.get("gene", ""),
            biotype=attributes.get("gene_type") or attributes.get("gene_biotype", ""),
            chrom=fields[0],
            start=start,
            end=end,
            strand=fields[6],
        )


def _read_gff3(path: Path, tss: TssLevel, left_out: Counter[str]) -> list[_Feature]:
    genes: list[_Feature] = []
    children: list[tuple[list[str], _Feature]] = []
    gene_id_of: dict[str, str] = {}
    for number, line, fields in _annotation_lines(path):
        names_gene = fields[2].endswith("gene")
        if fields[2] in _GFF3_TRANSCRIPT_PARTS or (tss == "gene" and not names_gene):
            continue
        where = f"{path.name}, line {number}"
        attributes = _attributes(line)
        parents = attributes.get("Parent", "")
        is_gene = names_gene and not parents
        if not is_gene and not parents:
            continue
        identifier = _required(attributes, "ID", where) if is_gene else attributes.get("ID", "")
        ensembl_id = without_version(_GFF3_ID_PREFIX.sub("", identifier, count=1))
        start, end = _span(fields[3], fields[4], where)
        feature = _Feature(
            line=number,
            gene_id=ensembl_id if is_gene else "",
            transcript_id="" if is_gene else ensembl_id,
            symbol=attributes.get("gene_name") or attributes.get("Name", ""),
            biotype=next((attributes[key] for key in _GFF3_BIOTYPES if key in attributes), ""),
            chrom=fields[0],
            start=start,
            end=end,
            strand=fields[6],
        )
        if is_gene:
            genes.append(feature)
            gene_id_of[identifier] = ensembl_id
        else:
            children.append((parents.split(","), feature))
    transcripts = [
        feature._replace(gene_id=gene_id_of[parent])
        for parents, feature in children
        for parent in parents
        if parent in gene_id_of
    ]
    nameless = [feature for feature in transcripts if not feature.transcript_id]
    if nameless:
        raise GeneTableError(
            f"Expected the attribute ID of a transcript in {path.name}, line {nameless[0].line}. "
            "Received: none."
        )
    return genes + transcripts


def _annotation_lines(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    for number, line in _lines(path):
        fields = line.split("\t")
        if len(fields) != _ANNOTATION_FIELDS:
            raise GeneTableError(
                f"Expected {_ANNOTATION_FIELDS} fields between tabs in {path.name}, line {number}. "
                f"Received: {len(fields)}."
            )
        yield number, line, fields


def _attributes(line: str) -> dict[str, str]:
    # Of the libraries only gffutils reads a semicolon inside quotes, as RefSeq's GTF has; pysam is
    # three times as fast and splits there.
    attributes = feature_from_line(line).attributes
    return {key: ",".join(values) for key, values in attributes.items()}


def _required(attributes: Mapping[str, str], key: str, where: str) -> str:
    value = attributes.get(key)
    if not value:
        raise GeneTableError(
            f"Expected the attribute {key} in {where}. Received: {', '.join(attributes)}."
        )
    return value


def _span(start: str, end: str, where: str) -> tuple[int, int]:
    span = _position(start, "start", where), _position(end, "end", where)
    if not 1 <= span[0] <= span[1]:
        raise GeneTableError(
            f"Expected 1 <= start <= end in {where}. Received: start={start}, end={end}."
        )
    return span


def _position(text: str, what: str, where: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise GeneTableError(
            f"Expected {what} to be a whole number of base pairs in {where}. "
            f"Received: {what}={text!r}."
        )
    return int(text)


def _spanning(parts: Iterable[_Feature], what: str, left_out: Counter[str]) -> list[_Feature]:
    """Joins the parts of each gene or transcript into one feature that spans them all."""
    spanning: dict[tuple[str, str], _Feature] = {}
    scattered = set()
    for part in parts:
        key = part.gene_id, part.transcript_id
        whole = spanning.setdefault(key, part)
        if (part.chrom, part.strand) != (whole.chrom, whole.strand):
            scattered.add(key)
        start, end = min(part.start, whole.start), max(part.end, whole.end)
        spanning[key] = whole._replace(start=start, end=end)
    left_out[f"{what} on several chromosomes or strands"] += len(scattered)
    return [feature for key, feature in spanning.items() if key not in scattered]


def _of_biotype(
    genes: Sequence[_Feature], biotype: str, name: str, left_out: Counter[str]
) -> list[_Feature]:
    known = Counter(gene.biotype for gene in genes if gene.biotype)
    if biotype not in known:
        raise GeneTableError(
            f"Expected genes of biotype {biotype} in {name}. Received: {_some(known)}. "
            "Give one of these, or None to take all genes."
        )
    left_out["genes of another biotype"] += len(genes) - known[biotype]
    return [gene for gene in genes if gene.biotype == biotype]


def _transcripts_of(
    genes: Sequence[_Feature], transcripts: Sequence[_Feature], name: str, left_out: Counter[str]
) -> list[_Feature]:
    if not transcripts:
        raise GeneTableError(
            f"Expected transcripts in {name} for tss='transcript'. Received: genes only."
        )
    symbol_of = {gene.gene_id: gene.symbol for gene in genes}
    with_transcripts = {transcript.gene_id for transcript in transcripts}
    left_out["genes without a transcript"] += len(symbol_of.keys() - with_transcripts)
    return [
        transcript._replace(symbol=symbol_of[transcript.gene_id])
        for transcript in transcripts
        if transcript.gene_id in symbol_of
    ]


def _five_prime_ends(
    features: Iterable[_Feature], what: str, left_out: Counter[str]
) -> list[_Region]:
    regions = []
    for feature in features:
        if feature.strand not in ("+", "-"):
            left_out[f"{what} without a strand"] += 1
            continue
        regions.append(
            _Region(
                line=feature.line,
                gene_id=feature.gene_id,
                transcript_id=feature.transcript_id,
                symbol=feature.symbol,
                chrom=feature.chrom,
                tss=feature.start if feature.strand == "+" else feature.end,
                strand=feature.strand,
            )
        )
    return regions


def _distinct(regions: Iterable[_Region], name: str, left_out: Counter[str]) -> list[_Region]:
    first_of: dict[tuple[str, str], _Region] = {}
    distinct: dict[_Region, _Region] = {}
    for region in regions:
        first = first_of.setdefault((region.gene_id, region.transcript_id), region)
        if _locus(first) != _locus(region):
            raise GeneTableError(
                f"Expected one TSS of {region.transcript_id or region.gene_id} in {name}. "
                f"Received: {_locus(first)} in line {first.line} and {_locus(region)} in line "
                f"{region.line}. Remove one of the lines."
            )
        content = region._replace(line=0)
        if content in distinct:
            left_out["lines that repeat another"] += 1
        distinct.setdefault(content, region)
    return list(distinct.values())


def _distinct_tss(regions: Iterable[_Region], left_out: Counter[str]) -> list[_Region]:
    distinct: dict[tuple[str, str], _Region] = {}
    for region in regions:
        key = region.gene_id, _locus(region)
        if key in distinct:
            left_out["transcripts with the TSS of another"] += 1
        distinct.setdefault(key, region)
    return list(distinct.values())


def _locus(region: _Region) -> str:
    return f"{region.chrom}:{region.tss}({region.strand or '?'})"


def _check_choice(what: str, choice: str, known: Sequence[str]) -> None:
    if choice not in known:
        raise ValueError(
            f"Expected {what} to be one of {', '.join(known)}. Received: {what}={choice!r}."
        )


def _some(names: Iterable[str], limit: int = 10) -> str:
    """The first few names, for an error."""
    known = list(names)
    return (", ".join(known[:limit]) + (", ..." if len(known) > limit else "")) or "none"
