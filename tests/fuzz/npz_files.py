"""Files of NumPy's arrays, and such as are said to hold more than they do."""

import io
import zipfile

import numpy as np


def packed(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An `.npz` of arrays as `saved` or `header` makes them, by name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content, method)
    return file.getvalue()


def saved(array: np.ndarray) -> bytes:
    """An `.npy`."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    return file.getvalue()


def header(text: str) -> bytes:
    """An array of which there is no more than this header."""
    content = text.encode("latin1") + b"\n"
    return b"\x93NUMPY\1\0" + len(content).to_bytes(2, "little") + content
