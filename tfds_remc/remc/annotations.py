"""Annotation files: the genes and transcripts of Roadmap's gene_info, of GTF and of GFF3."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from gffutils.feature import feature_from_line

from .errors import InputError

_GENE_INFO_FIELDS = 7
_FEATURE_FIELDS = 9
_SYMBOLS = ("gene_name", "Name", "gene")
_BIOTYPES = ("gene_type", "gene_biotype", "biotype")
_ENSEMBL_ID = re.compile(r"(ENS[A-Z]*\d+)\.\d+(?:_\d+)?(_PAR_Y)?")
_GFF3_ATTRIBUTE = re.compile(r"\s*[^\s=;]+=")
_GFF3_ID_PREFIX = re.compile(r"(?:gene|transcript|rna)[:-]", re.IGNORECASE)
# Most lines of a GFF3 are these: to parse their attributes would be most of the work.
_GFF3_TRANSCRIPT_PARTS = frozenset(
    ("exon", "CDS", "five_prime_UTR", "three_prime_UTR", "start_codon", "stop_codon")
)


class GeneTableError(InputError):
    """A file of genes, or the table made of it, that cannot be used."""


class Line(NamedTuple):
    """A line of a tab-separated file."""

    file_name: str
    number: int
    text: str

    @property
    def fields(self) -> list[str]:
        """What stands between the tabs."""
        return self.text.split("\t")

    @property
    def where(self) -> str:
        """The line's place, for an error."""
        return f"{self.file_name}, line {self.number}"


class Feature(NamedTuple):
    """A gene, or a transcript of one; start and end are 1-based and inclusive.

    The ids are without version. A gene has no transcript_id, and what is unknown is "" too, save
    the strand, which is then what the file has in its place. `line` is the number of its line.
    """

    line: int
    gene_id: str
    transcript_id: str
    symbol: str
    biotype: str
    chrom: str
    start: int
    end: int
    strand: str


FeatureReader = Callable[[Iterable[Line], bool, Counter[str]], tuple[list[Feature], list[Feature]]]
"""Reads the genes and the transcripts of a file from its lines.

It also takes whether the transcripts are asked for, without which it may return none, and a counter
to which it adds what it leaves out, by reason. A line that it cannot read is a `GeneTableError`."""


def content_lines(file: Iterable[str], file_name: str) -> Iterator[Line]:
    """Yields the lines of a file without comments, blank lines and GFF3's sequences."""
    for number, text in enumerate(file, start=1):
        if text.startswith("##FASTA"):
            return
        if not text.startswith("#") and not text.isspace():
            yield Line(file_name, number, text.rstrip("\n"))


def feature_reader(first: Line) -> FeatureReader | None:
    """Returns the reader of a file by its first line; None if the file is no annotation."""
    fields = first.fields
    if len(fields) == _FEATURE_FIELDS and fields[6] in ("+", "-", ".", "?"):
        return _read_gff3 if _GFF3_ATTRIBUTE.match(fields[8]) else _read_gtf
    return _read_gene_info if _is_gene_info(fields) else None


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


def parse_position(text: str, what: str, where: str) -> int:
    """Returns the number of base pairs that a field gives.

    Raises:
        GeneTableError: If it is no whole number, naming the field as `what`.
    """
    if not (text.isascii() and text.isdecimal()):
        raise GeneTableError(
            f"Expected {what} to be a whole number of base pairs in {where}. "
            f"Received: {what}={text!r}."
        )
    return int(text)


