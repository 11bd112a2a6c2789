import bz2
import gzip
import lzma
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from serving.csv_genes import CSV_MARKS, iter_csv, iter_lines
from serving.errors import InputError
from serving.genes import Genes


def read_csv(path: Path, num_bins: int | None = None) -> Genes:
    """All genes of a file."""
    chunks = list(iter_csv(path, num_bins))
    gene_id = np.concatenate([chunk.gene_id for chunk in chunks])
    return Genes(gene_id, np.concatenate([chunk.signal for chunk in chunks]), chunks[0].marks)


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
        ({4: "5,2,1,2,1e39,4,5,0"}, "line 5, gene 5: H3K4me1='1e39'"),
        ({4: "5,2,1,2,-3,4,5,0"}, "line 5, gene 5: H3K4me1='-3'"),
        ({4: "5,2,1,2,3,4"}, "line 5: 6 columns. Name the marks of other columns"),
        ({4: "5,2,1,2,3,4,5,0,9"}, "line 5: 9 columns"),
        ({4: "5,2,1,2,3,4,,"}, "line 5, gene 5: H3K9me3='', column 7. Write 0"),
        ({4: ""}, "Expected bin 2 of gene 5.*line 6: gene 5, bin=3"),
        ({0: "GeneID,bin,a,b,c,d,e,label"}, "Expected bin 1 of gene 3.*line 2: gene 3, bin=2"),
        ({4: "5,2,1,2,-0.5,4,5,0"}, "H3K4me1='-0.5', column 5. Take the fold change or -log10 p"),
        ({4: '5,2,1,2,"1,574",4,5,0'}, "H3K4me1='1,574', column 5. Write decimals with a point"),
        ({4: "5,2,1,2,NA,4,5,0"}, "H3K4me1='NA', column 5. Write 0 where there are no reads"),
        ({3: '"5,1,1,2,3,4,5,0'}, "line 4: a field that runs over several lines. Are its quot"),
        ({3: f"{'g' * 101},1,1,2,3,4,5,0"}, "at most 100 characters.*line 4: g+"),
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
        (b"", "which is empty"),
        (b"\n,,\n \n", "which is empty"),
        (b"# remark\n", "which is empty"),
        (b"3,1,1,2,3,4\n", "Expected 7 columns.*Received: .*: 6 columns"),
        (b"gene,bin,a,b,c,d,e\n", "which has a heading alone"),
        (b",gene,bin,a\n0,G,1,3\n", "a heading without a name for it. Leave the column of row"),
        (b"3 1 1 2 3 4 5\n", "separated by commas, semicolons or tabs. .* line 1: 3 1 1 2"),
        (b"3\n", "separated by commas, semicolons or tabs. .* line 1: 3"),
        (b"\xff\xfe\x00", "text in UTF-8. .*, which is none. Save it as CSV UTF-8"),
        (b"G\xe8ne,1,1,2,3,4,5\n", "text in UTF-8. .*, which is none. Save it as CSV UTF-8"),
        (b"PK\x03\x04", "File is not a zip file"),
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
    with pytest.raises(InputError, match=r"line 14, gene e: H3K4me1='many'"):
        next(chunks)
    chunks = iter_csv(write(tmp_path / "genes.csv", rows_of(*"abcde")[:-1]), 3, chunk_genes=2)
    with pytest.raises(InputError, match=r"line 14: the file ends at bin 2 of gene e"):
        list(chunks)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
@pytest.mark.parametrize("name", ["genes.csv", "genes.csv.packed"])
def test_reads_packed_files_and_says_if_one_is_cut_short(
    tmp_path: Path, pack: Callable[[bytes], bytes], name: str
) -> None:
    content = pack("\n".join(rows_of(*map(str, range(2000)))).encode())
    path = tmp_path / name
    path.write_bytes(content)
    assert len(read_csv(path, num_bins=3).gene_id) == 2000
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="Expected a CSV file in the published layout"):
        read_csv(path, num_bins=3)


