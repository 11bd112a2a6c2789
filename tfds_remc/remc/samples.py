"""Sample sheets: which file holds which mark of which epigenome."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from .epigenomes import canonical_mark
from .errors import InputError
from .file_types import FILE_TYPES, SignalFile
from .text_files import content_lines, open_text, read_rows

_REQUIRED_COLUMNS = ("epigenome", "mark", "path")
_COLUMNS = (*_REQUIRED_COLUMNS, "control", "file_type")


class SampleSheetError(InputError):
    """A sample sheet that cannot be used."""


@dataclasses.dataclass(frozen=True)
class Sample:
    """One mark of one epigenome.

    Attributes:
        epigenome: Name of the epigenome, "K562".
        mark: Name of the mark, "H3K4me3".
        path: Its reads, depth or peaks.
        control: Reads of the control experiment (input DNA); None without one.
        file_type: What `path` holds, one of the values of `FILE_TYPES`, and `control` too if its
            name does not tell; None to tell it by the name.
        written: The mark as the sheet spells it; "" if it does not come from a sheet.
    """

    epigenome: str
    mark: str
    path: Path
    control: Path | None = None
    file_type: str | None = None
    written: str = dataclasses.field(default="", compare=False)

    @property
    def file(self) -> SignalFile:
        """The mark's file."""
        return SignalFile(self.path, self.file_type)

    @property
    def control_file(self) -> SignalFile | None:
        """The control's file."""
        if self.control is None:
            return None
        by_name = SignalFile(self.control)
        return by_name if by_name.is_told else SignalFile(self.control, self.file_type)


def read_sample_sheet(path: Path) -> list[Sample]:
    """Reads a sample sheet: CSV or TSV with the columns epigenome, mark and path.

    It may have the columns control, and file_type for files whose names do not tell what they hold.
    See `read_rows` for the table. Paths are relative to the folder of the sheet, or begin with `~`.
    Other columns are ignored, and so are lines that start with "#".

    Raises:
        SampleSheetError: If a column or a value is missing, a mark of an epigenome stands twice,
            or a file is not there; naming the line.
    """
    if not path.is_file():
        raise SampleSheetError(f"Expected a sample sheet. Received: {str(path)!r}, no such file.")
    with open_text(path, SampleSheetError) as file:
        lines = content_lines(file, path.name)
        _, header = next(rows := read_rows(lines, SampleSheetError), (None, []))
        if missing := [name for name in _REQUIRED_COLUMNS if name not in header]:
            raise SampleSheetError(
                f"Expected the columns {', '.join(_COLUMNS)} (the last two may be left out) in "
                f"{path.name}. Received: no {', '.join(missing)} among "
                f"{', '.join(filter(None, header)) or 'none'}."
            )
        if twice := [name for name in _COLUMNS if header.count(name) > 1]:
            raise SampleSheetError(
                f"Expected each column once in {path.name}. Received: {', '.join(twice)} twice. "
                "Remove one of them."
            )
        first_of: dict[tuple[str, str], tuple[int, str]] = {}
        samples = []
        for line, fields in rows:
            if any(fields[len(header) :]):
                raise SampleSheetError(
                    f"Expected {len(header)} fields in {line.where}. Received: {len(fields)}."
                )
            row = dict(zip(header, fields, strict=False))
            sample = _sample(row, path.parent, line.where)
            key = sample.epigenome, sample.mark
            first, written = first_of.setdefault(key, (line.number, sample.written))
            if first != line.number:
                received = (
                    f"{sample.mark} of {sample.epigenome} in lines {first} and {line.number}"
                    if written == sample.written
                    else f"{written} of {sample.epigenome} in line {first} and {sample.written} in "
                    f"line {line.number}"
                )
                raise SampleSheetError(
                    f"Expected each mark of an epigenome once in {path.name}. Received: "
                    f"{received}. Pool replicates into one file."
                )
            samples.append(sample)
    if not samples:
        raise SampleSheetError(f"Expected at least one sample in {path.name}. Received: none.")
    return samples


def _sample(row: Mapping[str, str], folder: Path, where: str) -> Sample:
    if empty := [name for name in _REQUIRED_COLUMNS if not row.get(name)]:
        raise SampleSheetError(f"Expected {', '.join(empty)} in {where}. Received: nothing.")
    files = {name: _file(folder, row[name], where) for name in ("path", "control") if row.get(name)}
    mark = canonical_mark(row["mark"])
    file_type = _file_type(row.get("file_type", ""), where)
    return Sample(
        row["epigenome"], mark, files["path"], files.get("control"), file_type, row["mark"]
    )


def _file(folder: Path, name: str, where: str) -> Path:
    try:
        file = folder / Path(name).expanduser()
        is_there = file.is_file()
    except (OSError, RuntimeError, ValueError):  # A name too long, `~nobody`, half of a character.
        is_there = False
    if not is_there:
        raise SampleSheetError(
            f"Expected a file in {where}. Received: {f'{folder}/{name}'!r}, no such file."
        )
    return file


def _file_type(text: str, where: str) -> str | None:
    if not text:
        return None
    file_type = FILE_TYPES.get(text.lower().lstrip("."))
    if file_type is None:
        raise SampleSheetError(
            f"Expected file_type to be one of {', '.join(dict.fromkeys(FILE_TYPES.values()))} in "
            f"{where}. Received: file_type={text!r}."
        )
    return file_type


def samples_of(samples: list[Sample], epigenome: str, sheet: str) -> list[Sample]:
    """The samples of one epigenome, in the order of the sheet; of its only one if "".

    Raises:
        SampleSheetError: If the epigenome is not in the sheet, or not named among several.
    """
    known = list(dict.fromkeys(sample.epigenome for sample in samples))
    if not epigenome and len(known) == 1:
        (epigenome,) = known
    if epigenome not in known:
        raise SampleSheetError(
            f"Expected an epigenome of {sheet}: {', '.join(known)}. "
            f"Received: epigenome={epigenome!r}."
        )
    return [sample for sample in samples if sample.epigenome == epigenome]


def missing_marks(samples: list[Sample], epigenome: str) -> list[str]:
    """The marks that other epigenomes have and this one has not, in the order of the sheet."""
    own = {sample.mark for sample in samples if sample.epigenome == epigenome}
    return [m for m in dict.fromkeys(sample.mark for sample in samples) if m not in own]
