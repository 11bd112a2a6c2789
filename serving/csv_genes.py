"""Genes of a CSV file in the published layout, as people's programs really write it.

A row a bin, the bins of a gene together and in order. Columns: gene id, bin (from 1), a read count
or depth for each mark, and, in the published files, the label, which is not read.

The published files are separated by commas and have no heading. What a spreadsheet makes of them is
understood where it can mean one thing only: a heading that names the marks, semicolons or tabs,
decimal commas between these, quotation marks, a byte order mark, any end of line, empty rows,
packed files. What could mean two things is refused, and named.
"""

import bz2
import csv
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, TextIO, cast

import numpy as np

from serving.errors import InputError
from serving.genes import CHUNK_GENES, Genes, check_distinct, plain_mark

# Order of the columns of the published CSV files.
CSV_MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")

# What a column that is not read may be called.
_LABELS = {"label", "class", "target", "expression", "geneexp", "high", "y", "rpkm"}
_MOST_CHARACTERS = 100
_LONGEST_LINE = 2**20
# Deflate makes at most a thousandth of what it packs; of text, a two-hundredth at best.
_MOST_UNPACKED, _MIN_BOMB_CHARACTERS = 500, 2**22
_MOST_EMPTY_LINES = 1_000_000
_MOST_BINS = 100_000
_MISSING = {"", "na", "n/a", "nan", "null", "none", ".", "-"}
_PACKED = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_ZIP, _UTF_16 = b"PK", (b"\xff\xfe", b"\xfe\xff")

# A row, with the number of its line.
_Row = tuple[int, list[str]]


def iter_csv(
    path: str | Path,
    num_bins: int | None = None,
    marks: Sequence[str] | None = None,
    chunk_genes: int = CHUNK_GENES,
) -> Iterator[Genes]:
    """Read genes from a CSV file.

    Args:
        path: The file; may be packed by gzip, bzip2, xz or zip.
        num_bins: Number of bins that a gene must have; by default as many as the first has.
        marks: Names of the marks, in the order of the columns; by default what the heading says,
            or without one those of the published files.
        chunk_genes: Most genes at a time.

    Raises:
        InputError: At the first fault, with the line and the gene; if the file cannot be read.
    """
    try:
        with _open_text(Path(path)) as text:
            lines = _bounded(text, Path(path))
            yield from iter_lines(lines, str(path), num_bins, marks, chunk_genes)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"Expected a CSV file in the published layout. Received: {path} ({reason})"
        ) from error
    except UnicodeError as error:
        raise InputError(
            f"Expected a CSV file as text in UTF-8. Received: {path}, which is none. Save it as "
            "CSV UTF-8"
        ) from error


def iter_lines(
    lines: Iterable[str],
    name: str,
    num_bins: int | None = None,
    marks: Sequence[str] | None = None,
    chunk_genes: int = CHUNK_GENES,
    default_marks: Sequence[str] = CSV_MARKS,
) -> Iterator[Genes]:
    """Read genes from lines of CSV text, which messages call by a name, as `iter_csv` does.

    Without a heading, and where nobody names the marks, they are `default_marks`.

    Raises:
        InputError: At the first fault, with the line and the gene.
    """
    rows, separator = _rows(iter(lines), name)
    first = next(rows, None)
    if first is None:
        raise InputError(f"Expected genes as CSV. Received: {name}, which is empty")
    if marks is not None:
        check_distinct(marks)
    has_label = None
    if _is_heading(first[1]):
        marks, has_label = _read_heading(first, marks, name)
        first = next(rows, None)
        if first is None:
            raise InputError(f"Expected genes. Received: {name}, which has a heading alone")
    reader = _Reader(name, tuple(marks or default_marks), separator, has_label)
    reader.check_width(first)
    rows = chain((first,), rows)
    inferred_of = ""
    if num_bins is None:
        inferred_of = first[1][0].strip()
        if _whole(first[1][1]) != 1:
            raise InputError(
                f"Expected the bins of a gene in order, from 1. Received: {name}, line {first[0]}: "
                f"gene {_cut(inferred_of)}, bin={_cut(first[1][1])}"
            )
        of_first, rows = _first_gene(rows, name)
        num_bins = len(of_first)
        rows = chain(of_first, rows)
    while (chunk := reader.columns(islice(rows, chunk_genes * num_bins)))[0]:
        yield reader.genes(*chunk, num_bins, inferred_of)


