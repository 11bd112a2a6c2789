import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st
from npz_files import header, packed, saved

from tfds_remc.remc.signal_array import SignalArrayError, read_signal_array

ARRAYS: dict[str, np.ndarray] = {
    "marks": np.array(["H3K4me3", "H3K27ac"]),
    "signal": np.arange(2.0 * 2 * 4).reshape(2, 2, 4),
    "gene_id": np.array(["ENSG00000000003.14", "ENSG00000000005"]),
    "chrom": np.array(["chr1", "chrX"]),
    "tss": np.array([100, 200]),
    "strand": np.array(["-", ""]),
    "symbol": np.array(["A", "B"]),
    "rpkm": np.array([1.5, np.nan]),
    "split": np.array([0, 2]),
}


def read(path: Path) -> object:
    return read_signal_array(path)


MEMBERS = {name: saved(array) for name, array in ARRAYS.items()}


def with_damaged_array(name: str) -> st.SearchStrategy[bytes]:
    """Its checksum is that of the damage."""
    return damaged(MEMBERS[name]).map(lambda content: packed({**MEMBERS, name: content}))


@fuzz(
    damaged(packed(MEMBERS))
    | damaged(packed(MEMBERS, zipfile.ZIP_STORED))
    | st.sampled_from(sorted(MEMBERS)).flatmap(with_damaged_array)
)
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    return check(read, path)


class Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('run')",))


def objects() -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|O", "fortran_order": False, "shape": (2,)}
    )
    return file.getvalue() + pickle.dumps([Code(), Code()])


# What each of them raised before: MemoryError, TokenError, NotImplementedError, zlib.error ...
ONCE_FAILED = {
    "3.6 TiB": {
        "signal": header("{'descr':'<f8','fortran_order':False,'shape':(1000000,5000,100)}")
    },
    "text of a gigabyte": {
        "symbol": header("{'descr':'<U300000000','fortran_order':False,'shape':(2,)}")
    },
    "no end": {"signal": header("{'descr':'<f8','fortran_order':False,'shape':(2,2,4")},
    "no literal": {"signal": header("{'descr':'<f8' * 9, 1}")},
    "deep": {"signal": header("(" * 5000)},
    "negative": {"signal": header("{'descr':'<f8','fortran_order':False,'shape':(-2,2,4)}")},
    "no number": {"signal": header("{'descr':'<f8','fortran_order':False,'shape':(True,2.5,4)}")},
    "pickled": {"gene_id": objects()},
    "a record": {"tss": header("{'descr':[('a','<i8')],'fortran_order':False,'shape':(2,)}")},
    "version": {"signal": b"\x93NUMPY\x09\0" + bytes(20)},
    "longer": {"signal": MEMBERS["signal"] + b"\0"},
    "shorter": {"signal": MEMBERS["signal"][:-1]},
    "empty": {"signal": b""},
    "no character": {
        "strand": header("{'descr':'<U1','fortran_order':False,'shape':(2,)}") + b"\xff" * 8
    },
}


@pytest.mark.parametrize("case", ONCE_FAILED)
def test_arrays_that_once_failed(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(packed(MEMBERS | ONCE_FAILED[case]))
    with pytest.raises(SignalArrayError, match=r"Expected .*Received: .*"):
        read(path)
    assert "a.npz" in check(read, path).refusal


def test_a_bomb_and_what_is_only_named_so(tmp_path: Path) -> None:
    """A gigabyte of zeros of which the archive keeps a megabyte, and the same unknown by name."""
    path = tmp_path / "a.npz"
    zeros = header("{'descr':'|i1','fortran_order':False,'shape':(2,2,268435456)}")
    path.write_bytes(packed(MEMBERS | {"signal": zeros}))
    with pytest.raises(SignalArrayError, match=r"signal of the shape \(2, 2, 268435456\), int8"):
        read(path)
    path.write_bytes(packed(MEMBERS | {"notes": zeros}))
    assert read_signal_array(path).marks == ("H3K4me3", "H3K27ac")


@pytest.mark.parametrize("flag", [1, 9999])
def test_methods_that_zipfile_does_not_know(flag: int, tmp_path: Path) -> None:
    """A password, and a way of packing."""
    content = bytearray(packed({"marks": MEMBERS["marks"]}, zipfile.ZIP_STORED))
    at = 8 if flag == 9999 else 6
    for start, shift in ((content.index(b"PK\1\2"), 2), (0, 0)):
        content[start + shift + at : start + shift + at + 2] = flag.to_bytes(2, "little")
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(SignalArrayError, match=r"an \.npz file of arrays\. Received: a\.npz"):
        read(path)
