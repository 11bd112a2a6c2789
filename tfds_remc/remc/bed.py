"""Streams BED-like text, gzipped or not: tagAlign, bedGraph, narrowPeak and broadPeak."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import math
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .binning import MAX_BP, Intervals
from .file_types import NOT_NEGATIVE, SignalFileError, require_complete_bgzf
from .text_files import COMMENT, Line, content_lines, open_bytes, open_text

UNASSIGNED = -1
"""Stands in peak files for a value that there is none of."""

_WIGGLE = re.compile(r"(fixed|variable)Step\s")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BYTE_ORDER_MARK = codecs.BOM_UTF8.decode("latin-1")
_MAX_VALUE = float(np.finfo(np.float32).max)
_CHUNK_ROWS = 1 << 18
_MAX_LINE_BYTES = 1 << 16


class BedLayout(NamedTuple):
    """What a kind of BED-like file has beside chromosome, start and end.

    Attributes:
        strand_column: Place of the strand, where it is needed.
        value_column: Place of the value, where it is needed.
        is_bedgraph: Whether columns may always be parted by any white space, and `#` opens a
            comment in a record too; no column is text in which either could stand.
        max_columns: How many columns such a file has at most. One that has more is of another kind,
            with something else in the same column.
    """

    strand_column: int | None = None
    value_column: int | None = None
    is_bedgraph: bool = False
    max_columns: int = sys.maxsize

    @property
    def columns(self) -> dict[int, str]:
        """What is read, by place."""
        columns: dict[int | None, str] = {0: "chrom", 1: "start", 2: "end"}
        columns |= {self.strand_column: "strand", self.value_column: "value"}
        return {column: name for column, name in columns.items() if column is not None}


class Record(NamedTuple):
    """One line of a file, and what is needed of it.

    Attributes:
        line: Its number.
        chrom: The chromosome.
        start: First base.
        end: The base after the last.
        strand: "+" or "-".
        value: The value.
    """

    line: int
    chrom: str
    start: int
    end: int
    strand: str
    value: float


def read_bed(path: Path, layout: BedLayout | None = None) -> Iterator[Intervals]:
    """Yields the records of a BED-like file, in chunks.

    Columns are parted by tabs, or by white space if the first record has no tab. Lines end in any
    of the three ways. Header lines (`#`, track, browser) are passed over wherever they stand.

    Args:
        path: The file; gzip is told by its content.
        layout: What is needed of a record beside its place.

    Raises:
        SignalFileError: If the file is truncated, or a record is at fault; then it names the line.
    """
    layout = layout or BedLayout()
    num_read = 0
    require_complete_bgzf(path)
    num_header_bytes, first = _beginning(path)
    if first is None:
        return
    _columns(first, layout, first)
    for table in _tables(path, layout, num_header_bytes, first):
        intervals = None if table is None else _intervals(table, layout)
        if intervals is None:
            # What the fast parser stumbles over is at fault, or asks for a closer look.
            records = itertools.islice(read_records(path, layout), num_read, None)
            yield from _by_record(records, layout)
            return
        num_read += len(intervals.code) + sum(intervals.left_out.values())
        yield intervals


def read_records(path: Path, layout: BedLayout) -> Iterator[Record]:
    """Yields the records of a BED-like file one by one, with the numbers of their lines.

    Raises:
        SignalFileError: If a record is at fault.
    """
    _, first = _beginning(path)
    if first is None:
        return
    with open_text(path, SignalFileError) as file:
        for line in content_lines(file, path.name):
            if record := _columns(line, layout, first):
                yield _parsed(line, record, layout)


def _columns(line: Line, layout: BedLayout, first: Line) -> dict[str, str]:
    """Returns what is needed of a line, by name; nothing of one without a record.

    Raises:
        SignalFileError: If it has too few columns, or too many.
    """
    text = line.text.split("#")[0] if layout.is_bedgraph else line.text
    if not text.strip():
        return {}
    if _WIGGLE.match(text):
        raise SignalFileError(
            f"Expected BED-like records in {line.where}. Received: a wiggle file, "
            f"{text.strip()!r}. Convert it: wigToBigWig {line.file_name} CHROM.SIZES NAME.bigWig."
        )
    by_tabs = "\t" in first.text and not layout.is_bedgraph
    fields = text.split("\t" if by_tabs else None)
    columns = layout.columns
    has_more = any(map(str.strip, fields[layout.max_columns :]))
    if has_more or len(fields) <= max(columns):
        parted = "tabs, as in the first record" if by_tabs else "white space"
        expected = f"least {max(columns) + 1} columns, with {', '.join(columns.values())}"
        remedy = ""
        if has_more:
            expected = f"most {layout.max_columns} columns"
            remedy = " Is it gappedPeak, BEDPE or BED12? Write the columns of the file's type."
        raise SignalFileError(
            f"Expected at {expected}, parted by {parted}, in {line.where}. "
            f"Received: {len(fields)}, {text.rstrip()[:80]!r}.{remedy}"
        )
    return {name: fields[column].strip() for column, name in columns.items()}


def _open(path: Path) -> io.BufferedReader:
    return open_bytes(path, SignalFileError, _MAX_LINE_BYTES)


def _beginning(path: Path) -> tuple[int, Line | None]:
    """Returns how many bytes precede the first record, and its line."""
    num_bytes = 0
    # In this encoding a character is a byte.
    with _open(path) as file, io.TextIOWrapper(file, "latin-1", newline="") as lines:
        for number, line in enumerate(lines, start=1):
            text = line if num_bytes else line.removeprefix(_BYTE_ORDER_MARK)
            if text.strip() and not COMMENT.match(text):
                return num_bytes, Line(path.name, number, text)
            num_bytes += len(line)
    return 0, None


def _tables(
    path: Path, layout: BedLayout, num_header_bytes: int, first: Line
) -> Iterator[pd.DataFrame | None]:
    """Yields chunks of the file, and None at the end where the parser gives up."""
    types: Any = {0: "category", 1: np.int64, 2: np.int64}
    types |= {layout.strand_column: "category", layout.value_column: np.float64}
    columns = list(layout.columns)
    try:
        with _open(path) as file:
            for start in range(0, num_header_bytes, _MAX_LINE_BYTES):
                file.read(min(_MAX_LINE_BYTES, num_header_bytes - start))
            # A number that is too large is not the one that it becomes, which is refused.
            with (
                np.errstate(invalid="ignore"),
                pd.read_csv(
                    file,
                    sep="\t" if "\t" in first.text else r"\s+",
                    header=None,
                    usecols=columns,
                    dtype={column: types[column] for column in columns},
                    comment="#" if layout.is_bedgraph else None,
                    quoting=csv.QUOTE_NONE,
                    na_filter=False,
                    chunksize=_CHUNK_ROWS,
                ) as tables,
            ):
                yield from tables
    except SignalFileError:
        raise
    except (ValueError, OverflowError):
        yield None


def _intervals(table: pd.DataFrame, layout: BedLayout) -> Intervals | None:
    """Returns a table's records, or None if any asks for a closer look."""
    chrom, start, end = table[0].cat, table[1].to_numpy(), table[2].to_numpy()
    # Where all chromosomes of a chunk are numbers, pandas takes them for such.
    names = list(map(str, chrom.categories))
    is_reverse = value = None
    checks = [start >= 0, start < end, end < MAX_BP]
    if layout.strand_column is not None:
        strand = table[layout.strand_column]
        is_reverse = (strand == "-").to_numpy()
        checks.append(is_reverse | (strand == "+").to_numpy())
    if layout.value_column is not None:
        value = table[layout.value_column].to_numpy()
        checks.append((value <= _MAX_VALUE) & ((value >= 0) | _is_unassigned(value, layout)))
    is_odd = chrom.categories.dtype.kind == "f"  # "1.10" would be "1.1".
    is_odd |= any(COMMENT.match(name) or name.split() != [name] for name in names)
    if is_odd or not all(check.all() for check in checks):
        return None
    return _assigned(Intervals(names, chrom.codes.to_numpy(), start, end, is_reverse, value))


