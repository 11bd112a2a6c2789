"""The authors' CSV archive: one gene's 100 bins are 100 rows, three CSVs an epigenome.

Rows are `GeneID,bin,<one count a mark>,label` without a header: GeneID is the last six digits of
the Ensembl id, bins run from 1 in genome orientation, and the label stands on every row.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, NoReturn, Self, cast

import numpy as np
import pandas as pd

from .epigenomes import MARKS
from .errors import InputError, printable
from .progress import counted

SPLITS = ("train", "valid", "test")
_TAR_BLOCK_BYTES = 1 << 20
# Far more than a split of 20,000 genes takes; and than counts can be packed.
_MAX_CSV_BYTES = 1 << 28
_MAX_HEADER_BYTES = 1 << 20
_MAX_PACKED = 200
_MAX_COUNT = float(np.finfo(np.float32).max)
_FIRST_LINE = re.compile(rb"[^\r\n]*")
_INTEGER = re.compile(r"\d{1,11}", re.ASCII)  # A gene id has eleven digits.
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class PublishedFormatError(InputError):
    """Published files that are not as the authors' archive is."""


@dataclasses.dataclass(frozen=True)
class PublishedSplit:
    """The genes of one CSV, in file order; the same gene id may stand twice.

    Attributes:
        gene_id: (genes,) str, full Ensembl id.
        signal: (genes, bins, marks) float32, as published.
        label: (genes,) int64, 0 or 1, as published.
        name: Archive and member the genes were read from.
        size: Bytes of the CSV.
        md5: Of the CSV.
    """

    gene_id: np.ndarray
    signal: np.ndarray
    label: np.ndarray
    name: str
    size: int
    md5: str


def read_published(
    path: Path, folder: str, known_gene_ids: Collection[str], *, num_bins: int = 100
) -> dict[str, PublishedSplit]:
    """Reads the three CSVs of one epigenome.

    An archive is streamed once, up to the last of the three CSVs, and nothing is unpacked to disk;
    one CSV's text is in memory at a time.

    Args:
        path: The archive `data.tar.gz`, with `EID/classification/SPLIT.csv` at any depth; or the
            folder `EID` of an archive that was unpacked.
        folder: The name of the epigenome's folder, "E003".
        known_gene_ids: Full Ensembl ids of the gene table.
        num_bins: Rows a gene.

    Returns:
        The genes of train, valid and test.

    Raises:
        PublishedFormatError: If the archive is damaged or unsafe, if it lacks the epigenome, or if
            a CSV is at fault; then it names the line, the gene and the mark.
    """
    files = _read_folder(path) if path.is_dir() else _read_archive(path, folder)
    known = frozenset(known_gene_ids)
    shown = counted(files, f"reading {folder}", unit="splits", total=len(SPLITS))
    splits = {split: _parse(text, name, known, num_bins) for split, name, text in shown}
    return {split: splits[split] for split in SPLITS}


