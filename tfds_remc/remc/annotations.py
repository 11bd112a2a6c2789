"""Annotation files: the genes and transcripts of Roadmap's gene_info, of GTF and of GFF3."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

from .binning import MAX_BP
from .errors import InputError, some
from .text_files import Line, unquoted

MAX_INTRON_BP = 2_500_000
"""Exons of one transcript further apart than this are of two places. Human introns reach 1.2 Mb,
and genes 2.3 Mb."""

MAX_APART_BP = 500_000
"""Transcripts of one gene that do not overlap, and are further apart than this, are of two places,
such as copies of a gene under one name."""

_GENE_INFO_FIELDS = 7
_FEATURE_FIELDS = 9
_SYMBOLS = ("gene_name", "Name", "gene")
_BIOTYPES = ("gene_type", "gene_biotype", "biotype")
STRANDS = {"+": "+", "1": "+", "-": "-", "-1": "-", **dict.fromkeys(("", "?", ".", "*"), "")}
"""A strand by how files write it; "" is unknown."""

_NO_SYMBOLS = frozenset(("na", "n/a", "#n/a", "-", ".", "nan"))
_ENSEMBL_ID = re.compile(r"(ENS[A-Z]*\d+)\.\d+(?:_\d+)?(_PAR_Y)?")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
# Genes of C. elegans may be called dec-1 or sep-1.
_DATE = re.compile(
    rf"\d{{1,4}}[-/. ](?i:{_MONTH})|{_MONTH}[-/. ]\d{{1,4}}|\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}.*"
)
# As UCSC names them; Ensembl's genes there have ids of their own.
_ALTERNATE_LOCUS = re.compile(r".+_(?:alt|fix|hap\d+)")
_POSITION = re.compile(r"0*\d{1,10}", re.ASCII)
_SEVERAL_PLACES = "on several chromosomes or strands, or far apart on one"

# GTF: a key, and a value in quotes or, up to the semicolon, without.
_GTF_ATTRIBUTE = re.compile(
    r'\s*+(?:([^\s;"]+)(?:\s*"((?:[^"\\]|\\.)*+)"|\s+([^\s;"][^;]*))?)?\s*+(?:;|\Z)'
)
# Most lines begin so, and need no more to be told apart.
_GTF_IDS = re.compile(
    r'\s*gene_id\s+"([^"]*)"\s*;\s*(?:gene_version\s+"[^"]*"\s*;\s*)?'
    r'(?:transcript_id\s+"([^"]*)"\s*(?:;|\Z))?'
)
_GFF3_ATTRIBUTE = re.compile(r"\s*[^\s=;]+=")
_GFF3_ID_PREFIX = re.compile(r"(?:gene|transcript|rna)[:-]", re.IGNORECASE)
_GFF3_ID = re.compile(r"(?:^|;)\s*ID=([^;]*)")
_GFF3_PARENT = re.compile(r"(?:^|;)\s*Parent=([^;]*)")
_GFF3_TRANSCRIPT = re.compile(r".*(?:RNA|transcript|gene_segment)")
# Most lines of a GFF3 are these: to parse their attributes would be most of the work.
_GFF3_NO_TRANSCRIPTS = frozenset(
    ("CDS", "five_prime_UTR", "three_prime_UTR", "start_codon", "stop_codon")
)


class GeneTableError(InputError):
    """A file of genes, or the table made of it, that cannot be used."""


class Feature(NamedTuple):
    """A gene, or a transcript of one; start and end are 1-based and inclusive.

    The ids are without version. A gene has no transcript_id, and what is unknown is "" too. `line`
    is the number of its line.
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


class Annotation(NamedTuple):
    """What a file tells of genes.

    Attributes:
        genes: The genes.
        transcripts: The transcripts; maybe none where they are not asked for.
        num_derived: Genes among them that have no line of their own, although others have, and
            were put together from their transcripts and exons.
    """

    genes: list[Feature]
    transcripts: list[Feature]
    num_derived: int = 0


FeatureReader = Callable[[Iterable[Line], bool, Counter[str]], Annotation]
"""Reads the genes and the transcripts of a file from its lines.

It also takes whether the transcripts are asked for, without which it may return none, and a counter
to which it adds what it leaves out, by reason. A line that it cannot read is a `GeneTableError`."""


def feature_reader(first: Line) -> FeatureReader | None:
    """Returns the reader of a file by its first line; None if the file is no annotation."""
    fields = first.text.split("\t", _FEATURE_FIELDS - 1)
    if len(fields) == _FEATURE_FIELDS and fields[6] in ("+", "-", ".", "?"):
        return _read_gff3 if _GFF3_ATTRIBUTE.match(fields[8]) else _read_gtf
    return _read_gene_info if _is_gene_info(first.text.split("\t")) else None


