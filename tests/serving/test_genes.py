from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.errors import InputError
from serving.genes import Genes, iter_numpy

SIGNAL = np.arange(30, dtype=np.float32).reshape(5, 3, 2)


def test_reads_arrays_of_numpy(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", SIGNAL)
    chunks = list(iter_numpy(tmp_path / "x.npy", ("x", "y"), chunk_genes=2))
    np.testing.assert_array_equal(np.concatenate([chunk.signal for chunk in chunks]), SIGNAL)
    assert [list(chunk.gene_id) for chunk in chunks] == [["0", "1"], ["2", "3"], ["4"]]
    assert chunks[0].marks == ("x", "y")
    np.savez(tmp_path / "x.npz", signal=SIGNAL, marks=["x", "y"], gene_id=list("abcde"))
    (genes,) = iter_numpy(tmp_path / "x.npz")
    np.testing.assert_array_equal(genes.signal, SIGNAL)
    assert (list(genes.gene_id), genes.marks) == (list("abcde"), ("x", "y"))


@pytest.mark.parametrize(
    ("arrays", "marks", "message"),
    [
        ({"signal": SIGNAL}, None, "without marks. Name the marks of an NPY file with --marks"),
        ({"marks": ["x", "y"]}, None, "without signal"),
        ({"signal": SIGNAL, "marks": ["x", "y"]}, ["x", "y"], "Expected the marks once"),
        ({"signal": SIGNAL, "marks": ["x"]}, None, r"signal \(5, 3, 2\), 1 marks, gene_id \(5,\)"),
        ({"signal": SIGNAL[0], "marks": ["x", "y"]}, None, r"signal \(3, 2\)"),
        ({"signal": np.float32(1), "marks": ["x", "y"]}, None, r"signal \(1,\)"),
        ({"signal": SIGNAL, "marks": ["x", "y"], "gene_id": ["a"]}, None, r"gene_id \(1,\)"),
        ({"signal": SIGNAL[:0], "marks": ["x", "y"]}, None, r"Expected genes.*\(0, 3, 2\)"),
        ({"signal": np.array([None]), "marks": ["x"]}, None, "Object arrays cannot be loaded"),
    ],
)
def test_says_what_an_npz_lacks(
    tmp_path: Path, arrays: dict[str, Any], marks: list[str] | None, message: str
) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(InputError, match=message):
        list(iter_numpy(tmp_path / "x.npz", marks))


@pytest.mark.parametrize("content", [b"", b"no arrays", b"PK\x03\x04 cut short"])
def test_refuses_a_file_that_holds_no_arrays(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(InputError, match="Expected arrays in an NPY or NPZ file"):
        list(iter_numpy(tmp_path / "x.npz", ["x"]))
    with pytest.raises(InputError, match=r"none.npy \(No such file"):
        list(iter_numpy(tmp_path / "none.npy", ["x"]))


def test_refuses_a_damaged_file_of_arrays(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", signal=SIGNAL, marks=["x", "y"])
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[60:90] = bytes(30)
    (tmp_path / "x.npz").write_bytes(content)
    np.save(tmp_path / "x.npy", SIGNAL)
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-9])
    for name in ("x.npz", "x.npy"):
        with pytest.raises(InputError, match="Expected arrays in an NPY or NPZ file"):
            list(iter_numpy(tmp_path / name))


def test_refuses_arrays_of_no_genes(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", SIGNAL[:0])
    with pytest.raises(InputError, match=r"Expected genes.*\(0, 3, 2\)"):
        list(iter_numpy(tmp_path / "x.npy", ["x", "y"]))


def test_picks_marks_by_name() -> None:
    signal = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    genes = Genes(np.array(["a"]), signal, ("x", "y", "z")).with_marks(("z", "x"))
    assert genes.marks == ("z", "x")
    np.testing.assert_array_equal(genes.signal[0], [[2, 0], [5, 3]])
    with pytest.raises(InputError, match="Received: z, x, without y"):
        genes.with_marks(("x", "y"))
