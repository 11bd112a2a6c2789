"""Streams the alignments of a BAM file, in any order and without an index."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pysam

from .apart import read_apart
from .binning import Intervals
from .file_types import SignalFileError, require_complete_bgzf

UNPLACED = "*"
"""Stands for the chromosome of reads that have none."""

SINGLE = "read of no pair"
"""Why a read is left out where fragments are counted: it was sequenced from one end only."""

_CHUNK_READS = 1 << 16
_FIELDS = 5
_DUPLICATE_OR_FAILED = pysam.FDUP | pysam.FQCFAIL
_NOT_PRIMARY = pysam.FSECONDARY | pysam.FSUPPLEMENTARY
_FIRST_OF_PROPER_PAIR = pysam.FPAIRED | pysam.FPROPER_PAIR | pysam.FREAD1


def chromosome_sizes(path: Path) -> dict[str, int]:
    """Returns the chromosome sizes of a BAM file's header, by the file's own names.

    Raises:
        SignalFileError: If the file is not a complete BAM file.
    """
    require_complete_bgzf(path)
    (sizes,) = read_apart("BAM", _read_sizes, path)
    return sizes


def _read_sizes(path: Path) -> Iterator[dict[str, int]]:
    with path.open("rb") as file, pysam.AlignmentFile(file, "rb", check_sq=False) as bam:
        yield dict(zip(bam.references, bam.lengths, strict=True))


def has_index(path: Path) -> bool:
    """Returns whether a BAM file has an index beside it, written after the file itself."""
    names = (f"{path.stem}.bai", f"{path.name}.bai", f"{path.name}.csi")
    indexes = [index for index in map(path.with_name, names) if index.is_file()]
    modified = path.stat().st_mtime
    return bool(indexes) and all(index.stat().st_mtime >= modified for index in indexes)


def read_bam(
    path: Path,
    *,
    min_mapq: int = 0,
    chroms: Sequence[str] | None = None,
    fragments: bool = False,
) -> Iterator[Intervals]:
    """Yields the alignments that `bedtools multicov` counts, as the bases they span.

    Those are all but duplicates and reads that failed quality control: secondary and supplementary
    alignments count, each mate of a pair counts, and an unmapped read that stands at its mate's
    place counts with that one base. An alignment spans its deletions and introns.

    Or, with `fragments`, yields each proper pair once, as the bases from its leftmost to its
    rightmost. It is taken from the pair's first mate, whose mapping quality and flags decide.

    Args:
        path: The BAM file.
        min_mapq: Least mapping quality that counts.
        chroms: Names, as the file has them, of chromosomes to read of an indexed file, `UNPLACED`
            for the reads on none; None to read all, which needs no index.
        fragments: Whether to yield pairs.

    Raises:
        SignalFileError: If the file is damaged.
    """
    yield from read_apart("BAM", _read, path, min_mapq=min_mapq, chroms=chroms, fragments=fragments)


def _read(
    path: Path, *, min_mapq: int, chroms: Sequence[str] | None, fragments: bool
) -> Iterator[Intervals]:
    fields_of, to_intervals = (
        (_fragment_fields, _fragments) if fragments else (_read_fields, _reads)
    )
    with _open(path, chroms) as bam:
        names = list(bam.references)
        reads = bam.fetch(until_eof=True) if chroms is None else _fetch(bam, chroms, path)
        while fields := fields_of(islice(reads, _CHUNK_READS)):
            yield to_intervals(names, np.array(fields, dtype=np.int64), min_mapq)


@contextlib.contextmanager
def _open(path: Path, chroms: Sequence[str] | None) -> Iterator[pysam.AlignmentFile]:
    """Opens a file by its name only where its index is asked for, which then is opened, too."""
    with path.open("rb") as file:
        source = file if chroms is None else str(path)
        # A second thread unpacks blocks while this one takes reads.
        with pysam.AlignmentFile(source, "rb", check_sq=False, threads=2) as bam:
            yield bam


def _fetch(
    bam: pysam.AlignmentFile, chroms: Sequence[str], path: Path
) -> Iterator[pysam.AlignedSegment]:
    """Takes the reads to which the index leads, and sees that they are as many as it says."""
    expected = {each.contig: each.total for each in bam.get_index_statistics()}
    expected[UNPLACED] = bam.nocoordinate
    for chrom in chroms:
        number = 0
        for number, read in enumerate(bam.fetch(chrom), start=1):  # noqa: B007
            yield read
        if number != expected[chrom]:
            raise SignalFileError(
                f"Expected {expected[chrom]:,} reads on {chrom} in {path.name}, as its index says. "
                f"Received: {number:,}. Index it anew: samtools index {path.name}."
            )


def _read_fields(reads: Iterable[pysam.AlignedSegment]) -> list[int]:
    return [
        field
        for read in reads
        for field in (
            read.reference_id,
            read.reference_start,
            read.reference_end or -1,
            read.flag,
            read.mapping_quality,
        )
    ]


def _reads(names: list[str], fields: np.ndarray, min_mapq: int) -> Intervals:
    code, start, end, flag, mapq = fields.reshape(-1, _FIELDS).T
    is_kept, left_out = _kept(code, flag, mapq, min_mapq)
    is_beside_mate = (flag & pysam.FPAIRED != 0) & (flag & (pysam.FUNMAP | pysam.FMUNMAP) == 0)
    return Intervals(
        names,
        code[is_kept],
        start[is_kept],
        np.where(end < 0, start + 1, end)[is_kept],
        (flag & pysam.FREVERSE != 0)[is_kept],
        left_out=left_out,
        num_paired=int(np.count_nonzero(is_kept & is_beside_mate)),
    )


def _fragment_fields(reads: Iterable[pysam.AlignedSegment]) -> list[int]:
    return [
        field
        for read in reads
        for field in (
            read.reference_id,
            # The leftmost base: of the two mates the one that is further left has it.
            min(read.reference_start, read.next_reference_start),
            abs(read.template_length) if read.next_reference_id == read.reference_id else 0,
            read.flag,
            read.mapping_quality,
        )
    ]


def _fragments(names: list[str], fields: np.ndarray, min_mapq: int) -> Intervals:
    # All that is said of a template is said at its first mate.
    rows = fields.reshape(-1, _FIELDS)
    rows = rows[rows[:, 3] & (pysam.FREAD2 | _NOT_PRIMARY) == 0]
    is_paired = rows[:, 3] & pysam.FPAIRED != 0
    code, start, length, flag, mapq = rows[is_paired].T
    is_kept, left_out = _kept(code, flag, mapq, min_mapq)
    is_proper = (flag & _FIRST_OF_PROPER_PAIR == _FIRST_OF_PROPER_PAIR) & (length > 0)
    left_out |= {
        SINGLE: int(np.count_nonzero(~is_paired)),
        "no proper pair": int(np.count_nonzero(is_kept & ~is_proper)),
    }
    is_kept &= is_proper
    return Intervals(
        names, code[is_kept], start[is_kept], (start + length)[is_kept], left_out=left_out
    )


def _kept(
    code: np.ndarray, flag: np.ndarray, mapq: np.ndarray, min_mapq: int
) -> tuple[np.ndarray, dict[str, int]]:
    """Returns which alignments count, and how many do not, by reason."""
    is_unplaced = code < 0
    is_rejected = ~is_unplaced & (flag & _DUPLICATE_OR_FAILED != 0)
    is_uncertain = ~is_unplaced & ~is_rejected & (mapq < min_mapq)
    return ~(is_unplaced | is_rejected | is_uncertain), {
        "unmapped": int(is_unplaced.sum()),
        "duplicate or failed quality control": int(is_rejected.sum()),
        f"mapping quality below {min_mapq}": int(is_uncertain.sum()),
    }