def known_symbol(text: str) -> str:
    """Returns a gene's symbol, "" where the text only says that it is unknown.

    Example:
        >>> [known_symbol(text) for text in ("TNMD", "na", "-")]
        ['TNMD', '', '']
    """
    return "" if text.lower() in _NO_SYMBOLS else text


def date_warnings(gene_ids: Iterable[str], file_name: str) -> Iterator[str]:
    """Yields a line if some gene ids are dates, which Excel makes of symbols such as MARCH1."""
    if dates := [gene_id for gene_id in gene_ids if _DATE.fullmatch(gene_id)]:
        yield (
            f"{file_name}: {len(dates):,} gene ids are dates ({some(dates)}), which Excel makes of "
            "symbols such as MARCH1 and SEPT2. Mend them, or these genes find no counterpart"
        )


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
    text = text.strip()
    if not _POSITION.fullmatch(text) or int(text) >= MAX_BP:
        raise GeneTableError(
            f"Expected {what} to be a whole number of base pairs, below {MAX_BP}, in {where}. "
            f"Received: {what}={text!r}."
        )
    return int(text)


def _read_gene_info(
    lines: Iterable[Line], use_transcripts: bool, left_out: Counter[str]
) -> Annotation:
    genes = []
    for line in lines:
        fields = line.text.split("\t")
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
                symbol=known_symbol(fields[6]),
                biotype=fields[5],
                chrom="chrM" if fields[1] == "MT" else f"chr{fields[1]}",
                start=start,
                end=end,
                strand=STRANDS[fields[4]],
            )
        )
    return Annotation(genes, [])


def _is_gene_info(fields: list[str]) -> bool:
    return len(fields) >= _GENE_INFO_FIELDS and fields[4] in ("1", "-1")


def _read_gtf(lines: Iterable[Line], use_transcripts: bool, left_out: Counter[str]) -> Annotation:
    genes: list[Feature] = []
    transcripts: list[Feature] = []
    from_exons = _Spans(MAX_INTRON_BP)
    # What has a line of its own is not put together from its parts: most lines are these, and to
    # parse all of their attributes would be most of the work.
    seen_genes: set[str] = set()
    seen_transcripts: set[tuple[str, str]] = set()
    for line in lines:
        fields = _feature_fields(line)
        kind = fields[2]
        if kind not in ("gene", "transcript", "exon"):
            continue
        if kind != "gene" and (ids := _GTF_IDS.match(fields[8])):
            gene_id, transcript_id = ids.groups("")
            if not use_transcripts and gene_id in seen_genes:
                continue
            if kind == "exon" and (gene_id, transcript_id) in seen_transcripts:
                continue
        attributes = _gtf_attributes(fields[8], line)
        gene_id = _required(attributes, "gene_id", line)
        transcript_id = "" if kind == "gene" else attributes.get("transcript_id", "")
        if use_transcripts and kind == "transcript":
            _required(attributes, "transcript_id", line)
        feature = _feature(line, fields, attributes, gene_id, transcript_id)
        if kind == "gene":
            seen_genes.add(gene_id)
            genes.append(feature)
        elif kind == "transcript":
            seen_transcripts.add((gene_id, transcript_id))
            transcripts.append(feature)
        elif transcript_id or not use_transcripts:
            from_exons.add(feature)
        else:
            left_out["exons without a transcript_id"] += 1
    return _put_together(genes, transcripts, from_exons, use_transcripts, left_out)


