"""Streams a bedGraph file, in which no two records may overlap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NoReturn

import numpy as np

from .bed import BedLayout, Record, read_bed, read_records
from .binning import Intervals
from .file_types import SignalFileError

_LAYOUT = BedLayout(value_column=3, is_bedgraph=True)


def read_bedgraph(path: Path) -> Iterator[Intervals]:
    """Yields the records of a bedGraph file, in chunks and in whichever order they stand.

    That no two overlap is seen in passing where records are sorted. The first that is not in order
    has the places of all records read once and compared, which takes 12 bytes a record.

    Raises:
        SignalFileError: If two records overlap, of which it names the lines; and as `read_bed`.
    """
    end_of: dict[str, int] = {}
    is_known_apart = False
    for chunk in read_bed(path, _LAYOUT):
        if not (is_known_apart or _is_sorted(chunk, end_of)):
            _require_apart(path)
            is_known_apart = True
        yield chunk


def _is_sorted(chunk: Intervals, end_of: dict[str, int]) -> bool:
    """Whether each record begins at or after the end of the one before it on its chromosome.

    Args:
        chunk: Records.
        end_of: Where the records before ended, by chromosome; brought up to date.
    """
    if len(chunk.code) == 0:
        return True
    is_next = chunk.code[1:] == chunk.code[:-1]
    if (is_next & (chunk.start[1:] < chunk.end[:-1])).any():
        return False
    turns = np.flatnonzero(~is_next) + 1
    for first, last in zip([0, *turns], [*turns - 1, len(chunk.code) - 1], strict=True):
        name = chunk.names[chunk.code[first]]
        if chunk.start[first] < end_of.get(name, 0):
            return False
        end_of[name] = int(chunk.end[last])
    return True


def _require_apart(path: Path) -> None:
    """Refuses a file of which two records overlap, whatever their order."""
    names: dict[str, int] = {}
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for chunk in read_bed(path, _LAYOUT):
        place = np.array([names.setdefault(name, len(names)) for name in chunk.names], np.int32)
        parts.append((place[chunk.code], chunk.start.astype(np.int32), chunk.end.astype(np.int32)))
    code, start, end = map(np.concatenate, zip(*parts, strict=True))
    for number in range(len(names)):
        own = np.flatnonzero(code == number)
        own = own[np.argsort(start[own], kind="stable")]
        # Where any two overlap, two neighbours do.
        overlaps = np.flatnonzero(start[own[1:]] < end[own[:-1]])
        if len(overlaps):
            _raise_overlap(path, *sorted(own[overlaps[0] : overlaps[0] + 2].tolist()))


def _raise_overlap(path: Path, first: int, second: int) -> NoReturn:
    """Names two records, by their places among all."""
    (one,) = islice(read_records(path, _LAYOUT), first, first + 1)
    (other,) = islice(read_records(path, _LAYOUT), second, second + 1)

    def place(record: Record) -> str:
        return f"{record.chrom}:{record.start}-{record.end} in line {record.line}"

    raise SignalFileError(
        f"Expected intervals apart in {path.name}. Received: {place(one)} and {place(other)}, "
        "which overlap. Give each base one value."
    )
