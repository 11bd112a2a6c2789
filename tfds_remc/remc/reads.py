"""One value a bin from a file of reads, depth or peaks."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from . import bam, bigwig
from .bed import BedLayout, read_bed
from .bedgraph import read_bedgraph
from .binning import MAX_BP, BinAxis, DepthMean, Intervals, PeakMean, ReadCounter, RegionBins
from .chromosomes import GENOMES, ChromosomeError, canonical_names, check_genome
from .errors import some
from .file_types import (
    FILE_TYPES,
    READ_TYPES,
    SignalFile,
    SignalFileError,
    check_content,
)

Position = Literal["overlap", "five_prime"]
"""Where a read counts: in each bin that it overlaps, or in that of its 5' end."""

_STRAND_COLUMN, _SIGNAL_VALUE_COLUMN = 5, 6
# BEDPE has ten, of which the first three are of one mate; tagAlign has six, some tools add one.
_MAX_COLUMNS_OF_READS = 9
# gappedPeak and BED12 have more, and the start of a part where signalValue is.
_MAX_COLUMNS_OF_PEAKS = 10
_SIZES_OF = {"BAM": bam.chromosome_sizes, "bigWig": bigwig.chromosome_sizes}


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """How a file becomes one value a bin.

    Attributes:
        position: "overlap" counts a read in each bin it overlaps, as `bedtools multicov` does;
            "five_prime" counts it in the bin of its 5' end.
        extend_bp: Length that each read is given from its 5' end on, the length of the fragments;
            None leaves the reads as they are.
        fragments: Whether to count the proper pairs of a BAM file, each once and with all that
            lies between its mates, in place of the reads.
        min_mapq: Least mapping quality of a BAM file's reads.
        genome: A name of `GENOMES` that the file's chromosome sizes are checked against; None
            leaves them unchecked.
        file_type: One of the values of `FILE_TYPES`; None tells it by the file's name.
    """

    position: Position = "overlap"
    extend_bp: int | None = None
    fragments: bool = False
    min_mapq: int = 0
    genome: str | None = None
    file_type: str | None = None

    def __post_init__(self) -> None:
        for name, known in (
            ("position", get_args(Position)),
            ("genome", (None, *GENOMES)),
            ("file_type", (None, *dict.fromkeys(FILE_TYPES.values()))),
        ):
            if getattr(self, name) not in known:
                raise SignalFileError(
                    f"Expected {name} to be one of {', '.join(map(str, known))}. "
                    f"Received: {name}={getattr(self, name)!r}."
                )
        if self.extend_bp is not None and not 0 < self.extend_bp < MAX_BP:
            raise SignalFileError(
                f"Expected extend_bp of at least 1. Received: extend_bp={self.extend_bp}."
            )
        if self.extend_bp is not None and self.position == "five_prime":
            raise SignalFileError(
                "Expected extend_bp with position='overlap': the 5' end stays where it is. "
                f"Received: position='five_prime', extend_bp={self.extend_bp}."
            )

        if self.fragments and self.needs_strand:
            raise SignalFileError(
                "Expected fragments with position='overlap' and without extend_bp: the two mates "
                f"say where a fragment lies. Received: position={self.position!r}, "
                f"extend_bp={self.extend_bp}, fragments=True."
            )

    @property
    def needs_strand(self) -> bool:
        """Whether the values depend on the strand of the reads."""
        return self.position == "five_prime" or self.extend_bp is not None


