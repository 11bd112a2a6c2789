"""A checkpoint to resume from, `last.npz`."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from harness import Outcome, check, damaged, fuzz

from keras_chrome.runs.array_reader import read_arrays

ARRAYS = {
    "history": np.array("[]"),
    "state_0": np.arange(6, dtype=np.float32).reshape(2, 3),
    "best_0": np.array(3),
}


def _whole() -> bytes:
    file = io.BytesIO()
    np.savez(file, **ARRAYS)  # type: ignore[arg-type]
    return file.getvalue()


def _zipped(content: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive whose checksums are right, of one array that is not."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("state_0.npy", content)
    return file.getvalue()


def _array(array: np.ndarray = ARRAYS["state_0"]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def read(path: Path) -> dict[str, np.ndarray]:
    return read_arrays(path, what="a checkpoint", remedy="delete it")


@fuzz(damaged(_whole()) | damaged(_array()).map(_zipped))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "last.npz"
    path.write_bytes(content)
    return check(read, path)


def test_whole_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "last.npz").write_bytes(_whole())
    arrays = read(tmp_path / "last.npz")
    for name, expected in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].dtype == expected.dtype


def _pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([{}], object), allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        _whole()[:-30],
        _zipped(_pickled()),
        _zipped(_array().replace(b"(2, 3)", b"(9" + b"9" * 12 + b",)").replace(b" " * 9, b"")),
        _zipped(bytes(2**24), zipfile.ZIP_DEFLATED),
        _zipped(b"\x93NUMPY\x01\0\xff\x0f" + b"(" * 4095),
        _zipped(_array(np.array("[]")).replace(b"[\0\0\0", b"\xff" * 4)),
    ],
)
def test_what_once_failed_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "last.npz").write_bytes(content)
    assert "last.npz" in check(read, tmp_path / "last.npz").refusal