def test_reads_a_zip_of_one_file_and_no_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "genes.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("genes.csv", "\n".join(rows_of("3", "5")))
    assert list(read_csv(path).gene_id) == ["3", "5"]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("[Content_Types].xml", "")
    with pytest.raises(InputError, match=r"a spreadsheet of 2 files. Save the table as CSV"):
        read_csv(path)


HEADING = "gene_id,bin,H3K27me3,H3K36me3,H3K4me1,H3K4me3,H3K9me3,label\n"
PLAIN = "G1,1,0.5,10,0,1574,2,0\nG1,2,1,0,3,4,5,0\nG2,1,6,7,8,9,10,1\nG2,2,0,0,0,0,0.25,1\n"
SIGNAL = [
    [[0.5, 10, 0, 1574, 2], [1, 0, 3, 4, 5]],
    [[6, 7, 8, 9, 10], [0, 0, 0, 0, 0.25]],
]


def semicolons(text: str) -> str:
    return text.replace(",", ";").replace(".", ",")


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.rstrip().encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        (PLAIN + "\n\n").encode(),
        ("\n\n" + PLAIN).encode(),
        (PLAIN + ",,,,,,,\r\n" * 3).encode(),
        PLAIN.replace("\n", ",,\n").encode(),
        PLAIN.replace("G2,1", "\nG2,1").encode(),
        (HEADING + PLAIN).encode(),
        ("#" + HEADING + PLAIN).encode(),
        ("# made by a program\n\n" + HEADING.upper() + PLAIN).encode(),
        (HEADING.replace("H3K4me3", " H3-k4_Me3 ") + PLAIN).encode(),
        re.sub(r"[^,\n]+", r'"\g<0>"', HEADING + PLAIN).encode(),
        PLAIN.replace(",", ", ").encode(),
        PLAIN.replace(",", "\t").encode(),
        (HEADING + PLAIN).replace(",", ";").encode(),
        semicolons(HEADING + PLAIN).encode(),
        semicolons(PLAIN).replace(";", "\t").encode(),
        ("sep=;\r\n" + semicolons(PLAIN)).encode(),
        PLAIN.replace(",1,", ",1.0,", 1).replace("10,", "1e1,", 1).encode(),
        PLAIN.replace(",0\n", "\n").replace(",1\n", "\n").encode(),
    ],
)
def test_understands_what_programs_make_of_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "genes.csv"
    path.write_bytes(content)
    for num_bins in (2, None):
        genes = read_csv(path, num_bins).with_marks(CSV_MARKS)
        assert list(genes.gene_id) == ["G1", "G2"]
        np.testing.assert_array_equal(genes.signal, np.float32(SIGNAL))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        # A decimal comma in each row looks like a column more.
        (["G,1,1,5,3", "G,2,1,5,4"], "line 1, gene G: '3', column 5. Write decimals with a point"),
        (["G,1,1,5,1", "G,2,1,5,0"], "line 2, gene G: '0', column 5. Write decimals with a point"),
        (["G,1,1,5", "G,2,1,5,1"], "line 2, gene G: '1', column 5"),
        (["g,b,x,y", "G,1,1,5,1", "G,2,1,5,1"], "line 2: 5 columns"),
        (["g,b,x,z", "G,1,1,5", "H,1,1,5,1"], "Expected 4 columns (gene id, bin, x, z). Received"),
        # A heading of one column more, such as a name with a comma in it.
        (["g,b,w,x,y,label", "G,1,1,5,0"], "6 columns (gene id, bin, w, x, y and the label). Rec"),
        (["g,b,w,x,label", "G,1,1,5,0", "H,1,1,5"], "line 3: 4 columns"),
        (["g,b,x,y,label", "G,1,1,5,9", "G,2,1,5,8"], "line 3, gene G: '8', column 5"),
        (["g,b,x,y,label", "G,1,1,5,9,1"], "line 2: 6 columns"),
        (["G,0,1,5", "G,1,1,5"], "the bins of a gene in order, from 1. Received: x, line 1"),
        (["g,b,x,y", "G,2,1,5", "G,1,1,5"], "in order, from 1. Received: x, line 2: gene G, bin=2"),
        (['{"a": [1,2]}'], "columns gene id, bin and one for each mark. Received: x, line 1"),
    ],
)
def test_a_column_too_many_is_no_label(lines: list[str], message: str) -> None:
    marks = None if "x" in lines[0] or "{" in lines[0] else ("x", "y")
    with pytest.raises(InputError, match=re.escape(message)):
        list(iter_lines([f"{line}\n" for line in lines], "x", marks=marks))