@dataclasses.dataclass(frozen=True)
class BinnedSignal:
    """One mark's signal, and what became of the file's records (reads, intervals or peaks).

    `num_records` is the sum of `num_used`, `left_out`, `unmatched`, and the records that lie
    outside of all gene regions. A bigWig file is not read record by record: its numbers are 0.

    Attributes:
        values: (genes, bins) float32 in genome orientation: read counts, or the mean depth or
            peak signal over the bases of the bin.
        file_type: What the file holds.
        num_records: Records in the file.
        num_used: Records that overlap a bin.
        left_out: Records that do not count, by reason.
        unmatched: Records by their chromosome, as the file names it, where no gene region lies.
        num_past_end: Records that end past the end of their chromosome. They do count.
        num_paired: Reads that are mates of a pair, where each is extended: fragments count twice.
        is_of_fragments: Whether the records are pairs of reads.
        missing_chroms: Chromosomes of gene regions, in UCSC's style, that have no record, or no
            place in the file's header; the signal there is 0.
    """

    values: np.ndarray
    file_type: str
    num_records: int = 0
    num_used: int = 0
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unmatched: Mapping[str, int] = dataclasses.field(default_factory=dict)
    num_past_end: int = 0
    num_paired: int = 0
    is_of_fragments: bool = False
    missing_chroms: tuple[str, ...] = ()

    def warnings(self) -> Iterator[str]:
        """Yields a line on each thing that a user should know about."""
        what = "reads" if self.file_type in READ_TYPES else "records"
        what = "fragments" if self.is_of_fragments else what
        for reason, number in self.left_out.items():
            yield f"{number:,} of {self.num_records:,} {what} left out: {reason}"
        if self.unmatched:
            yield (
                f"{sum(self.unmatched.values()):,} of {self.num_records:,} {what} lie on "
                f"{len(self.unmatched)} chromosome{'s'[: len(self.unmatched) > 1]} without gene "
                f"regions: "
                f"{some(self.unmatched)}"
            )
        if self.num_past_end:
            yield (
                f"{self.num_past_end:,} {what} end past the end of their chromosome: is the "
                "genome the right one?"
            )
        if self.num_paired:
            yield (
                f"{self.num_paired:,} of {self.num_records:,} reads are mates of a pair and "
                "extended each, so that their fragments count twice; --fragments in place of "
                "--extend-bp counts them once"
            )
        if self.missing_chroms:
            yield f"no {what} on {some(self.missing_chroms)}: the signal there is 0"
        if not self.values.any():
            yield "the signal is 0 in every bin"


def read_signal(path: Path, bins: RegionBins, options: ReadOptions | None = None) -> BinnedSignal:
    """Reads one value a bin from a file of any type.

    * tagAlign (BED6) and BAM: how many reads overlap the bin, or have their 5' end in it. The file
      need not be sorted or indexed.
    * bigWig and bedGraph: the mean over the bases of the bin; bases without data count as 0.
    * narrowPeak and broadPeak: the mean of signalValue, the greatest where peaks overlap; bases
      without a peak count as 0, and a peak whose signalValue is -1 is none.

    Text may be gzipped. Memory grows with the bins, not with the file, but for peaks.

    Args:
        path: The file.
        bins: Bins of gene regions.
        options: How to count, and what to check.

    Example:
        >>> bins = RegionBins(np.array(["chrX"]), np.array([99889988]))
        >>> read_signal(Path("E003-H3K4me3.tagAlign.gz"), bins).values.shape  # doctest: +SKIP
        (1, 100)

    Raises:
        SignalFileError: If the file is damaged, not of its type, without records, or has a record
            or value at fault; then it names the place. Also if an option does not apply to the
            file type.
        ChromosomeError: If its chromosomes are not those of the gene regions or of the genome.
    """
    signal = read_part(path, bins, options)
    require_records(signal, bins, path)
    return signal


