"""Streams BED-like text, gzipped or not: tagAlign, bedGraph, narrowPeak and broadPeak."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import numpy as np
import pandas as pd

from .binning import MAX_BP, Intervals
from .file_types import SignalFileError, is_gzip, require_complete_bgzf

_HEADER_WORDS = ("#", "track", "browser")
_CHUNK_ROWS = 1 << 18


def read_bed(
    path: Path,
    *,
    strand_column: int | None = None,
    value_column: int | None = None,
    has_comments: bool = False,
) -> Iterator[Intervals]:
    """Yields the records of a BED-like file, in chunks.

    Columns are parted by tabs, or by spaces if the first record has no tab. Header lines (`#`,
    track, browser) before the first record are passed over.

    Args:
        path: The file; gzip is told by its content.
        strand_column: Place of the strand, where it is needed.
        value_column: Place of the value, where it is needed.
        has_comments: Whether `#` opens a comment between records too.

    Raises:
        SignalFileError: If the file is truncated, or a record is at fault; then it names the line.
    """
    columns = {0: "chrom", 1: "start", 2: "end"}
    dtypes: Any = {0: "category", 1: np.int64, 2: np.int64}
    if strand_column is not None:
        columns[strand_column], dtypes[strand_column] = "strand", "category"
    if value_column is not None:
        columns[value_column], dtypes[value_column] = "value", np.float64
    try:
        require_complete_bgzf(path)
        num_header_lines, separator = _layout(path)
        if separator is None:
            return
        with (
            _open(path) as file,
            pd.read_csv(
                file,
                sep=separator,
                header=None,
                usecols=list(columns),
                dtype=dtypes,
                skiprows=num_header_lines,
                comment="#" if has_comments else None,
                quoting=csv.QUOTE_NONE,
                na_filter=False,
                chunksize=_CHUNK_ROWS,
            ) as tables,
        ):
            for table in tables:
                intervals = _intervals(table, strand_column, value_column)
                if intervals is None:
                    _raise_first_fault(path, columns, separator, has_comments)
                yield intervals
    except SignalFileError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SignalFileError(
            f"Expected a complete gzip file. Received: {path.name}, truncated or damaged "
            f"({error}). Fetch it again."
        ) from error
    except (ValueError, OverflowError) as error:
        _raise_first_fault(path, columns, separator, has_comments, str(error))


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path) if is_gzip(path) else path.open("rb"))


def _layout(path: Path) -> tuple[int, str | None]:
    """Returns how many lines precede the first record, and what parts its columns."""
    with _open(path) as file:
        for number, line in enumerate(file):
            text = line.decode(errors="replace")
            if text.strip() and not text.startswith(_HEADER_WORDS):
                return number, "\t" if "\t" in text else r"\s+"
    return 0, None


def _intervals(
    table: pd.DataFrame, strand_column: int | None, value_column: int | None
) -> Intervals | None:
    """Returns a table's records, or None if any is at fault."""
    chrom, start, end = table[0].cat, table[1].to_numpy(), table[2].to_numpy()
    names = chrom.categories.tolist()
    is_reverse = value = None
    checks = [start >= 0, start < end, end < MAX_BP]
    if strand_column is not None:
        strand = table[strand_column]
        is_reverse = (strand == "-").to_numpy()
        checks.append(is_reverse | (strand == "+").to_numpy())
    if value_column is not None:
        value = table[value_column].to_numpy()
        checks.append(np.isfinite(value))
    has_header = any(name.startswith(_HEADER_WORDS) for name in names)
    if has_header or not all(check.all() for check in checks):
        return None
    return Intervals(names, chrom.codes.to_numpy(), start, end, is_reverse, value)


def _raise_first_fault(
    path: Path,
    columns: dict[int, str],
    separator: str | None,
    has_comments: bool,
    suspicion: str = "records that fail the checks",
) -> NoReturn:
    """Looks for the line at fault, which the fast parser does not tell."""
    num_columns = max(columns) + 1
    is_in_header = True
    with _open(path) as file:
        for number, line in enumerate(file, start=1):
            text = line.decode(errors="replace").rstrip("\r\n")
            is_comment = has_comments and text.startswith("#")
            if not text.strip() or is_comment or (is_in_header and text.startswith(_HEADER_WORDS)):
                continue
            is_in_header = False
            fields = text.split("\t" if separator == "\t" else None)
            where = f"in {path.name}, line {number}"
            if len(fields) < num_columns:
                raise SignalFileError(
                    f"Expected at least {num_columns} columns, with {', '.join(columns.values())}, "
                    f"{where}. Received: {len(fields)}, {text[:80]!r}."
                )
            record = {name: fields[column] for column, name in columns.items()}
            if fault := _fault(record):
                raise SignalFileError(f"Expected {fault[0]} {where}. Received: {fault[1]}.")
    raise SignalFileError(f"Expected BED-like records in {path.name}. Received: {suspicion}.")


def _fault(record: dict[str, str]) -> tuple[str, str] | None:
    """Returns what was expected of a record and what was received, or None if it is sound."""
    if record["chrom"].startswith(_HEADER_WORDS):
        return "no header after the first record", repr(record["chrom"])
    received = f"start={record['start']!r}, end={record['end']!r}"
    try:
        start, end = int(record["start"]), int(record["end"])
    except ValueError:
        return "start and end to be whole numbers", received
    if not 0 <= start < end < MAX_BP:
        return f"0 <= start < end < {MAX_BP}", received
    if record.get("strand", "+") not in ("+", "-"):
        return "strand '+' or '-'", f"strand={record['strand']!r}"
    try:
        is_number = math.isfinite(float(record.get("value", "0")))
    except ValueError:
        is_number = False
    return None if is_number else ("a number as value", f"value={record['value']!r}")