@pytest.mark.parametrize("label", ["0", "1", "1.0", "-1", "", "high"])
def test_a_label_is_one_for_a_gene(label: str) -> None:
    lines = [f"G,1,1,5,{label}\n", f"G,2.0,1,5,{label}\n"]
    (genes,) = iter_lines(lines, "x", marks=("x", "y"))
    assert genes.signal.tolist() == [[[1, 5], [1, 5]]]
    (genes,) = iter_lines(["g,b,x,y,RPKM\n", "G,1,1,5,3.5\n", "G,2,1,5,3.5\n"], "x")
    assert genes.marks == ("x", "y")


def test_a_heading_says_which_mark_is_where() -> None:
    text = ["gene,bin,h3k4me3,H3K27ac,class\n", "G1,1,4,27,0\n", "G1,2,5,28,0\n"]
    (genes,) = iter_lines(text, "genes.csv")
    assert genes.marks == ("h3k4me3", "H3K27ac")
    picked = genes.with_marks(("H3K27ac", "H3K4me3"))
    assert picked.marks == ("H3K27ac", "H3K4me3")
    np.testing.assert_array_equal(picked.signal, [[[27, 4], [28, 5]]])
    # Names that are no marks' are no contradiction; the same marks in another order are.
    (genes,) = iter_lines(["g,b,hm1,hm2,y\n", *text[1:]], "x", marks=("H3K27ac", "H3K4me3"))
    np.testing.assert_array_equal(genes.with_marks(("H3K4me3",)).signal, [[[27], [28]]])
    (genes,) = iter_lines(text, "x", marks=("H3K4me3", "H3K27AC"))
    assert genes.signal[0, 0].tolist() == [4, 27]
    with pytest.raises(InputError, match=r"the marks of the heading, h3k4me3, H3K27ac .x, line 1"):
        next(iter_lines(text, "x", marks=("H3K27ac", "H3K4me3")))
    with pytest.raises(InputError, match=r"each mark once. Received: marks=H3K4me3, h3k4me3"):
        next(iter_lines(["g,b,H3K4me3,h3k4me3,y\n", *text[1:]], "x"))


def test_a_point_and_a_comma_in_one_file_may_be_thousands() -> None:
    lines = semicolons(PLAIN).replace("1574", "1.574").splitlines(keepends=True)
    with pytest.raises(InputError, match=r"line 1: '1.574', where a number before has a ','"):
        next(iter_lines(lines, "x"))
    lines = semicolons(PLAIN).replace("0,25", "1.574,25").splitlines(keepends=True)
    with pytest.raises(InputError, match=r"line 4, gene G2: H3K9me3='1.574,25', column 7"):
        next(iter_lines(lines, "x"))
    # In chunks of a gene as well.
    lines = PLAIN.replace(",", ";").replace("0.25", "0,25").splitlines(keepends=True)
    with pytest.raises(InputError, match=r"line 4: '0,25', where a number before has a '.'"):
        list(iter_lines(lines, "x", chunk_genes=1))


def test_as_many_bins_as_the_first_gene_has() -> None:
    lines = rows_of("3", "5")
    del lines[1]
    with pytest.raises(
        InputError, match=r"bin 2 of gene 3, 3 bins a gene .as many as the first, 3..*bin=3"
    ):
        read_lines([*rows_of("3"), *rows_of("3")[::2]])
    with pytest.raises(InputError, match=r"bin 2 of gene 3, 2 bins a gene .*line 2: gene 3, bin=3"):
        read_lines(lines)


def read_lines(lines: list[str]) -> None:
    list(iter_lines([f"{line}\n" for line in lines], "x"))


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