def _read_gff3(lines: Iterable[Line], use_transcripts: bool, left_out: Counter[str]) -> Annotation:
    genes: list[Feature] = []
    gene_id_of: dict[str, str] = {}
    other_ids: set[str] = set()
    children: list[_Child] = []
    exons: list[_Child] = []
    for line in lines:
        fields = _feature_fields(line)
        kind = fields[2]
        if kind in _GFF3_NO_TRANSCRIPTS:
            continue
        parents = _gff3_ids(_GFF3_PARENT, fields[8])
        is_of_gene = bool(parents) and all(parent in gene_id_of for parent in parents)
        if kind == "exon":
            # Most are of what has a line, and say nothing new.
            if not (is_of_gene or other_ids.issuperset(parents)):
                attributes = _gff3_attributes(fields[8])
                part = _part(line, fields, attributes, parents[0])
                exons.append(_Child(line, False, parents, part))
        elif kind.endswith("gene") and not parents:
            attributes = _gff3_attributes(fields[8])
            key = "gene_id" if "ID" not in attributes and "gene_id" in attributes else "ID"
            gff3_id = _required(attributes, key, line)
            gene_id = _GFF3_ID_PREFIX.sub("", gff3_id, count=1)
            gene = _feature(line, fields, attributes, gene_id, "")
            gene_id_of[gff3_id] = gene.gene_id
            genes.append(gene)
        else:
            other_ids.update(_gff3_ids(_GFF3_ID, fields[8]))
            is_transcript = bool(_GFF3_TRANSCRIPT.fullmatch(kind))
            if (use_transcripts and parents) or (is_transcript and not is_of_gene):
                attributes = _gff3_attributes(fields[8])
                part = _part(line, fields, attributes, attributes.get("ID", ""))
                children.append(_Child(line, is_transcript, parents, part))
    transcripts = []
    for child in children:
        gene_ids = _gene_ids_of(child, gene_id_of, other_ids, left_out)
        if use_transcripts and gene_ids and not child.feature.transcript_id:
            raise GeneTableError(
                f"Expected the attribute ID of a transcript in {child.line.where}. Received: none."
            )
        transcripts += [child.feature._replace(gene_id=without_version(each)) for each in gene_ids]
    from_exons = _Spans(MAX_INTRON_BP)
    for exon in exons:
        if not (other_ids.issuperset(exon.parents) or gene_id_of.keys() >= set(exon.parents)):
            if exon.feature.gene_id:
                from_exons.add(exon.feature)
            else:
                left_out["exons of transcripts without a line"] += 1
    return _put_together(genes, transcripts, from_exons, use_transcripts, left_out)


class _Child(NamedTuple):
    """What a line of a GFF3 has that is no gene: maybe a transcript, or an exon."""

    line: Line
    is_transcript: bool
    parents: list[str]
    feature: Feature


def _gene_ids_of(
    child: _Child, gene_id_of: Mapping[str, str], other_ids: set[str], left_out: Counter[str]
) -> list[str]:
    """The genes that are a child's parents; of a transcript also those that have no line."""
    gene_ids = [gene_id_of[parent] for parent in child.parents if parent in gene_id_of]
    if not gene_ids and child.is_transcript and other_ids.isdisjoint(child.parents):
        gene_ids = [_GFF3_ID_PREFIX.sub("", parent, count=1) for parent in child.parents]
        gene_ids = gene_ids or [child.feature.gene_id] * bool(child.feature.gene_id)
        left_out["transcripts without a gene"] += not gene_ids
    return gene_ids


def _gff3_ids(attribute: re.Pattern[str], text: str) -> list[str]:
    found = attribute.search(text)
    return [unquote(each.strip()) for each in found[1].split(",")] if found else []


def _part(
    line: Line, fields: Sequence[str], attributes: Mapping[str, str], gff3_id: str
) -> Feature:
    """A transcript of a GFF3 or its exon, of the gene that it names itself, if it does."""
    gene_id = next(filter(None, map(attributes.get, ("gene_id", "geneID"))), "")
    transcript_id = _GFF3_ID_PREFIX.sub("", gff3_id, count=1)
    # Its Name is its own, not that of the gene.
    of_gene = {key: value for key, value in attributes.items() if key != "Name"}
    return _feature(line, fields, of_gene, gene_id, transcript_id)


def _put_together(
    genes: Sequence[Feature],
    transcripts: Sequence[Feature],
    from_exons: _Spans,
    use_transcripts: bool,
    left_out: Counter[str],
) -> Annotation:
    """Derives what has no line of its own, and leaves out what lies in several places."""
    have_lines = {(t.gene_id, t.transcript_id) for t in transcripts}
    transcripts = [*transcripts]
    transcripts += [
        whole
        for whole in from_exons.wholes()
        if (whole.gene_id, whole.transcript_id) not in have_lines
    ]
    genes, transcripts = _without_alternate_loci(genes, transcripts, left_out)
    gene_ids = {gene.gene_id for gene in genes}
    from_transcripts = _Spans(MAX_APART_BP)
    for transcript in transcripts:
        if transcript.gene_id not in gene_ids:
            from_transcripts.add(transcript._replace(transcript_id=""))
    genes = _in_one_place([*genes, *from_transcripts.wholes()], "genes", left_out)
    kept = {gene.gene_id for gene in genes}
    num_derived = len(kept - gene_ids) if gene_ids else 0
    if not use_transcripts:
        return Annotation(genes, [], num_derived)
    transcripts = [transcript for transcript in transcripts if transcript.gene_id in kept]
    return Annotation(genes, _in_one_place(transcripts, "transcripts", left_out), num_derived)


def _without_alternate_loci(
    genes: Sequence[Feature], transcripts: Sequence[Feature], left_out: Counter[str]
) -> tuple[list[Feature], list[Feature]]:
    """Leaves out the copies on alternate loci of genes that have a place elsewhere."""
    places = {(feature.gene_id, feature.chrom) for feature in (*genes, *transcripts)}
    alternate = {place for place in places if _ALTERNATE_LOCUS.fullmatch(place[1])}
    elsewhere = {gene_id for gene_id, _ in places - alternate}
    copies = {place for place in alternate if place[0] in elsewhere}
    left_out["copies of genes on alternate loci"] += len(copies)
    return (
        [gene for gene in genes if (gene.gene_id, gene.chrom) not in copies],
        [each for each in transcripts if (each.gene_id, each.chrom) not in copies],
    )