def _read_folder(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    for split in SPLITS:
        name = f"{folder.name}/classification/{split}.csv"
        try:
            yield split, name, (folder / "classification" / f"{split}.csv").read_bytes()
        except FileNotFoundError:
            raise PublishedFormatError(
                f"Expected {name} beside the other splits. Received: no such file in {folder}."
            ) from None


def _read_archive(archive: Path, folder: str) -> Iterator[tuple[str, str, bytes]]:
    wanted: dict[tuple[str, ...], str] = {
        (folder, "classification", f"{split}.csv"): split for split in SPLITS
    }
    found: set[str] = set()
    folders: set[str] = set()
    try:
        with (
            gzip.open(archive) as stream,
            tarfile.open(
                fileobj=cast(IO[bytes], _Bounded(stream, archive)),
                mode="r|",
                bufsize=_TAR_BLOCK_BYTES,
                tarinfo=_Member,
            ) as members,
        ):
            for member in members:
                parts = PurePosixPath(member.name).parts
                if fault := _fault_of(member):
                    raise PublishedFormatError(
                        f"Expected {fault[0]} in {archive.name}. Received: {member.name[:200]!r}"
                        f"{fault[1]}. Fetch the archive from its publisher."
                    )
                if len(parts) >= 3 and parts[-2] == "classification":
                    folders.add(parts[-3])
                split = wanted.get(parts[-3:])
                text = members.extractfile(member) if split else None
                if split is None or text is None:
                    continue
                if split in found:
                    raise PublishedFormatError(
                        f"Expected {'/'.join(parts[-3:])} once in {archive.name}. "
                        f"Received: it again as {member.name!r}."
                    )
                found.add(split)
                yield split, f"{archive.name}:{member.name}", text.read()
                if len(found) == len(SPLITS):
                    return
    except (InputError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # What tarfile makes of damaged headers is of many kinds.
        raise PublishedFormatError(
            f"Expected a complete gzipped tar archive. Received: {archive.name}, truncated or "
            f"damaged ({printable(error)}). Fetch it again."
        ) from error
    if found:
        raise PublishedFormatError(
            f"Expected {', '.join(SPLITS)} of {folder} in {archive.name}. "
            f"Received: only {', '.join(sorted(found))}."
        )
    raise PublishedFormatError(
        f"Expected {folder}/classification/{{train,valid,test}}.csv in {archive.name}. "
        f"Received: an archive of {', '.join(sorted(folders)) or 'no epigenome'}. "
        "Build one of those with --config, or put the unpacked folder into manual_dir."
    )


class _Member(tarfile.TarInfo):
    """A member whose long name or attributes, which tarfile keeps in memory, are not too long."""

    @classmethod
    def frombuf(cls, *args: Any, **kwargs: Any) -> Self:
        member = super().frombuf(*args, **kwargs)
        is_plain = member.isreg() or member.isdir() or member.issym() or member.islnk()
        if not (is_plain or member.isdev()) and member.size > _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {member.size:,} bytes")
        return member


class _Bounded:
    """An unpacked archive, as far as it is not out of all proportion to the packed one."""

    def __init__(self, stream: gzip.GzipFile, archive: Path) -> None:
        self._stream, self._name = stream, archive.name
        self._num_left = _MAX_CSV_BYTES + _MAX_PACKED * archive.stat().st_size

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._num_left -= len(content)
        if self._num_left < 0:
            raise PublishedFormatError(
                f"Expected at most {_MAX_PACKED} bytes for each that {self._name} has. Received: "
                "more. Fetch the archive from its publisher."
            )
        return content


def _fault_of(member: tarfile.TarInfo) -> tuple[str, str] | None:
    """What is expected of a member of an archive, and what is received instead, if anything is."""
    if ".." in PurePosixPath(member.name).parts or member.name.startswith("/"):
        return "relative paths without '..'", ""
    if member.issparse() or not (member.isreg() or member.isdir()):
        return "files and folders alone", ", a link, a device or a sparse file"
    if member.name.endswith(".csv") and member.size > _MAX_CSV_BYTES:
        return f"at most {_MAX_CSV_BYTES:,} bytes a CSV", f" of {member.size:,} bytes"
    return None


def _parse(text: bytes, name: str, known: frozenset[str], num_bins: int) -> PublishedSplit:
    """Parses a CSV at full speed, and only if anything is wrong looks for the line at fault."""
    rows = _without_empty_end(text)
    num_columns = 2 + len(MARKS) + 1
    integer_columns = (0, 1, num_columns - 1)
    column_types = dict.fromkeys(range(num_columns), np.float32) | dict.fromkeys(
        integer_columns, np.int64
    )
    first = _FIRST_LINE.match(rows)
    if first is None or first[0].count(b",") != num_columns - 1:
        # A line of a megabyte would have pandas make as many columns, for many minutes.
        _raise_first_fault(rows, name, known, num_bins, "another number of columns")
    try:
        # What overflows is not what it was, and the checks refuse it.
        with np.errstate(over="ignore", invalid="ignore"):
            table = pd.read_csv(
                io.BytesIO(rows), header=None, dtype=column_types, skip_blank_lines=False
            )
    except (ValueError, TypeError, OverflowError) as error:
        _raise_first_fault(rows, name, known, num_bins, str(error))
    if table.shape[1] != num_columns or len(table) % num_bins:
        _raise_first_fault(rows, name, known, num_bins, f"a table of shape {table.shape}")

    gene, bin_number, label = (
        table[column].to_numpy().reshape(-1, num_bins) for column in integer_columns
    )
    signal = table[list(range(2, num_columns - 1))].to_numpy().reshape(-1, num_bins, len(MARKS))
    gene_id = np.array([_full_gene_id(number) for number in gene[:, 0].tolist()], dtype=np.str_)
    is_clean = (
        (gene == gene[:, :1]).all()
        and (bin_number == np.arange(1, num_bins + 1)).all()
        and (label == label[:, :1]).all()
        and np.isin(label[:, 0], (0, 1)).all()
        and np.isfinite(signal).all()
        and (signal >= 0).all()
        and known.issuperset(gene_id.tolist())
    )
    if not is_clean:
        _raise_first_fault(rows, name, known, num_bins, "values that fail the checks")
    return PublishedSplit(
        gene_id=gene_id,
        signal=np.ascontiguousarray(signal, dtype=np.float32),
        label=label[:, 0].astype(np.int64),
        name=name,
        size=len(text),
        md5=hashlib.md5(text, usedforsecurity=False).hexdigest(),
    )


def _without_empty_end(text: bytes) -> bytes:
    """Returns a CSV without the empty lines at its end, as a spreadsheet may leave them."""
    end_of_line = text.find(b"\n", len(text.rstrip(b" \t\r\n,")))
    return text if end_of_line < 0 else text[: end_of_line + 1]


def _full_gene_id(number: int) -> str:
    return f"ENSG{number:011d}"


def _raise_first_fault(
    text: bytes, name: str, known: frozenset[str], num_bins: int, suspicion: str
) -> NoReturn:
    for number, fault in _faults(text.decode("utf-8", errors="replace"), known, num_bins):
        raise PublishedFormatError(f"{fault} ({name}, line {number}). Fetch the file again.")
    raise PublishedFormatError(
        f"Expected rows of gene, bin, {', '.join(MARKS)} and label. Received: {suspicion} "
        f"({name}). Fetch the file again."
    )


def _faults(text: str, known: frozenset[str], num_bins: int) -> Iterator[tuple[int, str]]:
    """Yields (line number, fault), until the rows can no longer be followed."""
    lines = text.splitlines()
    if not lines:
        yield 1, f"Expected {num_bins} rows a gene. Received: an empty file"
        return
    num_columns = 2 + len(MARKS) + 1
    gene_id, label, last_bin = "", "", num_bins
    for number, line in enumerate(lines, start=1):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != num_columns:
            yield (
                number,
                f"Expected {num_columns} columns: gene, bin, {', '.join(MARKS)} and label. "
                f"Received: {len(fields)} columns",
            )
            return
        for column, field in (("gene", fields[0]), ("bin", fields[1])):
            if not _INTEGER.fullmatch(field):
                yield number, f"Expected a whole number as {column}. Received: {column}={field!r}"
                return
        this_gene_id, this_bin = _full_gene_id(int(fields[0])), int(fields[1])
        if last_bin < num_bins and this_gene_id != gene_id:
            yield number, _row_count_fault(gene_id, num_bins, last_bin)
            return
        if last_bin == num_bins and this_gene_id == gene_id and this_bin != 1:
            yield (
                number,
                f"Expected {num_bins} rows for gene {gene_id}. Received: one more, bin={this_bin}",
            )
            return
        expected_bin = last_bin % num_bins + 1
        if this_bin != expected_bin:
            yield (
                number,
                f"Expected bin {expected_bin} of gene {this_gene_id}: bins run from 1 to "
                f"{num_bins}, each once and in order. Received: bin={this_bin}",
            )
            return
        if expected_bin == 1:
            gene_id, label = this_gene_id, fields[-1]
            if gene_id not in known:
                yield number, f"Expected a gene of the gene table. Received: gene_id={gene_id!r}"
        yield from ((number, fault) for fault in _value_faults(gene_id, label, fields))
        last_bin = this_bin
    if last_bin != num_bins:
        yield len(lines), _row_count_fault(gene_id, num_bins, last_bin)


def _row_count_fault(gene_id: str, num_bins: int, num_rows: int) -> str:
    return f"Expected {num_bins} rows for gene {gene_id}. Received: {num_rows} rows"


def _value_faults(gene_id: str, label: str, fields: Sequence[str]) -> Iterator[str]:
    for mark, count in zip(MARKS, fields[2:-1], strict=True):
        is_count = _NUMBER.fullmatch(count) and 0 <= float(count) <= _MAX_COUNT
        if not is_count:
            yield (
                f"Expected a number of at least 0 as {mark} of gene {gene_id}, bin {fields[1]}. "
                f"Received: {mark}={count!r}"
            )
    if fields[-1] not in ("0", "1"):
        yield f"Expected label 0 or 1 for gene {gene_id}. Received: label={fields[-1]!r}"
    elif fields[-1] != label:
        yield (
            f"Expected one label for gene {gene_id}, {label} as on its first row. "
            f"Received: label={fields[-1]!r}"
        )
