import gzip
from pathlib import Path

import pytest

from tfds_remc.remc.errors import InputError
from tfds_remc.remc.text_files import MAX_LINE_BYTES, content_lines, open_text, read_rows


class TableError(InputError):
    pass


def read(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with open_text(path, TableError) as lines:
        return lines.read()


def test_gzip_is_told_by_its_content(tmp_path: Path) -> None:
    assert read(tmp_path / "a.tsv.gz", b"\xef\xbb\xbfa\tb\r\n") == "a\tb\n"
    assert read(tmp_path / "a.tsv", gzip.compress(b"a\tb\n")) == "a\tb\n"


def test_damage_is_an_error_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"complete gzip file\. Received: a\.gz, .* again\.$"):
        read(tmp_path / "a.gz", gzip.compress(b"a\tb\n")[:-9])
    with pytest.raises(TableError, match=r"Expected a text file\. Received: a\.bam"):
        read(tmp_path / "a.bam", b"BAM\x01\xff\x00\n")


def rows_of(path: Path, content: str) -> list[tuple[int, list[str]]]:
    path.write_bytes(content.encode())
    with open_text(path, TableError) as file:
        lines = content_lines(file, path.name)
        return [(line.number, fields) for line, fields in read_rows(lines, TableError)]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("a\tb\n".encode("utf-16"), r"UTF-16 text\. Save it as UTF-8"),
        ("a\tb\n".encode("utf-16-be"), "binary"),
        (gzip.compress("\ufeffa\tb\n".encode("utf-16-be"), mtime=0), "UTF-16 text"),
        (b"PK\x03\x04\x14\x00", "an Excel workbook or another zip archive"),
        (b"BZh91AY&SY", r"packed by bzip2\. Unpack it"),
    ],
)
def test_what_is_no_text_is_told_as_such(tmp_path: Path, content: bytes, what: str) -> None:
    with pytest.raises(TableError, match=rf"Expected a text file\. Received: a\.csv, {what}"):
        read(tmp_path / "a.csv", content)


def test_latin_1_is_read_among_utf_8(tmp_path: Path) -> None:
    content = "Müller\t".encode("latin-1") + "Müller\t€\t".encode() + b"\x80\xff\n"
    assert read(tmp_path / "a.tsv", content) == "Müller\tMüller\t€\t€ÿ\n"


@pytest.mark.parametrize("num_lines", [2000, 50_000])
def test_a_nul_byte_further_down(tmp_path: Path, num_lines: int) -> None:
    where = rf"text in a\.tsv, line {num_lines + 2}\. Received: a NUL byte"
    with pytest.raises(TableError, match=where):
        rows_of(tmp_path / "a.tsv", "a\tb\n" + "c\td\n" * num_lines + "\0\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_without_end_is_refused_before_it_takes_memory(tmp_path: Path, end: str) -> None:
    long = f"a,b{end}".encode() * 2 + b"1" * (MAX_LINE_BYTES + 2**18)
    for content in (long, gzip.compress(long, 1)):
        with pytest.raises(TableError, match=r"16,777,216 bytes in a\.csv\. Received: .* line 3\."):
            read(tmp_path / "a.csv", content)
    longest = b"1" * (MAX_LINE_BYTES - 1) + b"\n"
    assert len(read(tmp_path / "a.csv", longest * 2)) == 2 * MAX_LINE_BYTES


@pytest.mark.parametrize("line", [b"\n", b"#\n", b"chr1\t1\t2\n"])
def test_a_gzip_that_unpacks_to_far_more_than_text_does(tmp_path: Path, line: bytes) -> None:
    bomb = gzip.compress(line * (2**23 // len(line)), 9)
    assert len(bomb) < 2**14 * 1.1
    with pytest.raises(TableError, match=r"a\.csv, which unpacks to over 500 times its size"):
        read(tmp_path / "a.csv", bomb)


@pytest.mark.parametrize("line", ["\n", "#\n"])
def test_a_million_lines_of_nothing(tmp_path: Path, line: str) -> None:
    with pytest.raises(
        InputError, match=r"record in a\.csv after line 2\. Received: 1,000,000 lin"
    ):
        rows_of(tmp_path / "a.csv", "a,b\nc,d\n" + line * 1_000_001)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_rows(tmp_path: Path, end: str) -> None:
    """Whatever ends them; comments, blank lines and empty rows are counted and passed over."""
    text = end.join(["# x", "", "a,b,c", " 1,2 , 3", ",,", " ", '"x, ""y""", ,', "", "", ""])
    assert rows_of(tmp_path / "a.csv", text) == [
        *((3, ["a", "b", "c"]), (4, ["1", "2", "3"]), (7, ['x, "y"', "", ""])),
    ]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('g1\t"abnormal\t5', ["g1", '"abnormal', "5"]),
        ('g1\t5" end\t5', ["g1", '5" end', "5"]),
        ('g1\t"a" or "b"\t5', ["g1", '"a" or "b"', "5"]),
        ('"g1"\t"x ""y"""\t5', ["g1", 'x "y"', "5"]),
        ('"g1"\t"a\tb"\t5', ["g1", "a\tb", "5"]),
        ('g1\t"\t5', ["g1", '"', "5"]),
        ('g1\t""\t5', ["g1", "", "5"]),
    ],
)
def test_quotes_among_tabs(tmp_path: Path, text: str, fields: list[str]) -> None:
    lines = f'gene_id\tdescription\tE003\n{text}\ng2\t"\t1\n'
    assert rows_of(tmp_path / "a.tsv", lines)[1:] == [(2, fields), (3, ["g2", '"', "1"])]


@pytest.mark.parametrize("text", ['g1,"abnormal,5', 'g1,"a\nb",5', 'g1,"a"b,5'])
def test_quotes_among_commas_are_closed_in_their_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(TableError, match=r"quote that opens a field of a\.csv, line 2 to be clos"):
        rows_of(tmp_path / "a.csv", f"gene_id,description,E003\n{text}\n")
