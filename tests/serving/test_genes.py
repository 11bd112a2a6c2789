import gzip
import lzma
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.errors import InputError
from serving.genes import CSV_MARKS, Genes, iter_csv, iter_numpy, read_csv


def rows_of(*genes: str, num_bins: int = 3) -> list[str]:
    return [f"{gene},{bin_},1,2,3,4,5,0" for gene in genes for bin_ in range(1, num_bins + 1)]


def write(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_reads_the_published_layout(tmp_path: Path) -> None:
    rows = rows_of("000003", "000005")
    rows[4] = "000005,2,0.5,0,7,1e2,3,0"
    genes = read_csv(write(tmp_path / "genes.csv", rows), num_bins=3)
    assert list(genes.gene_id) == ["000003", "000005"]
    assert genes.marks == CSV_MARKS
    assert genes.signal.shape == (2, 3, 5)
    assert genes.signal.dtype == np.float32
    np.testing.assert_array_equal(genes.signal[1, 1], [0.5, 0, 7, 100, 3])


def test_label_is_not_needed_and_a_gene_may_stand_twice(tmp_path: Path) -> None:
    rows = [row.rpartition(",")[0] for row in rows_of("000003", "000003")]
    genes = read_csv(write(tmp_path / "genes.csv", rows), num_bins=3)
    assert list(genes.gene_id) == ["000003", "000003"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({4: None}, "Expected bin 2 of gene 5, 3 bins a gene. .*line 5: gene 5, bin=3"),
        ({5: None}, "line 5: the file ends at bin 2 of gene 5"),
        ({2: None}, "Expected bin 3 of gene 3, 3 bins a gene. .*line 3: gene 5, bin=1"),
        ({4: "5,1,1,2,3,4,5,0"}, "Expected bin 2 of gene 5.*line 5: gene 5, bin=1"),
        ({3: "3,4,1,2,3,4,5,0"}, "Expected bin 1 of gene 3.*line 4: gene 3, bin=4"),
        ({4: "5,2,1,2,many,4,5,0"}, "line 5, gene 5: H3K4me1='many'"),
        ({4: "5,2,1,2,nan,4,5,0"}, "line 5, gene 5: H3K4me1='nan'"),
        ({4: "5,2,1,2,,4,5,0"}, "line 5, gene 5: H3K4me1=''"),
        ({4: "5,2,1,2,inf,4,5,0"}, "line 5, gene 5: H3K4me1='inf'"),
        ({4: "5,2,1,2,-3,4,5,0"}, "line 5, gene 5: H3K4me1='-3'"),
        ({4: "5,2,1,2,3,4"}, "line 5, gene 5: H3K9me3="),
        ({4: "5,2,1,2,3,4,5,0,9"}, "in the published layout. .*8 fields in line 5, saw 9"),
        ({4: ""}, "Expected bin 2 of gene 5.*line 5"),
        ({0: "GeneID,bin,a,b,c,d,e,label"}, "Expected bin 1 of gene GeneID.*bin=bin"),
    ],
)
def test_says_where_a_csv_is_at_fault(
    tmp_path: Path, change: dict[int, str | None], message: str
) -> None:
    rows = rows_of("3", "5")
    changed = [change.get(number, row) for number, row in enumerate(rows)]
    path = write(tmp_path / "genes.csv", [row for row in changed if row is not None])
    with pytest.raises(InputError, match=message):
        read_csv(path, num_bins=3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "No columns to parse"),
        (b"3,1,1,2,3,4\n", "Expected 7 columns.*Received: .*: 6 columns"),
        (b"\xff\xfe\x00", "published layout"),
    ],
)
def test_refuses_a_file_that_is_no_such_csv(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "genes.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_csv(path, num_bins=3)


@pytest.mark.parametrize("chunk_genes", [1, 2, 3, 100])
def test_reads_a_csv_in_chunks(tmp_path: Path, chunk_genes: int) -> None:
    path = write(tmp_path / "genes.csv", rows_of(*"abcde"))
    chunks = list(iter_csv(path, 3, chunk_genes=chunk_genes))
    assert all(1 <= len(chunk.gene_id) <= chunk_genes for chunk in chunks)
    assert [gene for chunk in chunks for gene in chunk.gene_id] == list("abcde")
    assert {chunk.signal.shape[1:] for chunk in chunks} == {(3, 5)}


def test_counts_lines_over_all_chunks(tmp_path: Path) -> None:
    rows = rows_of(*"abcde")
    rows[13] = "e,2,1,2,many,4,5,0"
    chunks = iter_csv(write(tmp_path / "genes.csv", rows), 3, chunk_genes=2)
    assert list(next(chunks).gene_id) == ["a", "b"]
    assert list(next(chunks).gene_id) == ["c", "d"]
    with pytest.raises(InputError, match="line 14, gene e: H3K4me1='many'"):
        next(chunks)
    chunks = iter_csv(write(tmp_path / "genes.csv", rows_of(*"abcde")[:-1]), 3, chunk_genes=2)
    with pytest.raises(InputError, match="line 14: the file ends at bin 2 of gene e"):
        list(chunks)


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_reads_packed_files_and_says_if_one_is_cut_short(tmp_path: Path, compression: str) -> None:
    pack = {"gz": gzip.compress, "xz": lzma.compress}[compression]
    content = pack("\n".join(rows_of(*map(str, range(2000)))).encode())
    path = tmp_path / f"genes.csv.{compression}"
    path.write_bytes(content)
    assert len(read_csv(path, num_bins=3).gene_id) == 2000
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="Expected a CSV file in the published layout"):
        read_csv(path, num_bins=3)


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


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("member", "num_genes", "first"),
    [
        ("Toy/classification/train.csv", 10, [0, 1, 0, 2, 0]),
        ("E003/classification/test.csv", None, None),
    ],
)
def test_reads_published_files(
    real_data: Path, tmp_path: Path, member: str, num_genes: int | None, first: list[int] | None
) -> None:
    with tarfile.open(real_data / "remc" / "data.tar.gz") as archive:
        content = archive.extractfile(member)
        assert content is not None
        text = content.read()
    (tmp_path / "genes.csv").write_bytes(text)
    genes = read_csv(tmp_path / "genes.csv", num_bins=100)
    num_lines = text.count(b"\n")
    assert len(genes.gene_id) == num_lines / 100
    if num_genes:
        assert len(genes.gene_id) == num_genes
        np.testing.assert_array_equal(genes.signal[0, 0], first)