def _is_unassigned(value: Any, layout: BedLayout) -> Any:
    return (value == UNASSIGNED) & (not layout.is_bedgraph)


def _assigned(intervals: Intervals) -> Intervals:
    """Leaves out the records whose value is not assigned."""
    if intervals.value is None or not (intervals.value < 0).any():
        return intervals
    is_assigned = intervals.value >= 0
    return Intervals(
        intervals.names,
        intervals.code[is_assigned],
        intervals.start[is_assigned],
        intervals.end[is_assigned],
        value=intervals.value[is_assigned],
        left_out={"signalValue -1, which is none": int(np.count_nonzero(~is_assigned))},
    )


def _by_record(records: Iterable[Record], layout: BedLayout) -> Iterator[Intervals]:
    records = iter(records)
    while some := list(itertools.islice(records, _CHUNK_ROWS)):
        _, chrom, start, end, strand, value = zip(*some, strict=True)
        names = list(dict.fromkeys(chrom))
        place = {name: index for index, name in enumerate(names)}
        yield _assigned(
            Intervals(
                names,
                np.array([place[name] for name in chrom]),
                np.array(start, np.int64),
                np.array(end, np.int64),
                None if layout.strand_column is None else np.array(strand) == "-",
                None if layout.value_column is None else np.array(value, np.float64),
            )
        )


def _parsed(line: Line, record: dict[str, str], layout: BedLayout) -> Record:
    """Returns what a record says.

    Raises:
        SignalFileError: If it is at fault.
    """
    start, end = _number(record["start"]), _number(record["end"])
    strand, value = record.get("strand", "+"), _number(record.get("value", "0"))
    received = f"start={record['start']!r}, end={record['end']!r}"
    where = f"in {line.where}"
    if not (start.is_integer() and end.is_integer()):
        raise SignalFileError(
            f"Expected start and end to be whole numbers {where}. Received: {received}. Begin a "
            "header line with #."
        )
    if not 0 <= start < end < MAX_BP:
        raise SignalFileError(
            f"Expected 0 <= start < end < {MAX_BP} {where}. Received: {received}."
        )
    if strand not in ("+", "-"):
        raise SignalFileError(f"Expected strand '+' or '-' {where}. Received: strand={strand!r}.")
    if not (0 <= value <= _MAX_VALUE or _is_unassigned(value, layout)):
        remedy = NOT_NEGATIVE if value < 0 else "Leave out what has no data."
        if "," in record["value"]:
            remedy = "Write numbers with a decimal point."
        raise SignalFileError(
            f"Expected a number of at least 0 as value {where}. Received: "
            f"value={record['value']!r}. {remedy}"
        )
    return Record(line.number, record["chrom"], int(start), int(end), strand, value)


def _number(text: str) -> float:
    """Returns the number that a text is, in whichever notation; not a number if it is none."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan
