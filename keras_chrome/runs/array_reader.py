"""Reads arrays of NumPy's `.npz` that may come from elsewhere, within the bytes that it has."""

from __future__ import annotations

import io
import math
import sys
import zipfile
from pathlib import Path

import numpy as np

from keras_chrome.errors import InputError

_MAX_HEADER = 4096


def read_arrays(path: Path, *, what: str, remedy: str) -> dict[str, np.ndarray]:
    """Read all arrays of a file that `numpy.savez` wrote.

    What it claims to hold is compared with its size before memory is taken; nothing is unpickled.

    Args:
        path: The file, not compressed.
        what: What it is, in words.
        remedy: What the error ends in.

    Raises:
        InputError: If it cannot be read, is damaged, or holds anything but numbers and text.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("arrays that are larger together than the file")
            if len({member.filename for member in members}) < len(members):
                raise ValueError("an array twice")
            return {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}
    # zipfile and NumPy's parser of headers tell of damage by a dozen of exceptions.
    except Exception as error:
        reason = " ".join(ascii(f"{type(error).__name__}: {error}")[1:-1].split())[:200]
        raise InputError(
            f"Expected {what} as NumPy's .npz. Received: {path} ({reason}); {remedy}"
        ) from None


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("a header of another version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(
        file, max_header_size=_MAX_HEADER
    )
    if dtype.kind not in "fiubU" or math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"{dtype} of shape {shape} in {len(content)} bytes")
    flat = np.frombuffer(content, dtype, offset=file.tell())
    # NumPy takes any 32 bits for a character.
    if dtype.kind == "U" and flat.view(f"{dtype.byteorder}u4").max(initial=0) > sys.maxunicode:
        raise ValueError("characters that there are not")
    return flat.reshape(shape, order="F" if is_fortran else "C").copy()
