import tarfile
from pathlib import Path

import numpy as np
import pytest

from serving.errors import InputError
from serving.genes import CSV_MARKS, Genes, read_csv


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
