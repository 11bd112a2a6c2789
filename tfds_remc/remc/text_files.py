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
from typing import Any, NamedTuple, TextIO, cast

from .errors import InputError
from .file_types import is_gzip

_DELIMITERS = "\t,;"
MAX_LINE_BYTES = 2**24
"""Of a table, which may have a column for each of a hundred thousand samples."""

_BLOCK_BYTES = 2**17
# Deflate makes at most a thousandth of what it packs; of text, a two-hundredth at best.
_MAX_UNPACKED, _MIN_BOMB_BYTES = 500, 2**22
_MAX_EMPTY_LINES = 1_000_000
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


def open_bytes(
    path: Path, error: type[InputError], max_line_bytes: int = MAX_LINE_BYTES
) -> io.BufferedReader:
    """Opens a text file, plain or gzipped by its content, to read it once.

    What cannot be text is refused while it is read, before it takes memory.

    Args:
        path: The file.
        error: What is raised.
        max_line_bytes: More than that is no line.

    Raises:
        InputError: As an `error` and while it is read, if the file is no text, has a NUL byte or a
            line without end, is a damaged gzip, or one that unpacks to far more than a text does.
    """
    reader: Any = io.BufferedReader(_Text(path, error, max_line_bytes), _BLOCK_BYTES)
    return cast(io.BufferedReader, reader)


class _Text(io.RawIOBase):
    """The bytes of a text file, unpacked; see `open_bytes`."""

    def __init__(self, path: Path, error: type[InputError], max_line_bytes: int) -> None:
        self._file = _unpacked(path)
        self._path, self._error, self._max_line_bytes = path, error, max_line_bytes
        self._most_bytes = max(_MIN_BOMB_BYTES, _MAX_UNPACKED * path.stat().st_size)
        self._num_bytes = self._line_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        room = memoryview(buffer).cast("B")
        try:
            content = self._file.read1(len(room))
        except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
            raise self._error(
                f"Expected a complete gzip file. Received: {self._path.name}, truncated or damaged "
                f"({fault}). Fetch it again."
            ) from fault
        if not self._num_bytes:
            self._require_text(content[:4096])
        if (nul := content.find(b"\0")) >= 0:
            raise self._error(
                f"Expected text in {self._path.name}, line {self._line(nul)}. Received: a NUL "
                "byte. Is the file damaged? Fetch or write it again."
            )
        self._num_bytes += len(content)
        end = content.rfind(b"\n")
        rest = len(content) - 1 - (end if end >= 0 else content.rfind(b"\r"))
        self._line_bytes = rest + (self._line_bytes if rest == len(content) else 0)
        self._require_bounds()
        room[: len(content)] = content
        return len(content)

    def _require_text(self, head: bytes) -> None:
        is_binary = b"\0" in head and "binary"
        if fault := next((w for m, w in _NO_TEXT.items() if head.startswith(m)), is_binary):
            raise self._error(f"Expected a text file. Received: {self._path.name}, {fault}.")

    def _require_bounds(self) -> None:
        if self._line_bytes > self._max_line_bytes:
            raise self._error(
                f"Expected lines of at most {self._max_line_bytes:,} bytes in {self._path.name}. "
                f"Received: more in line {self._line(-self._line_bytes)}. Is it the right file, "
                "and complete?"
            )
        if self._num_bytes > self._most_bytes:
            raise self._error(
                f"Expected a gzipped text. Received: {self._path.name}, which unpacks to over "
                f"{_MAX_UNPACKED} times its size, as no text does. Fetch or write it again."
            )

    def _line(self, further: int) -> int:
        """The number of the line so many bytes further, counted when it is asked for."""
        number, num_bytes = 1, self._num_bytes + further
        with _unpacked(self._path) as file:
            while content := file.read(min(num_bytes, _BLOCK_BYTES)):
                number += content.count(b"\n") or content.count(b"\r")
                num_bytes -= len(content)
        return number

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(path: Path) -> Any:
    return (gzip.open if is_gzip(path) else open)(path, "rb")


@contextlib.contextmanager
def open_text(path: Path, error: type[InputError]) -> Iterator[TextIO]:
    """Opens a text file, plain or gzipped by its content, with or without a byte-order mark.

    It is UTF-8; bytes that are none are read as Windows-1252, of which Latin-1 is a part. A line
    ends as on Unix, on Windows or on the first Macs.

    Raises:
        InputError: As an `error`, also while the file is read; see `open_bytes`.
    """
    with (
        open_bytes(path, error) as content,
        io.TextIOWrapper(content, "utf-8-sig", errors="windows-1252") as lines,
    ):
        yield lines


def content_lines(file: Iterable[str], file_name: str) -> Iterator[Line]:
    """Yields the lines of a file without comments, blank lines and GFF3's sequences.

    UCSC's lines about its browser and tracks are comments, too, and Excel's about the delimiter.

    Raises:
        InputError: If there is nothing else in a million lines.
    """
    last = 0
    for number, text in enumerate(file, start=1):
        if text.startswith("##FASTA"):
            return
        if COMMENT.match(text) or text.isspace():
            if number - last > _MAX_EMPTY_LINES:
                raise InputError(
                    f"Expected a record in {file_name} after line {last}. Received: "
                    f"{_MAX_EMPTY_LINES:,} lines that are empty or comments. Take them out."
                )
            continue
        last = number
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