def read_part(
    path: Path,
    bins: RegionBins,
    options: ReadOptions | None = None,
    chroms: Sequence[str] | None = None,
    wanted: Collection[str] | None = None,
) -> BinnedSignal:
    """Like `read_signal`, but a part of a file may be without reads on gene regions.

    Args:
        path: The file.
        bins: Bins of gene regions.
        options: How to count, and what to check.
        chroms: Chromosomes of an indexed BAM file to read, see `bam.read_bam`; None for all.
        wanted: Chromosomes of all gene regions, in UCSC's style; None for those of `bins`.
    """
    options = options or ReadOptions()
    wanted = wanted or set(bins.canonical_chrom.tolist())
    file_type = SignalFile(path, options.file_type).type()
    check_content(path, file_type)
    _check_options(file_type, options)
    header = header_sizes(SignalFile(path, file_type))
    canonical = canonical_names(header, path.name, wanted, header)
    sizes = GENOMES.get(options.genome or "", {})
    if file_type in _SIZES_OF:
        sizes = {canonical[name]: size for name, size in header.items()}
        _require_shared(sizes, header, bins, path)
        if options.genome is not None:
            check_genome(sizes, options.genome, path.name)
    if file_type == "bigWig":
        return _bigwig_signal(path, bins, canonical)
    if file_type == "BAM":
        chunks = bam.read_bam(
            path, min_mapq=options.min_mapq, chroms=chroms, fragments=options.fragments
        )
    elif file_type == "tagAlign":
        strand_column = _STRAND_COLUMN if options.needs_strand else None
        chunks = read_bed(path, BedLayout(strand_column, max_columns=_MAX_COLUMNS_OF_READS))
    elif file_type == "bedGraph":
        chunks = read_bedgraph(path)
    else:
        layout = BedLayout(value_column=_SIGNAL_VALUE_COLUMN, max_columns=_MAX_COLUMNS_OF_PEAKS)
        chunks = read_bed(path, layout)

    def name_all(names: Iterable[str]) -> dict[str, str]:
        return canonical_names(names, path.name, wanted, header)

    return _binned(file_type, BinAxis(bins), chunks, sizes, name_all, options)


def header_sizes(file: SignalFile) -> dict[str, int]:
    """Returns the chromosome sizes in a file's header, by its own names; {} of a file without one.

    Raises:
        SignalFileError: If the file is damaged or not of its type.
    """
    file_type = file.type()
    if file_type not in _SIZES_OF:
        return {}
    check_content(file.path, file_type)
    return _SIZES_OF[file_type](file.path)


def require_records(signal: BinnedSignal, bins: RegionBins, path: Path) -> None:
    """Refuses what was read of a whole file if that has no records, or none for gene regions.

    Raises:
        SignalFileError: If it has no records at all, or no pairs where fragments are counted.
        ChromosomeError: If none of its records lies on a chromosome of a gene region.
    """
    if signal.num_records == 0 and signal.file_type != "bigWig":
        what = "read" if signal.file_type in READ_TYPES else "record"
        raise SignalFileError(f"Expected at least one {what}. Received: {path.name}, without any.")
    if 0 < signal.num_records == signal.left_out.get(bam.SINGLE):
        raise SignalFileError(
            f"Expected pairs of reads in {path.name}, to count fragments. Received: "
            f"{signal.num_records:,} reads of no pair. Leave out fragments, or give extend_bp."
        )
    if signal.unmatched:
        found = set(bins.canonical_chrom.tolist()).difference(signal.missing_chroms)
        _require_shared(found, signal.unmatched, bins, path)


