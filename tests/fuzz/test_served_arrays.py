import zipfile
from pathlib import Path

import numpy as np
import pytest
from harness import Outcome, check, damaged, fuzz
from hypothesis import strategies as st
from npz_files import header, packed, saved

from serving.genes import iter_numpy

ARRAYS = {
    "signal": np.arange(12, dtype=np.float32).reshape(2, 3, 2),
    "marks": np.array(["H3K4me3", "H3K9me3"]),
    "gene_id": np.array(["TNMD", "A1BG"]),
}


MEMBERS = {name: saved(array) for name, array in ARRAYS.items()}


def read(path: Path) -> object:
    return iter_numpy(path, None if path.suffix == ".npz" else ["a", "b"])


def with_damaged_array(name: str) -> st.SearchStrategy[bytes]:
    return damaged(MEMBERS[name]).map(lambda content: packed({**MEMBERS, name: content}))


@fuzz(
    damaged(packed(MEMBERS))
    | damaged(packed(MEMBERS, zipfile.ZIP_STORED))
    | st.sampled_from(sorted(MEMBERS)).flatmap(with_damaged_array)
)
def test_any_damage_of_several(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    return check(read, path)


@fuzz(damaged(MEMBERS["signal"]))
def test_any_damage_of_one(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    return check(read, path)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_whole_files_are_read(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed(MEMBERS) if suffix == ".npz" else MEMBERS["signal"])
    assert check(read, path) == Outcome()


@pytest.mark.parametrize(
    "changed",
    [
        {"signal": header("{'descr':'<f8','fortran_order':False,'shape':(1000000,5000,100)}")},
        {"signal": header("{'descr':'<f4','fortran_order':False,'shape':(2147483648,0,2)}")},
        {"signal": header("{'descr':'<f8' * 9, 1}")},
        {"signal": header("(" * 5000)},
        {"signal": header("{'descr':'<f8','fortran_order':False,'shape':(-2,3,2)}")},
        {"signal": saved(np.array([{}, {}]))},
        {"gene_id": MEMBERS["gene_id"].replace(b"T\0\0\0", b"\xff\xff\xff\xff")},
        {
            "signal": header("{'descr':'|i1','fortran_order':False,'shape':(2,2,536870912)}")
            + bytes(2**30 + 1)
        },
    ],
)
def test_what_once_failed_is_refused_by_name(changed: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(packed(MEMBERS | changed))
    assert str(path) in check(read, path).refusal