@contextmanager
def _open_text(path: Path) -> Iterator[TextIO]:
    with path.open("rb") as file:
        start = file.read(2)
    if start == _ZIP:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.namelist() if not m.endswith("/")]
            if len(members) != 1:
                kind = "a spreadsheet" if "[Content_Types].xml" in members else "an archive"
                raise InputError(
                    f"Expected a CSV file. Received: {path}, {kind} of {len(members)} files. "
                    "Save the table as CSV"
                )
            with archive.open(members[0]) as inner, _text(inner) as text:
                yield text
        return
    open_: Any = _PACKED.get(start, open)
    with open_(path, "rb") as file, _text(file) as text:
        yield text


def _text(file: IO[bytes]) -> TextIO:
    """Text in UTF-8, or as its byte order mark says; every end of a line is one."""
    buffered = io.BufferedReader(cast(io.RawIOBase, file))  # what is packed reads alike
    return io.TextIOWrapper(buffered, encoding=encoding_of(buffered.peek(2)))


def _bounded(text: TextIO, path: Path) -> Iterator[str]:
    """The lines of a text, of which none takes all memory, nor a small file unpacks to all time.

    Raises:
        InputError: If one would.
    """
    left = max(_MIN_BOMB_CHARACTERS, _MOST_UNPACKED * path.stat().st_size)
    last = 0
    for number, line in enumerate(iter(partial(text.readline, _LONGEST_LINE + 1), ""), start=1):
        left -= len(line)
        if len(line) > _LONGEST_LINE:
            raise InputError(
                f"Expected lines of at most {_LONGEST_LINE:,} characters. Received: {path}, line "
                f"{number}: a longer one. Write a row a bin"
            )
        if not line.isspace() and line[0] != "#":
            last = number
        elif number - last > _MOST_EMPTY_LINES:
            raise InputError(
                f"Expected a row in {path} after line {last}. Received: {_MOST_EMPTY_LINES:,} "
                "lines that are empty or remarks. Take them out"
            )
        if left < 0:
            raise InputError(
                f"Expected a packed CSV file. Received: {path}, which unpacks to over "
                f"{_MOST_UNPACKED} times its size, as no text does. Write it again"
            )
        yield line


def encoding_of(content: bytes) -> str:
    """The encoding of a text: UTF-8, or UTF-16 where its byte order mark says so."""
    return "utf-16" if content[:2] in _UTF_16 else "utf-8-sig"


def _rows(lines: Iterator[str], name: str) -> tuple[Iterator[_Row], str]:
    """The rows that hold anything, and what separates their fields."""
    numbered = enumerate(lines, start=1)
    # Without remarks before the table; a heading may start with # too.
    number, first = next(
        (
            (number, line)
            for number, line in numbered
            if line.strip() and not (line.startswith("#") and _separator(line) is None)
        ),
        (0, ""),
    )
    if not number:
        return iter(()), ","
    declared = re.fullmatch(r'"?sep=(.)"?\s*', first)  # as Excel writes it
    if declared:
        number, first = number + 1, next(lines, "")
    separator = declared[1] if declared else _separator(first)
    if separator is None:
        raise InputError(
            "Expected columns separated by commas, semicolons or tabs. Received: "
            f"{name}, line {number}: {_cut(first.strip())}"
        )
    return _numbered(chain((first,), lines), number, separator, name), separator


def _numbered(lines: Iterable[str], first_number: int, separator: str, name: str) -> Iterator[_Row]:
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    before = 0
    try:
        for row in reader:
            if reader.line_num > before + 1:
                raise csv.Error("a field that runs over several lines")
            before = reader.line_num
            # All of a row only where its first field does not tell.
            if (row and row[0].strip()) or any(map(str.strip, row)):
                yield first_number - 1 + before, row
    except csv.Error as error:
        reason = str(error).replace("field larger than field limit", "a field of more characters")
        raise InputError(
            f"Expected CSV text. Received: {name}, line {first_number + before}: {reason}. Are "
            "its quotation marks closed?"
        ) from None


def _separator(line: str) -> str | None:
    """What separates the fields: commas may be decimal ones, the others may be nothing else."""
    bare = re.sub(r'"[^"]*"', "", line)
    for mark, fewest in (("\t", 2), (";", 2), (",", 1)):
        if bare.count(mark) >= fewest:
            return mark
    return None