def _in_one_place(features: Sequence[Feature], what: str, left_out: Counter[str]) -> list[Feature]:
    spans = _Spans(MAX_APART_BP)
    for feature in features:
        spans.add(feature)
    num_places = Counter((whole.gene_id, whole.transcript_id) for whole in spans.wholes())
    left_out[f"{what} {_SEVERAL_PLACES}"] += sum(number > 1 for number in num_places.values())
    return [f for f in features if num_places[f.gene_id, f.transcript_id] == 1]


class _Spans:
    """Genes or transcripts put together from their parts, one a place."""

    def __init__(self, max_gap_bp: int) -> None:
        self._max_gap_bp = max_gap_bp
        # Of each gene or transcript on a strand of a chromosome, in order and apart.
        self._wholes_of: defaultdict[tuple[str, ...], list[Feature]] = defaultdict(list)

    def add(self, part: Feature) -> None:
        key = part.gene_id, part.transcript_id, part.chrom, part.strand
        wholes = self._wholes_of[key]
        first = bisect_left(wholes, part.start - self._max_gap_bp, key=lambda whole: whole.end)
        last = bisect_right(wholes, part.end + self._max_gap_bp, key=lambda whole: whole.start)
        # A part between two of them makes them one.
        near = [*wholes[first:last], part]
        start, end = min(each.start for each in near), max(each.end for each in near)
        earliest = min(near, key=lambda each: each.line)
        wholes[first:last] = [earliest._replace(start=start, end=end)]

    def wholes(self) -> list[Feature]:
        return [whole for wholes in self._wholes_of.values() for whole in wholes]


def _feature_fields(line: Line) -> list[str]:
    # The last one may hold tabs, or end with one.
    fields = line.text.split("\t", _FEATURE_FIELDS - 1)
    if len(fields) != _FEATURE_FIELDS:
        raise GeneTableError(
            f"Expected {_FEATURE_FIELDS} fields between tabs in {line.where}. "
            f"Received: {len(fields)}."
        )
    if fields[-1].startswith('"'):  # As Excel saves it.
        fields[-1] = unquoted(fields[-1])
    return fields


def _gtf_attributes(text: str, line: Line) -> dict[str, str]:
    """Returns the first value of each key.

    Of the libraries none reads all that is in use: gffutils keeps a space before the first key,
    pysam parts at semicolons inside quotes.
    """
    attributes: dict[str, str] = {}
    place = 0
    while place < len(text):
        attribute = _GTF_ATTRIBUTE.match(text, place)
        if attribute is None:
            raise GeneTableError(
                f'Expected attributes such as gene_id "ENSG00000000003"; in {line.where}. '
                f"Received: {text[place:].strip()[:80]!r}. Is a quote or a semicolon missing?"
            )
        key, quoted, bare = attribute.groups("")
        if key:
            attributes.setdefault(key, (quoted or bare).strip())
        place = attribute.end()
    return attributes


def _gff3_attributes(text: str) -> dict[str, str]:
    pairs = (attribute.partition("=") for attribute in text.split(";"))
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs}


def _required(attributes: Mapping[str, str], key: str, line: Line) -> str:
    value = attributes.get(key)
    if not value:
        raise GeneTableError(
            f"Expected the attribute {key} in {line.where}. "
            f"Received: {', '.join(attributes)[:200]}."
        )
    return value


def _feature(
    line: Line,
    fields: Sequence[str],
    attributes: Mapping[str, str],
    gene_id: str,
    transcript_id: str,
) -> Feature:
    start, end = _span(fields[3], fields[4], line.where)
    symbols = (known_symbol(attributes.get(key, "")) for key in _SYMBOLS)
    return Feature(
        line=line.number,
        gene_id=without_version(gene_id),
        transcript_id=without_version(transcript_id),
        symbol=next(filter(None, symbols), ""),
        biotype=next(filter(None, map(attributes.get, _BIOTYPES)), ""),
        chrom=fields[0],
        start=start,
        end=end,
        strand=STRANDS.get(fields[6], ""),
    )


def _span(start: str, end: str, where: str) -> tuple[int, int]:
    span = parse_position(start, "start", where), parse_position(end, "end", where)
    if not 1 <= span[0] <= span[1]:
        raise GeneTableError(
            f"Expected 1 <= start <= end in {where}. Received: start={start}, end={end}."
        )
    return span
