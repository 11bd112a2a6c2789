import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest

from tfds_remc.remc import bed
from tfds_remc.remc.bed import read_bed
from tfds_remc.remc.file_types import SignalFileError

READS = "chr1\t10\t46\tN\t1000\t+\nchr2\t5\t41\tN\t1000\t-\nchr1\t7\t43\tN\t1000\t-\n"


def rows_of(path: Path, **columns: int | bool) -> list[tuple]:
    return [
        (chunk.names[code], int(start), int(end), *rest)
        for chunk in read_bed(path, **columns)
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


def test_comments_between_records(path: Path) -> None:
    path.write_text("#bedGraph section\nchr1\t1\t2\t0.5\n#bedGraph section\nchr1\t2\t4\t-1e3\n")
    rows = rows_of(path, value_column=3, has_comments=True)
    assert rows == [("chr1", 1, 2, 0.5), ("chr1", 2, 4, -1000.0)]


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
        ("chr2", "# chr2", r"no header after the first record.*line 3. Received: '# chr2'"),
        ("chr2", "track chr2", r"no header after the first record.*line 3"),
    ],
)
def test_a_fault_names_its_line(path: Path, old: str, new: str, match: str) -> None:
    path.write_text("track name=reads\n" + READS.replace(old, new, 1))
    with pytest.raises(SignalFileError, match=match):
        rows_of(path, strand_column=5)


def test_a_value_that_is_no_number(path: Path) -> None:
    for value in ("nan", "inf", "x", ""):
        path.write_text(f"chr1\t1\t2\t1.5\nchr1\t2\t4\t{value}\n")
        with pytest.raises(SignalFileError, match=rf"a number as value.*line 2.*'{value}'"):
            rows_of(path, value_column=3)


def test_fewer_columns_are_enough_where_the_strand_is_not_needed(path: Path) -> None:
    path.write_text("chr1\t10\t46\n")
    assert rows_of(path) == [("chr1", 10, 46)]
    with pytest.raises(SignalFileError, match=r"at least 6 columns.*line 1. Received: 3"):
        rows_of(path, strand_column=5)


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