def _is_heading(row: Sequence[str]) -> bool:
    return not any(map(_is_number, row[1:]))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _read_heading(
    heading: _Row, given: Sequence[str] | None, name: str
) -> tuple[Sequence[str], bool]:
    """The marks that a heading names, or those given if it names none; whether a label follows."""
    number, row = heading
    while row and not row[-1].strip():
        row = row[:-1]
    named = [text.strip() for text in row[2:]]
    if not row or not row[0].strip("# \t"):
        raise InputError(
            f"Expected the gene id in the first column. Received: {name}, line {number}: a heading "
            "without a name for it. Leave the column of row numbers out (index=False)"
        )
    if not named:
        raise InputError(
            f"Expected columns gene id, bin and one for each mark. Received: {name}, line "
            f"{number}: {_cut(', '.join(row))}"
        )
    has_label = plain_mark(named[-1]) in _LABELS
    if has_label:
        named.pop()
    if given is None:
        check_distinct(named)
        return named, has_label
    wanted, found = [plain_mark(m) for m in given], [plain_mark(m) for m in named]
    if found[: len(wanted)] != wanted and set(found) & set(wanted):
        raise InputError(
            f"Expected the marks of the heading, {', '.join(named)} ({name}, line {number}). "
            f"Received: marks={', '.join(given)}. Leave them out: the heading says them"
        )
    return given, has_label or len(found) > len(wanted)


def _first_gene(rows: Iterator[_Row], name: str) -> tuple[list[_Row], Iterator[_Row]]:
    """The rows of the first gene, whose bins rise, and the rows after them."""
    found: list[_Row] = []
    for number, row in rows:
        if found and (
            row[0] != found[0][1][0] or _whole("".join(row[1:2])) <= _whole(found[-1][1][1])
        ):
            return found, chain(((number, row),), rows)
        if len(found) == _MOST_BINS:
            raise InputError(
                f"Expected at most {_MOST_BINS:,} bins a gene. Received: {name}, line {number}: "
                f"gene {_cut(row[0])}, bin={_cut(row[1])}"
            )
        found.append((number, row))
    return found, iter(())


def _whole(text: str) -> float:
    return float(text) if _is_number(text) and "," not in text else 0