def _binned(
    file_type: str,
    axis: BinAxis,
    chunks: Iterable[Intervals],
    sizes: Mapping[str, int],
    name_all: Callable[[Iterable[str]], dict[str, str]],
    options: ReadOptions,
) -> BinnedSignal:
    """Takes in a file's records.

    Args:
        file_type: What the file holds.
        axis: Of the gene regions' bins.
        chunks: The records.
        sizes: Of chromosomes, by canonical name.
        name_all: Finds the canonical names of all names of the file so far.
        options: How to count.
    """
    counter = ReadCounter(axis)
    depth = DepthMean(axis) if file_type == "bedGraph" else PeakMean(axis)
    left_out: Counter[str] = Counter()
    by_name: Counter[str] = Counter()
    canonical: dict[str, str] = {}
    num_used = num_past_end = num_paired = 0
    for chunk in chunks:
        if not canonical.keys() >= set(chunk.names):
            canonical = name_all([*canonical, *chunk.names])
        left_out.update(chunk.left_out)
        num_paired += chunk.num_paired
        per_name = np.bincount(chunk.code, minlength=len(chunk.names)).tolist()
        by_name.update(dict(zip(chunk.names, per_name, strict=True)))
        size = np.array([sizes.get(canonical[name], MAX_BP) for name in chunk.names])
        num_past_end += int(np.count_nonzero(chunk.end > size[chunk.code]))
        start, end = _counted_part(chunk, options)
        origin = np.array([axis.origin_of.get(canonical[name], -1) for name in chunk.names])
        origin = origin[chunk.code]
        is_matched = origin >= 0
        start, end = (start + origin)[is_matched], (end + origin)[is_matched]
        if chunk.value is None:
            num_used += counter.add(start, end)
        else:
            num_used += depth.add(start, end, chunk.value[is_matched])
    by_name = +by_name  # Drops the names without records.
    found = {canonical[name] for name in by_name}
    values = counter.values() if file_type in READ_TYPES else depth.values()
    return BinnedSignal(
        values=values.astype(np.float32),
        file_type=file_type,
        num_records=by_name.total() + left_out.total(),
        num_used=num_used,
        left_out=dict(sorted((+left_out).items())),
        unmatched={n: by_name[n] for n in by_name if canonical[n] not in axis.origin_of},
        num_past_end=num_past_end,
        num_paired=num_paired if options.extend_bp else 0,
        is_of_fragments=options.fragments,
        missing_chroms=tuple(name for name in axis.origin_of if name not in found),
    )


def _counted_part(chunk: Intervals, options: ReadOptions) -> tuple[np.ndarray, np.ndarray]:
    """Returns the start and end of the part of each record that counts."""
    if not options.needs_strand or chunk.is_reverse is None:
        return chunk.start, chunk.end
    length = 1 if options.extend_bp is None else options.extend_bp
    start = np.where(chunk.is_reverse, chunk.end - length, chunk.start)
    return start, start + length


def _bigwig_signal(path: Path, bins: RegionBins, canonical: Mapping[str, str]) -> BinnedSignal:
    name_of = {canonical[name]: name for name in canonical if canonical[name]}
    region_chroms = bins.canonical_chrom.tolist()
    names = [name_of.get(chrom) for chrom in region_chroms]
    values = bigwig.mean_depth(path, bins, names)
    return BinnedSignal(
        values=values.astype(np.float32),
        file_type="bigWig",
        missing_chroms=tuple(sorted(set(region_chroms) - name_of.keys())),
    )


def _require_shared(
    found: Collection[str], names: Iterable[str], bins: RegionBins, path: Path
) -> None:
    wanted = dict.fromkeys(bins.canonical_chrom.tolist())
    if wanted.keys().isdisjoint(found):
        raise ChromosomeError(
            f"Expected chromosomes of the gene regions in {path.name}, {some(wanted)}. "
            f"Received: {some(names)}. Use gene regions and a file of one genome, which name "
            "chromosomes alike but for chr."
        )


def _check_options(file_type: str, options: ReadOptions) -> None:
    if file_type not in READ_TYPES and options.needs_strand:
        raise SignalFileError(
            f"Expected reads where position='five_prime' or extend_bp is asked for, that is one of "
            f"{', '.join(READ_TYPES)}. Received: file_type={file_type!r}."
        )
    if file_type != "BAM" and options.fragments:
        raise SignalFileError(
            f"Expected a BAM file where fragments are counted. Received: file_type={file_type!r}. "
            "Leave out fragments."
        )
    if file_type != "BAM" and options.min_mapq > 0:
        raise SignalFileError(
            f"Expected min_mapq with a BAM file only. Received: min_mapq={options.min_mapq}, "
            f"file_type={file_type!r}."
        )
