import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pysam
import pytest

from tfds_remc.remc import bed
from tfds_remc.remc.bed import BedLayout, read_bed
from tfds_remc.remc.file_types import SignalFileError

READS = "chr1\t10\t46\tN\t1000\t+\nchr2\t5\t41\tN\t1000\t-\nchr1\t7\t43\tN\t1000\t-\n"


def rows_of(path: Path, **columns: Any) -> list[tuple]:
    return [
        (chunk.names[code], int(start), int(end), *rest)
        for chunk in read_bed(path, BedLayout(**columns))
        for code, start, end, *rest in zip(
            chunk.code,
            chunk.start,
            chunk.end,
            *(each.tolist() for each in (chunk.is_reverse, chunk.value) if each is not None),
            strict=True,
        )
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a file.tagAlign"


@pytest.mark.parametrize("rows_a_chunk", [1, 2, 100])
@pytest.mark.parametrize(
    "text",
    [
        READS,
        READS.rstrip("\n"),
        READS.replace("\n", "\r\n"),
        READS.replace("\t", " "),
        "track name=reads\nbrowser position chr1\n#chrom\n\n" + READS,
    ],
    ids=["plain", "no last newline", "CRLF", "spaces", "header"],
)
def test_reads(path: Path, text: str, rows_a_chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bed, "_CHUNK_ROWS", rows_a_chunk)
    path.write_text(text, newline="")
    expected = [("chr1", 10, 46, False), ("chr2", 5, 41, True), ("chr1", 7, 43, True)]
    assert rows_of(path, strand_column=5) == expected


def test_gzip_of_several_members_and_bgzf(path: Path) -> None:
    expected = [("chr1", 10, 46), ("chr2", 5, 41), ("chr1", 7, 43)] * 2
    path.write_bytes(gzip.compress(READS.encode()) * 2)
    assert rows_of(path) == expected
    with pysam.BGZFile(str(path), "w") as file:
        file.write(READS.encode() * 2)
    assert rows_of(path) == expected


@pytest.mark.parametrize("rows_a_chunk", [1, 2, 100])
def test_header_lines_between_records(
    path: Path, rows_a_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the tracks of several chromosomes were put into one file."""
    monkeypatch.setattr(bed, "_CHUNK_ROWS", rows_a_chunk)
    first, second, third = READS.splitlines(keepends=True)
    path.write_text(
        f"track name=a\n{first}track name=b\nbrowser hide all\n{second} \t\n# chr3\n{third}"
    )
    expected = [("chr1", 10, 46, False), ("chr2", 5, 41, True), ("chr1", 7, 43, True)]
    assert rows_of(path, strand_column=5) == expected
    path.write_text("#bedGraph section\nchr1\t1\t2\t0.5 # low\n#section\nchr1\t2\t4\t1e3\n")
    rows = rows_of(path, value_column=3, is_bedgraph=True)
    assert rows == [("chr1", 1, 2, 0.5), ("chr1", 2, 4, 1000.0)]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"], ids=["CR", "CRLF", "LF"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "byte-order mark"])
@pytest.mark.parametrize("header", ["track name=a\n\n#x\n", ""], ids=["header", ""])
@pytest.mark.parametrize("zipped", [False, True], ids=["", "gzip"])
def test_ends_of_lines(path: Path, end: str, mark: str, header: str, zipped: bool) -> None:
    content = (mark + header + READS).replace("\n", end).encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    expected = [("chr1", 10, 46, False), ("chr2", 5, 41, True), ("chr1", 7, 43, True)]
    assert rows_of(path, strand_column=5) == expected
    path.write_bytes(content.replace(b"\t5\t", b"\t-5\t"))
    line = 2 + header.count("\n")
    with pytest.raises(SignalFileError, match=rf"line {line}\. Received: start='-5'"):
        rows_of(path, strand_column=5)


def test_numbers_in_other_notations(path: Path) -> None:
    """R writes 1e+05 for 100000, and some tools all numbers as floating-point ones."""
    path.write_text("chr1\t99990\t1e+05\t.5\nchr1\t1E5\t100010.0\t2.\nchr1\t+2\t03\t-0\n")
    assert rows_of(path, value_column=3) == [
        ("chr1", 99_990, 100_000, 0.5),
        ("chr1", 100_000, 100_010, 2.0),
        ("chr1", 2, 3, 0.0),
    ]


def test_chromosomes_that_are_numbers(path: Path) -> None:
    path.write_text(READS.replace("chr", ""))
    assert rows_of(path) == [("1", 10, 46), ("2", 5, 41), ("1", 7, 43)]
    path.write_text("1.10\t1\t2\t3\n")
    assert rows_of(path, value_column=3) == [("1.10", 1, 2, 3.0)]


def test_any_white_space_parts_the_columns_of_a_bedgraph(path: Path) -> None:
    path.write_text("chr1\t1\t2\t0.5\nchr1 2 3 1\nchr1\t3 4\t 2 \n")
    rows = rows_of(path, value_column=3, is_bedgraph=True)
    assert rows == [("chr1", 1, 2, 0.5), ("chr1", 2, 3, 1.0), ("chr1", 3, 4, 2.0)]
    with pytest.raises(
        SignalFileError, match=r"parted by tabs, as in the first.*line 2\. .*'chr1 2"
    ):
        rows_of(path, value_column=3)


def test_what_the_fast_parser_gives_up_on_is_read_on_from_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bed, "_CHUNK_ROWS", 10)
    lines = [f"chr{row % 2}\t{row}\t{row + 1}\t{row % 5 - 1}\n" for row in range(100)]
    lines[55] = f"track name=b\n{lines[55]}"
    path.write_text("".join(lines))
    chunks = list(read_bed(path, BedLayout(value_column=3)))
    assert [len(c.code) + sum(c.left_out.values()) for c in chunks] == [10] * 10
    assert rows_of(path, value_column=3) == [
        (f"chr{row % 2}", row, row + 1, row % 5 - 1) for row in range(100) if row % 5
    ]


def test_a_peak_without_a_value_is_left_out(path: Path) -> None:
    path.write_text("chr1\t1\t2\t3\nchr1\t2\t4\t-1\nchr1\t4\t5\t-1.0\n")
    (chunk,) = read_bed(path, BedLayout(value_column=3))
    assert (chunk.start.tolist(), chunk.value.tolist()) == ([1], [3])
    assert chunk.left_out == {"signalValue -1, which is none": 2}
    with pytest.raises(
        SignalFileError, match=r"at least 0 as value.*line 2\. Received: value='-1'"
    ):
        rows_of(path, value_column=3, is_bedgraph=True)


def test_a_hash_in_a_read_name_is_no_comment(path: Path) -> None:
    path.write_text(READS.replace("N", "read#1"))
    assert len(rows_of(path, strand_column=5)) == 3


def test_a_file_without_records(path: Path) -> None:
    for text in ("", "\n", "track name=empty\n"):
        path.write_text(text)
        assert rows_of(path) == []


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("5\t41", "-5\t41", r"0 <= start < end < \d+ in a file.tagAlign, line 3. Rec.*start='-5'"),
        ("5\t41", "41\t5", r"0 <= start < end.*line 3\. Received: start='41', end='5'"),
        ("5\t41", "5\t5", r"0 <= start < end.*line 3"),
        ("5\t41", "5\t3000000000", r"0 <= start < end < 2147483648.*line 3"),
        ("5\t41", "5\t99999999999999999999", r"0 <= start < end.*line 3"),
        ("5\t41", "5.5\t41", r"whole numbers.*line 3.*start='5\.5'"),
        ("5\t41", "x\t41", r"whole numbers.*line 3.*start='x'"),
        ("5\t41", "\t41", r"whole numbers.*line 3.*start=''"),
        ("1000\t-\nchr1", "1000\t.\nchr1", r"strand '\+' or '-'.*line 3.*strand='\.'"),
        ("\t1000\t-\nchr1", "\nchr1", r"at least 6 columns.*strand.*line 3. Received: 4"),
        ("\t41\tN\t1000\t-", "", r"at least 6 columns.*line 3. Received: 2"),
        ("5\t41", "1.5e0\t41", r"whole numbers.*line 3.*start='1\.5e0'"),
        ("5\t41", "5,000\t6,000", r"whole numbers.*line 3.*start='5,000'"),
        ("5\t41", "0x5\t41", r"whole numbers.*line 3.*start='0x5'"),
        ("5\t41", "5\t1_000", r"whole numbers.*line 3.*end='1_000'"),
    ],
)
def test_a_fault_names_its_line(path: Path, old: str, new: str, match: str) -> None:
    path.write_text("track name=reads\n" + READS.replace(old, new, 1))
    with pytest.raises(SignalFileError, match=match):
        rows_of(path, strand_column=5)


@pytest.mark.parametrize("is_bedgraph", [False, True])
@pytest.mark.parametrize(
    "value", ["nan", "NA", "inf", "-inf", "x", "1,5", "1e39", "-2", "-1e-9", "-1.5", "0x1"]
)
def test_a_value_that_no_signal_has(path: Path, value: str, is_bedgraph: bool) -> None:
    path.write_text(f"chr1\t1\t2\t1.5\nchr1\t2\t4\t{value}\n")
    match = (
        rf"a number of at least 0 as value in a file.tagAlign, line 2\. Received: value='{value}'"
    )
    with pytest.raises(SignalFileError, match=match) as error:
        rows_of(path, value_column=3, is_bedgraph=is_bedgraph)
    assert ("no log ratio" in str(error.value)) == (value[:2] in ("-2", "-1"))


def test_a_value_that_is_missing(path: Path) -> None:
    path.write_text("chr1\t1\t2\t1.5\nchr1\t2\t4\t\n")
    with pytest.raises(SignalFileError, match=r"a number of.*line 2\. Received: value=''"):
        rows_of(path, value_column=3)
    with pytest.raises(SignalFileError, match=r"at least 4 columns.*line 2\. Received: 3, 'chr1"):
        rows_of(path, value_column=3, is_bedgraph=True)


def test_a_wiggle_file(path: Path) -> None:
    for line in ("fixedStep chrom=chr1 start=1 step=100\n1\n", "variableStep chrom=chr1\n1 2\n"):
        path.write_text("track type=wiggle_0\n" + line)
        with pytest.raises(SignalFileError, match=r"line 2\. Received: a wiggle .* wigToBigWig"):
            rows_of(path, value_column=3, is_bedgraph=True)


def test_fewer_columns_are_enough_where_the_strand_is_not_needed(path: Path) -> None:
    path.write_text("chr1\t10\t46\n")
    assert rows_of(path) == [("chr1", 10, 46)]
    with pytest.raises(SignalFileError, match=r"at least 6 columns.*line 1. Received: 3"):
        rows_of(path, strand_column=5)


@pytest.mark.parametrize("header", ["", "#a\n\n"])
def test_more_columns_than_the_type_has(path: Path, header: str) -> None:
    """In a gappedPeak file the first base of a part stands where a narrowPeak has its signal."""
    path.write_text(f"{header}chr1\t10\t60\tp\t9\t.\t10\t60\t0\t1\t50,\t0,\t5.5\t-1\t-1\n")
    line = header.count("\n") + 1
    match = rf"at most 10 columns, parted by tabs.*, line {line}\. Received: 15, .*gappedPeak"
    with pytest.raises(SignalFileError, match=match):
        rows_of(path, value_column=6, max_columns=10)
    assert rows_of(path, value_column=6, max_columns=15) == [("chr1", 10, 60, 10.0)]
    path.write_text(path.read_text().replace("\t50,\t0,\t5.5\t-1\t-1", "\t\t "))
    assert rows_of(path, value_column=6, max_columns=10) == [("chr1", 10, 60, 10.0)]


def test_a_decimal_comma(path: Path) -> None:
    path.write_text("chr1\t1\t2\t1,5\n")
    with pytest.raises(SignalFileError, match=r"value='1,5'\. Write numbers with a decimal point"):
        rows_of(path, value_column=3)


def test_truncated_gzip(path: Path) -> None:
    random = np.random.default_rng(0).integers(0, 10**6, 50_000)
    text = "".join(f"chr1\t{start}\t{start + 36}\tN\t0\t+\n" for start in random).encode()
    whole = gzip.compress(text)
    for size in (5, 100, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:size])
        with pytest.raises(SignalFileError, match=r"complete gzip file. Received: a file.tagAlign"):
            rows_of(path)
    with pysam.BGZFile(str(path), "w") as file:
        file.write(text)
    first_block_bytes = int.from_bytes(path.read_bytes()[16:18], "little") + 1
    path.write_bytes(path.read_bytes()[:first_block_bytes])
    with pytest.raises(SignalFileError, match="complete BGZF file"):
        rows_of(path)
