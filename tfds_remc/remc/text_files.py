"""Text files, plain or gzipped: their lines, and the rows of tables."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from .errors import InputError
from .file_types import is_gzip

_DELIMITERS = "\t,;"
COMMENT = re.compile(r"#|(track|browser)(\s|$)|sep=")
"""How a line begins that is none of a file's records."""

_NO_TEXT = {
    b"\xff\xfe": "UTF-16 text. Save it as UTF-8",
    b"\xfe\xff": "UTF-16 text. Save it as UTF-8",
    b"PK\x03\x04": "an Excel workbook or another zip archive. Save its sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an Excel workbook. Save its sheet as CSV",
    b"BZh": "packed by bzip2. Unpack it",
    b"\xfd7zXZ": "packed by xz. Unpack it",
    b"\x28\xb5\x2f\xfd": "packed by zstd. Unpack it",
}
"""What a file is that begins with these bytes, and what to do about it."""


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Reads what is no UTF-8 as Windows has it, of which Latin-1 is the part with the letters."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("windows-1252", _as_windows_1252)


class Line(NamedTuple):
    """A line of a file, without its end."""

    file_name: str
    number: int
    text: str

    @property
    def where(self) -> str:
        """The line's place, for an error."""
        return f"{self.file_name}, line {self.number}"


class Row(NamedTuple):
    """A line of a table, and its fields without the space around them."""

    line: Line
    fields: list[str]


@contextlib.contextmanager
def open_text(path: Path, error: type[InputError]) -> Iterator[TextIO]:
    """Opens a text file, plain or gzipped by its content, with or without a byte-order mark.

    It is UTF-8; bytes that are none are read as Windows-1252, of which Latin-1 is a part. A line
    ends as on Unix, on Windows or on the first Macs.

    Raises:
        InputError: As an `error`, if the file is no text, or turns out to be a damaged gzip while
            it is read.
    """
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as content:
            head = content.peek(4096)[:4096]
            is_binary = b"\0" in head and "binary"
            if fault := next((w for m, w in _NO_TEXT.items() if head.startswith(m)), is_binary):
                raise error(f"Expected a text file. Received: {path.name}, {fault}.")
            with io.TextIOWrapper(content, "utf-8-sig", errors="windows-1252") as lines:
                yield lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
        raise error(
            f"Expected a complete gzipped file. Received: {path.name} ({fault}). Fetch it again."
        ) from fault


def content_lines(file: Iterable[str], file_name: str, error: type[InputError]) -> Iterator[Line]:
    """Yields the lines of a file without comments, blank lines and GFF3's sequences.

    UCSC's lines about its browser and tracks are comments, too, and Excel's about the delimiter.

    Raises:
        InputError: As an `error`, if a line has a NUL byte, as damaged files do.
    """
    for number, text in enumerate(file, start=1):
        if text.startswith("##FASTA"):
            return
        if COMMENT.match(text) or text.isspace():
            continue
        if "\0" in text:
            raise error(
                f"Expected text in {file_name}, line {number}. Received: a NUL byte. Is the file "
                "damaged? Fetch or write it again."
            )
        yield Line(file_name, number, text.rstrip("\n"))


def read_rows(lines: Iterable[Line], error: type[InputError]) -> Iterator[Row]:
    """Yields the rows of a table, its header first; a row without content is passed over.

    Between the fields are tabs, commas or semicolons: the first of these that the header has. Each
    line is a row, so that no quote swallows the next gene. In a table with tabs, where a
    description may begin with a quote, only a field that is quoted as a whole loses its quotes. In
    the others a quote that opens a field is closed in the same line.

    Raises:
        InputError: As an `error`, if the header has no such delimiter but spaces, or a quote is not
            closed in its line.
    """
    lines = iter(lines)
    top = list(itertools.islice(lines, 2))
    delimiter, width = _delimiter(top, error), 0
    for line in itertools.chain(top, lines):
        fields = [field.strip() for field in _split(line, delimiter, width, error)]
        if any(fields):
            width = width or len(fields)
            yield Row(line, fields)


def _delimiter(top: Sequence[Line], error: type[InputError]) -> str:
    """What is between the fields, by the first two lines: R's header may name one column only."""
    for line in top:
        if found := next((delimiter for delimiter in _DELIMITERS if delimiter in line.text), ""):
            return found
    if top and " " in top[0].text.strip():
        raise error(
            f"Expected tabs, commas or semicolons between the fields in {top[0].where}. "
            f"Received: {top[0].text[:200]!r}. Save the table with one of them."
        )
    return ","


def _split(line: Line, delimiter: str, width: int, error: type[InputError]) -> list[str]:
    """The fields of a line; `width` is the number of the header's, 0 if this is the header."""
    if '"' not in line.text:
        return line.text.split(delimiter)
    reader = csv.reader([line.text], delimiter=delimiter, skipinitialspace=True, strict=True)
    if delimiter != "\t":
        try:
            return next(reader)
        except csv.Error as fault:
            raise error(
                f"Expected a quote that opens a field of {line.where} to be closed before the "
                f"line's end. Received: {line.text[:200]!r} ({fault}). Remove the quote, or the "
                "line break inside the field."
            ) from None
    fields = line.text.split("\t")
    if width and len(fields) != width:
        with contextlib.suppress(csv.Error):
            quoted = next(reader)
            # R leaves the first column out of the header.
            if len(quoted) == width or len(fields) != width + 1 == len(quoted):
                return quoted
    return [unquoted(field) for field in fields]


def unquoted(field: str) -> str:
    """Returns a field without its quotes if it is quoted as a whole, with quotes in it doubled."""
    inner = field.strip()[1:-1]
    is_quoted = field.strip() == f'"{inner}"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if is_quoted else field