def _read_gene_info(
    lines: Iterable[Line], use_transcripts: bool, left_out: Counter[str]
) -> tuple[list[Feature], list[Feature]]:
    genes = []
    for line in lines:
        fields = line.fields
        if not _is_gene_info(fields):
            raise GeneTableError(
                "Expected gene_id, chromosome, start, end, strand (1 or -1), biotype and symbol "
                f"between tabs in {line.where}. Received: {line.text[:80]!r}."
            )
        start, end = _span(fields[2], fields[3], line.where)
        genes.append(
            Feature(
                line=line.number,
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
    return genes, []


def _is_gene_info(fields: list[str]) -> bool:
    return len(fields) >= _GENE_INFO_FIELDS and fields[4] in ("1", "-1")


def _read_gtf(
    lines: Iterable[Line], use_transcripts: bool, left_out: Counter[str]
) -> tuple[list[Feature], list[Feature]]:
    genes: list[Feature] = []
    transcripts: list[Feature] = []
    from_exons = _Spans()
    add = {"gene": genes.append, "transcript": transcripts.append, "exon": from_exons.add}
    for line in lines:
        kind = _kind(line)
        if kind not in add:
            continue
        attributes = _attributes(line)
        gene_id = _required(attributes, "gene_id", line)
        transcript_id = "" if kind == "gene" else _required(attributes, "transcript_id", line)
        add[kind](_feature(line, attributes, gene_id, transcript_id))
        # What has a line of its own is not put together from its parts: most lines are these, and
        # to parse their attributes would be most of the work.
        if kind == "transcript":
            add.pop("exon", None)
        elif kind == "gene" and not use_transcripts:
            add = {"gene": genes.append}
    if genes and not use_transcripts:
        return genes, []
    transcripts = transcripts or from_exons.features("transcripts", left_out)
    if genes:
        gene_ids = {gene.gene_id for gene in genes}
        num_orphans = sum(transcript.gene_id not in gene_ids for transcript in transcripts)
        left_out["transcripts of genes without a line"] += num_orphans
        return genes, transcripts
    from_transcripts = _Spans()
    for transcript in transcripts:
        from_transcripts.add(transcript._replace(transcript_id=""))
    return from_transcripts.features("genes", left_out), transcripts


def _read_gff3(
    lines: Iterable[Line], use_transcripts: bool, left_out: Counter[str]
) -> tuple[list[Feature], list[Feature]]:
    genes = []
    gene_id_of: dict[str, str] = {}
    children = []
    for line in lines:
        kind = _kind(line)
        names_gene = kind.endswith("gene")
        if kind in _GFF3_TRANSCRIPT_PARTS or not (names_gene or use_transcripts):
            continue
        attributes = _attributes(line)
        ensembl_id = _GFF3_ID_PREFIX.sub("", attributes.get("ID", ""), count=1)
        if parents := attributes.get("Parent"):
            child = _feature(line, attributes, gene_id="", transcript_id=ensembl_id)
            children.append((line.where, parents.split(","), child))
        elif names_gene:
            gene = _feature(line, attributes, gene_id=ensembl_id, transcript_id="")
            gene_id_of[_required(attributes, "ID", line)] = gene.gene_id
            genes.append(gene)
    transcripts = []
    for where, parent_ids, child in children:
        gene_ids = [gene_id_of[parent] for parent in parent_ids if parent in gene_id_of]
        if gene_ids and not child.transcript_id:
            raise GeneTableError(
                f"Expected the attribute ID of a transcript in {where}. Received: none."
            )
        transcripts += [child._replace(gene_id=gene_id) for gene_id in gene_ids]
    return genes, transcripts


def _kind(line: Line) -> str:
    fields = line.fields
    if len(fields) != _FEATURE_FIELDS:
        raise GeneTableError(
            f"Expected {_FEATURE_FIELDS} fields between tabs in {line.where}. "
            f"Received: {len(fields)}."
        )
    return fields[2]


def _attributes(line: Line) -> dict[str, str]:
    # Of the libraries only gffutils reads a semicolon inside quotes, as RefSeq's GTF has; pysam is
    # three times as fast and splits there.
    attributes = feature_from_line(line.text).attributes
    return {key: ",".join(values) for key, values in attributes.items()}


def _required(attributes: Mapping[str, str], key: str, line: Line) -> str:
    value = attributes.get(key)
    if not value:
        raise GeneTableError(
            f"Expected the attribute {key} in {line.where}. Received: {', '.join(attributes)}."
        )
    return value


def _feature(
    line: Line, attributes: Mapping[str, str], gene_id: str, transcript_id: str
) -> Feature:
    fields = line.fields
    start, end = _span(fields[3], fields[4], line.where)
    return Feature(
        line=line.number,
        gene_id=without_version(gene_id),
        transcript_id=without_version(transcript_id),
        symbol=next(filter(None, map(attributes.get, _SYMBOLS)), ""),
        biotype=next(filter(None, map(attributes.get, _BIOTYPES)), ""),
        chrom=fields[0],
        start=start,
        end=end,
        strand=fields[6],
    )


def _span(start: str, end: str, where: str) -> tuple[int, int]:
    span = parse_position(start, "start", where), parse_position(end, "end", where)
    if not 1 <= span[0] <= span[1]:
        raise GeneTableError(
            f"Expected 1 <= start <= end in {where}. Received: start={start}, end={end}."
        )
    return span


class _Spans:
    """Genes or transcripts put together from their parts."""

    def __init__(self) -> None:
        self._whole_at: dict[tuple[str, str, str, str], Feature] = {}

    def add(self, part: Feature) -> None:
        place = part.gene_id, part.transcript_id, part.chrom, part.strand
        whole = self._whole_at.setdefault(place, part)
        start, end = min(part.start, whole.start), max(part.end, whole.end)
        self._whole_at[place] = whole._replace(start=start, end=end)

    def features(self, what: str, left_out: Counter[str]) -> list[Feature]:
        wholes = self._whole_at.values()
        num_places = Counter((whole.gene_id, whole.transcript_id) for whole in wholes)
        num_scattered = sum(number > 1 for number in num_places.values())
        left_out[f"{what} on several chromosomes or strands"] += num_scattered
        return [whole for whole in wholes if num_places[whole.gene_id, whole.transcript_id] == 1]