@dataclass
class _Reader:
    """What is known of a file's columns.

    Attributes:
        name: What messages call it.
        marks: Names of the columns from the third.
        separator: What separates the columns.
        has_label: Whether a label follows the marks; None where no heading says so.
        decimal: What numbers were seen to have before their decimals, a point or a comma.
    """

    name: str
    marks: tuple[str, ...]
    separator: str
    has_label: bool | None = None
    decimal: str = ""

    @property
    def widths(self) -> Sequence[int]:
        """How many columns there may be."""
        width = 2 + len(self.marks)
        return {None: (width, width + 1), True: (width + 1,), False: (width,)}[self.has_label]

    def check_width(self, numbered: _Row) -> None:
        """Refuse a row without a column for each mark, or with more than a label beyond them."""
        number, row = numbered
        fewest, most = self.widths[0], self.widths[-1]
        if len(row) < fewest or any(map(str.strip, row[most:])):
            label = {None: ", or one more with the label", True: " and the label", False: ""}
            raise InputError(
                f"Expected {fewest} columns (gene id, bin, {', '.join(self.marks)}"
                f"{label[self.has_label]}). Received: {self.name}, line {number}: {len(row)} "
                "columns. Name the marks of other columns with --marks, or in a heading"
            )

    def columns(self, rows: Iterable[_Row]) -> tuple[list[int], list[list[str]]]:
        """The rows' lines, and their columns, of which that of labels may be empty."""
        width = self.widths[-1]
        lines: list[int] = []
        # A list of all, not one a row, of which Python's garbage collector would look at each.
        fields: list[str] = []
        for number, row in rows:
            if len(row) != width:
                self.check_width((number, row))
                row = [*row, ""][:width]
            lines.append(number)
            fields += row
        return lines, [fields[i::width] for i in range(width)]

    def genes(
        self, lines: Sequence[int], columns: list[list[str]], num_bins: int, inferred_of: str
    ) -> Genes:
        """The genes of such columns, all of them complete."""
        gene_id, bins, *columns = columns
        columns, labels = columns[: len(self.marks)], columns[len(self.marks) :]
        ids = np.array(gene_id, object)
        self._check_bins(lines, ids, bins, num_bins, inferred_of)
        with_points = self._with_points(lines, columns)
        values = np.stack([_to_numbers(column) for column in with_points], axis=-1)
        with np.errstate(over="ignore"):  # what overflows is infinite, which is refused
            values = values.astype(np.float32)
        faults = np.argwhere(~(np.isfinite(values) & (values >= 0)))
        if len(faults):
            row, mark = faults[0]
            raise InputError(
                "Expected a read count or depth, a number that is not negative. Received: "
                f"{self.name}, line {lines[row]}, gene {ids[row]}: {self.marks[mark]}="
                f"{_cut(columns[mark][row])!r}, column {mark + 3}{self._hint(columns[mark][row])}"
            )
        for column in labels:
            self._check_labels(lines, ids, np.array([*map(str.strip, column)], object), num_bins)
        signal = values.reshape(-1, num_bins, len(self.marks))
        names = np.array([gene.strip() for gene in ids[::num_bins]])
        return Genes(names, signal, self.marks)

    def _check_bins(
        self,
        lines: Sequence[int],
        ids: np.ndarray,
        bins: Sequence[str],
        num_bins: int,
        inferred_of: str,
    ) -> None:
        if len(longest := max(ids, key=len)) > _MOST_CHARACTERS:
            raise InputError(
                f"Expected gene ids of at most {_MOST_CHARACTERS} characters. Received: "
                f"{self.name}, line {lines[int(np.argmax(ids == longest))]}: {_cut(longest)}. Are "
                "the columns separated, and quotation marks closed?"
            )
        if damaged := next((gene for gene in dict.fromkeys(ids) if "\0" in gene), ""):
            raise InputError(
                f"Expected gene ids as text. Received: {self.name}, line "
                f"{lines[int(np.argmax(ids == damaged))]}: {_cut(damaged)}, with a NUL byte. Is "
                "the file damaged? Write it again"
            )
        rows = np.arange(len(ids))
        first = rows - rows % num_bins
        expected = rows % num_bins + 1
        # As they mostly are; 1.0 is as good as 1.
        right = np.array(bins, object) == expected.astype(str).astype(object)
        if not right.all():
            right |= _to_numbers(bins) == expected
        faults = np.flatnonzero(~right | (ids != ids[first]) | (ids == ""))
        as_many = f" (as many as the first, {inferred_of})" if inferred_of else ""
        if len(faults):
            row = faults[0]
            raise InputError(
                f"Expected bin {expected[row]} of gene {_cut(ids[first[row]])}, {num_bins} bins a "
                f"gene{as_many}. Received: {self.name}, line {lines[row]}: gene "
                f"{_cut(ids[row])}, bin={_cut(bins[row])}"
            )
        if len(ids) % num_bins:
            raise InputError(
                f"Expected {num_bins} bins a gene{as_many}. Received: {self.name}, line "
                f"{lines[-1]}: the file ends at bin {bins[-1]} of gene {ids[-1]}"
            )

    def _check_labels(
        self, lines: Sequence[int], ids: np.ndarray, labels: np.ndarray, num_bins: int
    ) -> None:
        """A label is not read, but a column too many may come of a decimal comma in each row."""
        rows = np.arange(len(labels))
        odd = labels != labels[rows - rows % num_bins]
        if self.has_label is None:
            odd |= np.isin(labels, [text for text in set(labels) if not _is_label(text)])
        if odd.any():
            row = int(np.argmax(odd))
            raise InputError(
                "Expected a label after the marks, 0 or 1, the same in all bins of a gene. "
                f"Received: {self.name}, line {lines[row]}, gene {_cut(ids[row])}: "
                f"{_cut(labels[row])!r}, column {3 + len(self.marks)}. Write decimals with a "
                "point, and name the marks of other columns with --marks, or in a heading"
            )

    def _with_points(
        self, lines: Sequence[int], columns: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[str]]:
        """Numbers with decimal points. Where commas do not separate, they may be decimal ones."""
        if self.separator == ",":
            return columns
        for line, row in zip(lines, zip(*columns, strict=True), strict=True):
            for text in row:
                mark = "," if "," in text else "." if "." in text else ""
                self.decimal = self.decimal or mark
                if mark and mark != self.decimal:
                    raise InputError(
                        "Expected decimals that are written alike, since a point or a comma may "
                        f"also part thousands. Received: {self.name}, line {line}: {_cut(text)!r}, "
                        f"where a number before has a {self.decimal!r}"
                    )
        if self.decimal != ",":
            return columns
        return [[text.replace(",", ".") for text in column] for column in columns]

    def _hint(self, text: str) -> str:
        text = text.strip()
        if text.casefold() in _MISSING:
            return ". Write 0 where there are no reads"
        if text.startswith("-") and _is_number(text):
            return ". Take the fold change or -log10 p, not the log ratio"
        if "," in text:
            return ". Write decimals with a point, and thousands without a mark"
        return ""


def _is_label(text: str) -> bool:
    """Whether a text may be a label, which may be said in words or be missing."""
    return not _is_number(text) or float(text.replace(",", ".")) in (-1, 0, 1)


def _to_numbers(texts: Sequence[str]) -> np.ndarray:
    """Float64; NaN for what is no number."""
    import pandas as pd

    # Most stand there many times, and few are other ones.
    codes, uniques = pd.factorize(np.array(texts, object))
    numbers = pd.to_numeric(pd.Series(uniques, dtype=object), errors="coerce")
    return numbers.to_numpy(np.float64)[codes]


def _cut(text: str) -> str:
    """No more of a text than a message or a table has room for."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."
