"""Streams the alignments of a BAM file, in any order and without an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import numpy as np
import pysam

from .binning import Intervals
from .file_types import SignalFileError, require_complete_bgzf

UNPLACED = "*"
"""Stands for the chromosome of reads that have none."""

_CHUNK_READS = 1 << 16
_FIELDS = 5
_DUPLICATE_OR_FAILED = pysam.FDUP | pysam.FQCFAIL


def chromosome_sizes(path: Path) -> dict[str, int]:
    """Returns the chromosome sizes of a BAM file's header, by the file's own names.

    Raises:
        SignalFileError: If the file is not a complete BAM file.
    """
    require_complete_bgzf(path)
    try:
        with pysam.AlignmentFile(str(path), "rb", check_sq=False) as bam:
            return dict(zip(bam.references, bam.lengths, strict=True))
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def has_index(path: Path) -> bool:
    """Returns whether a BAM file has an index beside it, written after the file itself."""
    names = (f"{path.stem}.bai", f"{path.name}.bai", f"{path.name}.csi")
    indexes = [index for index in map(path.with_name, names) if index.is_file()]
    modified = path.stat().st_mtime
    return bool(indexes) and all(index.stat().st_mtime >= modified for index in indexes)


def read_bam(
    path: Path, *, min_mapq: int = 0, chroms: Sequence[str] | None = None
) -> Iterator[Intervals]:
    """Yields the alignments that `bedtools multicov` counts, as the bases they span.

    Those are all but duplicates and reads that failed quality control: secondary and supplementary
    alignments count, each mate of a pair counts, and an unmapped read that stands at its mate's
    place counts with that one base. An alignment spans its deletions and introns.

    Args:
        path: The BAM file.
        min_mapq: Least mapping quality that counts.
        chroms: Names, as the file has them, of chromosomes to read of an indexed file, `UNPLACED`
            for the reads on none; None to read all, which needs no index.

    Raises:
        SignalFileError: If the file is damaged.
    """
    try:
        # A second thread unpacks blocks while this one takes reads.
        with pysam.AlignmentFile(str(path), "rb", check_sq=False, threads=2) as bam:
            names = list(bam.references)
            reads: Iterator[pysam.AlignedSegment] = (
                bam.fetch(until_eof=True)
                if chroms is None
                else chain.from_iterable(map(bam.fetch, chroms))
            )
            while fields := [
                field
                for read in islice(reads, _CHUNK_READS)
                for field in (
                    read.reference_id,
                    read.reference_start,
                    read.reference_end or -1,
                    read.flag,
                    read.mapping_quality,
                )
            ]:
                yield _intervals(names, np.array(fields, dtype=np.int64), min_mapq)
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _intervals(names: list[str], fields: np.ndarray, min_mapq: int) -> Intervals:
    code, start, end, flag, mapq = fields.reshape(-1, _FIELDS).T
    is_unplaced = code < 0
    is_rejected = ~is_unplaced & (flag & _DUPLICATE_OR_FAILED != 0)
    is_uncertain = ~is_unplaced & ~is_rejected & (mapq < min_mapq)
    is_kept = ~(is_unplaced | is_rejected | is_uncertain)
    return Intervals(
        names,
        code[is_kept],
        start[is_kept],
        np.where(end < 0, start + 1, end)[is_kept],
        (flag & pysam.FREVERSE != 0)[is_kept],
        left_out={
            "unmapped": int(is_unplaced.sum()),
            "duplicate or failed quality control": int(is_rejected.sum()),
            f"mapping quality below {min_mapq}": int(is_uncertain.sum()),
        },
    )


def _damaged(path: Path, error: Exception) -> SignalFileError:
    return SignalFileError(
        f"Expected a complete BAM file. Received: {path.name}, damaged ({error}). "
        "Fetch or write it again."
    )
