"""Reads the tables of run directories, and sees that they have the columns that are said."""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from keras_chrome.errors import InputError, printable

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["text", "integer", "number", "number or none"]

_MAX_BYTES = 512 * 2**20
_MAX_LINE = 2**16
_MAX_COLUMNS = 256
# What no line of text has, but for its own end and tabs.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_TYPES: Mapping[Kind, Any] = {
    "text": str,
    "integer": "int64",
    "number": "float64",
    "number or none": "float64",
}


def read_table(
    path: Path, columns: Mapping[str, Kind], *, more: Mapping[str, Kind] | None = None, remedy: str
) -> pd.DataFrame:
    """Read a CSV file.

    Args:
        path: The file.
        columns: What each column that it must have holds, by name: text as it stands, integers,
            finite numbers, or numbers of which some may be missing or not finite.
        more: Likewise of columns that it may have.
        remedy: What the error ends in.

    Returns:
        All its columns in their order; of those that are not named pandas guesses what they hold.

    Raises:
        InputError: If it cannot be read, is no table, or a column is missing or holds something
            else.
    """
    try:
        content = _content(path)
        header = _header(content)
        if missing := [name for name in columns if name not in header]:
            raise ValueError(f"without {', '.join(missing)}")
        known = {n: kind for n, kind in {**(more or {}), **columns}.items() if n in header}
        return _parsed(content, header, known)
    except OSError as error:
        reason = str(error.strerror)
    except ValueError as error:
        reason = printable(error)
    raise InputError(
        f"Expected a table as CSV with the columns {', '.join(columns)}. Received: {path} "
        f"({reason}); {remedy}"
    )


def _content(path: Path) -> bytes:
    if (num_bytes := path.stat().st_size) > _MAX_BYTES:
        raise ValueError(f"{num_bytes:,} bytes, of {_MAX_BYTES:,} at most")
    content = path.read_bytes()
    text = content.decode("utf-8-sig")  # UnicodeDecodeError is a ValueError.
    if control := _CONTROL.search(text):
        raise ValueError(f"the character {control[0]!a}")
    if (longest := max(map(len, text.split("\n")))) > _MAX_LINE:
        raise ValueError(f"a line of {longest:,} characters, of {_MAX_LINE:,} at most")
    return content.removeprefix(codecs.BOM_UTF8)


def _header(content: bytes) -> list[str]:
    line = content.partition(b"\n")[0].decode().rstrip("\r")
    try:
        header = next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"header: {error}") from None
    if not header:
        raise ValueError("No columns")
    if len(header) > _MAX_COLUMNS or len(set(header)) < len(header):
        raise ValueError(f"{len(header)} columns, not each once: {header[:8]}")
    return header


def _parsed(content: bytes, header: list[str], known: Mapping[str, Kind]) -> pd.DataFrame:
    import pandas as pd

    numbers = [name for name, kind in known.items() if kind == "number or none"]
    try:
        with warnings.catch_warnings():
            # Or what stands beyond the header would be dropped with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Of a number that is no integer, which is an error as well.
            warnings.simplefilter("ignore", RuntimeWarning)
            table: pd.DataFrame = pd.read_csv(
                io.BytesIO(content),
                dtype={name: _TYPES[kind] for name, kind in known.items()},
                keep_default_na=False,
                na_values={name: ["", "nan", "NaN"] for name in numbers},
                # Or what stands beyond the header would move the columns.
                index_col=False,
                on_bad_lines="error",
                encoding="utf-8",
            )
    except pd.errors.ParserWarning:
        raise ValueError("a row of more columns than the header") from None
    except (OverflowError, TypeError) as error:  # of what is no integer
        raise ValueError(str(error)) from None
    if list(table.columns) != header:
        raise ValueError(f"columns {list(table.columns)[:8]}")
    for name, kind in known.items():
        _check(name, table[name], kind, has_quotes=b'"' in content)
    return table


def _check(name: str, column: pd.Series[Any], kind: Kind, *, has_quotes: bool) -> None:
    if kind == "number" and not np.isfinite(column).all():
        raise ValueError(f"column {name}: a number that is not finite")
    if kind == "text" and column.isna().any():
        raise ValueError(f"column {name}: none in row {int(column.isna().argmax()) + 1}")
    if kind == "text" and has_quotes and column.str.contains("[\r\n]").any():
        raise ValueError(f"column {name}: text of several lines")
