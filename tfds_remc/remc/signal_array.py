"""Signal that was binned elsewhere: an `.npz` file of arrays over genes."""

from __future__ import annotations

import dataclasses
import math
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .annotations import STRANDS, known_symbol, without_version
from .epigenomes import canonical_mark
from .errors import InputError, printable
from .file_types import NOT_NEGATIVE
from .gene_table import GeneTable
from .published import SPLITS

_SIGNAL_NAMES = ("signal", "counts")
# Checking and turning an array takes as much again, however few bytes its values have.
_MAX_BYTES = 1 << 30
_BYTES_A_VALUE = 8


class _ArrayKind(NamedTuple):
    """What an array over marks or genes holds.

    Attributes:
        kinds: NumPy's letters of the types that will do.
        content: The same in words.
        is_sound: Whether each value is one that there may be.
    """

    kinds: str
    content: str
    is_sound: Callable[[np.ndarray], np.ndarray] = lambda array: np.full(array.shape, True)


_TEXT = _ArrayKind("U", "text")
_NAMES = _ArrayKind("U", "text that is not empty", lambda array: array != "")
_GENE_ARRAYS = {
    "gene_id": _NAMES,
    "chrom": _TEXT,
    "tss": _ArrayKind("iu", "whole numbers"),
    "strand": _ArrayKind("U", "'+', '-' or ''", lambda array: np.isin(array, [*STRANDS])),
}
_OPTIONAL_GENE_ARRAYS = {
    "symbol": _TEXT,
    "rpkm": _ArrayKind(
        "iuf", "numbers of at least 0", lambda array: ~((array < 0) | np.isinf(array))
    ),
    "split": _ArrayKind("iu", "0, 1 or 2", lambda array: np.isin(array, range(len(SPLITS)))),
}


class SignalArrayError(InputError):
    """A file of binned signal that cannot be used."""


@dataclasses.dataclass(frozen=True)
class SignalArray:
    """Signal that was binned elsewhere.

    Attributes:
        marks: Names of the marks.
        signal: (genes, bins, marks) float32, in genome orientation.
        genes: Where the genes lie.
        rpkm: (genes,) float64, NaN where unknown; None if the file has none.
        split: (genes,) str, or None if the file has none.
        written_marks: The marks as the file spells them.
    """

    marks: tuple[str, ...]
    signal: np.ndarray
    genes: GeneTable
    rpkm: np.ndarray | None
    split: np.ndarray | None
    written_marks: tuple[str, ...] = ()


def read_signal_array(path: Path) -> SignalArray:
    """Reads an `.npz` file of binned signal.

    It holds `marks` (marks,), `signal` or `counts` (genes, marks, bins), and over genes `gene_id`,
    `chrom`, `tss` (0-based, the centre of the region) and `strand`; it may hold `symbol`, `rpkm`
    (NaN where unknown) and `split` (0 train, 1 valid, 2 test). Other arrays are not looked at.
    Nothing is unpickled, and no memory taken before it is known how much it will be.

    Raises:
        SignalArrayError: If the file is no such file, or its arrays do not fit together.
    """
    arrays = _arrays(path)
    name = next((name for name in _SIGNAL_NAMES if name in arrays), "signal")
    needed = ("marks", name, *_GENE_ARRAYS)
    if missing := [key for key in needed if key not in arrays]:
        raise SignalArrayError(
            f"Expected the arrays {', '.join(needed)} in {path.name}. "
            f"Received: {', '.join(arrays) or 'none'}, without {', '.join(missing)}."
        )
    signal, gene_id = arrays[name], arrays["gene_id"].ravel()
    named = arrays["marks"].ravel()
    _check_array("marks", named, "marks", len(named), _NAMES, path.name)
    written = tuple(mark.strip() for mark in named.tolist())
    marks = tuple(map(canonical_mark, written))
    if signal.ndim != 3 or signal.shape[:2] != (len(gene_id), len(marks)):
        raise SignalArrayError(
            f"Expected {name} of the shape (genes, marks, bins) in {path.name}, "
            f"({len(gene_id)}, {len(marks)}, bins). Received: {signal.shape}."
        )
    if len(set(marks)) < len(marks):
        raise SignalArrayError(
            f"Expected each mark once in {path.name}. Received: marks={', '.join(written)}."
        )
    for key, kind in {**_GENE_ARRAYS, **_OPTIONAL_GENE_ARRAYS}.items():
        if key in arrays:
            _check_array(key, arrays[key], "genes", len(gene_id), kind, path.name)
    _check_signal(signal, gene_id, marks, path.name)
    symbol = arrays.get("symbol", np.full(len(gene_id), ""))
    return SignalArray(
        marks=marks,
        written_marks=written,
        signal=np.ascontiguousarray(signal.transpose(0, 2, 1), np.float32),
        genes=GeneTable(
            gene_id=np.array([without_version(each) for each in gene_id.tolist()]),
            transcript_id=np.full(len(gene_id), ""),
            symbol=np.array([known_symbol(each) for each in symbol.tolist()]),
            chrom=arrays["chrom"],
            tss=arrays["tss"].astype(np.int64),
            strand=np.array([STRANDS[each] for each in arrays["strand"].tolist()]),
        ),
        rpkm=arrays["rpkm"].astype(np.float64) if "rpkm" in arrays else None,
        split=np.array(SPLITS)[arrays["split"]] if "split" in arrays else None,
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that are known by name, once it is known that memory holds them."""
    is_zip = zipfile.is_zipfile(path)
    # Who wrote the file chose what these two libraries meet: what they raise has no end.
    try:
        with zipfile.ZipFile(path) as members:
            headers = {name: _header(members, name) for name in _known(members)}
            _require_room(headers, path)
            return {name: _array(members, name) for name in headers}
    except (InputError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:
        remedy = " Save text as such: array.astype(str)." if "Object arrays" in str(error) else ""
        reason = printable(error) if is_zip else "no zip archive"
        raise SignalArrayError(
            f"Expected an .npz file of arrays. Received: {path.name} ({reason}).{remedy}"
        ) from None


def _known(members: zipfile.ZipFile) -> list[str]:
    known = (*_SIGNAL_NAMES, "marks", *_GENE_ARRAYS, *_OPTIONAL_GENE_ARRAYS)
    return [name for name in known if f"{name}.npy" in members.namelist()]


def _header(members: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and type that an array is said to have; it is not read."""
    with members.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
    return shape, dtype


def _require_room(headers: Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]], path: Path) -> None:
    num_bytes = {
        name: math.prod(map(abs, shape)) * max(dtype.itemsize, _BYTES_A_VALUE)
        for name, (shape, dtype) in headers.items()
    }
    if sum(num_bytes.values()) > _MAX_BYTES:
        name = max(num_bytes, key=num_bytes.__getitem__)
        shape, dtype = headers[name]
        raise SignalArrayError(
            f"Expected arrays of at most {_MAX_BYTES // _BYTES_A_VALUE:,} values in {path.name}, "
            f"as 60,000 genes with 20 marks of 100 bins have. Received: {name} of the shape "
            f"{shape}, {dtype}. Give the files of the reads in a sample sheet, or fewer genes or "
            "marks."
        )


def _array(members: zipfile.ZipFile, name: str) -> np.ndarray:
    with members.open(f"{name}.npy") as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # To the end, where the checksum is.
            raise ValueError(f"{name} is longer than its header says")
    if array.dtype.kind == "U":
        # NumPy takes any 32 bits for one.
        characters = array.ravel().view(f"{array.dtype.byteorder}u4")
        if characters.max(initial=0) > sys.maxunicode:
            raise ValueError(f"{name} is of characters that there are not")
    # Text of HDF5 is bytes.
    return array.astype(str) if array.dtype.kind == "S" else array


def _check_array(
    key: str, array: np.ndarray, of: str, length: int, kind: _ArrayKind, name: str
) -> None:
    expected = f"Expected {key} of {length} {of}, {kind.content}, in {name}. Received: "
    if array.shape != (length,) or array.dtype.kind not in kind.kinds:
        raise SignalArrayError(f"{expected}{array.dtype} of the shape {array.shape}.")
    is_sound = kind.is_sound(array)
    if not is_sound.all():
        row = int(is_sound.argmin())
        raise SignalArrayError(f"{expected}{array[row].item()!r} in row {row}.")


def _check_signal(
    signal: np.ndarray, gene_id: np.ndarray, marks: tuple[str, ...], name: str
) -> None:
    if signal.dtype.kind not in "iuf":
        raise SignalArrayError(f"Expected numbers as signal in {name}. Received: {signal.dtype}.")
    faults = np.argwhere(~((signal >= 0) & (signal <= np.finfo(np.float32).max)))
    if len(faults):
        gene, mark, place = faults[0]
        value = signal[gene, mark, place]
        raise SignalArrayError(
            f"Expected numbers of at least 0 as signal in {name}. Received: {value} for gene "
            f"{gene_id[gene]}, {marks[mark]}, bin {place}."
            + (f" {NOT_NEGATIVE}" if value < 0 else " Where there are no data, give 0.")
        )
