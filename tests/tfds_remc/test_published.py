import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.published import PublishedFormatError, read_published

WriteArchive = Callable[[Path, Mapping[str, bytes]], Path]
Rows = Callable[..., list[str]]
ToCsv = Callable[..., bytes]
TRAIN = "E003/classification/train.csv"


def test_reads_every_gene_of_every_split(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: WriteArchive,
    gene_ids: list[str],
    golden_signal: Callable[[int], np.ndarray],
) -> None:
    archive = write_archive(tmp_path / "data.tar.gz", members)
    splits = read_published(archive, "E003", gene_ids)
    assert list(splits) == ["train", "valid", "test"]
    train = splits["train"]
    assert train.gene_id.tolist() == ["ENSG00000000003", "ENSG00000000005", "ENSG00000000419"]
    assert train.signal.dtype == np.float32
    np.testing.assert_array_equal(train.signal, [golden_signal(gene) for gene in (3, 5, 419)])
    assert train.label.tolist() == [0, 1, 0]
    assert train.name == f"data.tar.gz:{TRAIN}"
    assert train.size == len(members[TRAIN])
    assert train.md5 == hashlib.md5(members[TRAIN]).hexdigest()


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n \r\n", b",,,,,,,\n,,,,,,,\n\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte-order mark"])
def test_what_a_spreadsheet_adds(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: WriteArchive,
    gene_ids: list[str],
    golden_signal: Callable[[int], np.ndarray],
    end: bytes,
    mark: bytes,
) -> None:
    rows = members[TRAIN]
    members[TRAIN] = mark + rows + end
    archive = write_archive(tmp_path / "data.tar.gz", members)
    train = read_published(archive, "E003", gene_ids)["train"]
    np.testing.assert_array_equal(train.signal, [golden_signal(gene) for gene in (3, 5, 419)])
    assert train.size == len(members[TRAIN])
    members[TRAIN] = rows.rstrip(b"\n") + b",\n" + end
    archive = write_archive(tmp_path / "data.tar.gz", members)
    with pytest.raises(PublishedFormatError, match=r"8 columns.*Received: 9 columns .*line 300\)"):
        read_published(archive, "E003", gene_ids)


def test_a_gene_id_that_stands_twice_is_kept_twice(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: WriteArchive,
    rows: Rows,
    to_csv: ToCsv,
    gene_ids: list[str],
) -> None:
    members[TRAIN] = to_csv(rows(3, label=0), rows(3, label=1), rows(5))
    splits = read_published(write_archive(tmp_path / "a.tar.gz", members), "E003", gene_ids)
    assert splits["train"].gene_id.tolist() == ["ENSG00000000003"] * 2 + ["ENSG00000000005"]
    assert splits["train"].label.tolist() == [0, 1, 0]
    assert splits["test"].gene_id.tolist()[0] == splits["test"].gene_id.tolist()[2]


@pytest.mark.parametrize("prefix", ["./", "deep/and/deeper/"])
def test_epigenome_folders_lie_at_any_depth(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: WriteArchive,
    gene_ids: list[str],
    prefix: str,
) -> None:
    others = {name.replace("E003", "E0031"): b"not ours" for name in members}
    reversed_members = dict(reversed(members.items()))
    deep = {prefix + name: text for name, text in (others | reversed_members).items()}
    splits = read_published(write_archive(tmp_path / "a.tar.gz", deep), "E003", gene_ids)
    assert list(splits) == ["train", "valid", "test"]
    assert splits["train"].gene_id[0] == "ENSG00000000003"


def test_reads_no_further_than_the_third_csv(
    tmp_path: Path, members: dict[str, bytes], write_archive: WriteArchive, gene_ids: list[str]
) -> None:
    noise = np.random.default_rng(0).bytes(4_000_000)
    archive = write_archive(tmp_path / "a.tar.gz", members | {"E999/noise": noise})
    with archive.open("r+b") as file:
        file.truncate(archive.stat().st_size // 2)
    assert len(read_published(archive, "E003", gene_ids)) == 3


def test_reads_an_unpacked_folder(
    tmp_path: Path, members: dict[str, bytes], gene_ids: list[str]
) -> None:
    for name, text in members.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text)
    splits = read_published(tmp_path / "E003", "E003", gene_ids)
    assert splits["valid"].name == "E003/classification/valid.csv"
    (tmp_path / TRAIN).unlink()
    with pytest.raises(PublishedFormatError, match=r"Expected E003/classification/train\.csv"):
        read_published(tmp_path / "E003", "E003", gene_ids)


def _edit(row: int, column: int, value: str) -> Callable[[list[str]], None]:
    def edit(lines: list[str]) -> None:
        fields = lines[row].split(",")
        fields[column] = value
        lines[row] = ",".join(fields)

    return edit


def _delete(row: int) -> Callable[[list[str]], None]:
    return lambda lines: lines.pop(row) and None


def _insert(row: int, line: str) -> Callable[[list[str]], None]:
    return lambda lines: lines.insert(row, line)


def _swap(row: int) -> Callable[[list[str]], None]:
    def swap(lines: list[str]) -> None:
        lines[row], lines[row + 1] = lines[row + 1], lines[row]

    return swap


FAULTS = {
    "missing bin": (_delete(156), r"Expected bin 57 of gene ENSG00000000005.*bin=58 .*line 157"),
    "99 rows": (_delete(199), r"100 rows for gene ENSG00000000005\. Received: 99 rows .*line 200"),
    "99 rows at the end": (
        _delete(299),
        r"100 rows for gene ENSG00000000419\. Received: 99 rows .*line 299",
    ),
    "101 rows": (
        _insert(200, "000005,101,0,0,0,0,0,1"),
        r"100 rows for gene ENSG00000000005\. Received: one more, bin=101 .*line 201",
    ),
    "repeated bin": (
        _edit(150, 1, "50"),
        r"Expected bin 51 of gene ENSG00000000005.*bin=50 .*line 151",
    ),
    "bins out of order": (
        _swap(120),
        r"Expected bin 21 of gene ENSG00000000005.*bin=22 .*line 121",
    ),
    "bin 0": (_edit(100, 1, "0"), r"Expected bin 1 of gene ENSG00000000005.*bin=0 .*line 101"),
    "negative": (
        _edit(3, 4, "-2"),
        r"H3K4me1 of gene ENSG00000000003, bin 4.*H3K4me1='-2'.*line 4",
    ),
    "nan": (_edit(3, 2, "nan"), r"H3K27me3 of gene ENSG00000000003, bin 4.*'nan' .*line 4"),
    "empty": (_edit(3, 6, ""), r"H3K9me3 of gene ENSG00000000003, bin 4.*H3K9me3='' .*line 4"),
    "infinite": (_edit(7, 5, "inf"), r"H3K4me3 of gene ENSG00000000003, bin 8.*'inf' .*line 8"),
    "overflow": (_edit(7, 5, "1e300"), r"H3K4me3 of gene ENSG00000000003.*'1e300' .*line 8"),
    "text": (_edit(299, 3, "many"), r"H3K36me3 of gene ENSG00000000419, bin 100.*'many'.*line 300"),
    "text as bin": (_edit(299, 1, "x"), r"whole number as bin\. Received: bin='x' .*line 300"),
    "text as gene": (
        _edit(0, 0, "TP53"),
        r"whole number as gene\. Received: gene='TP53' .*line 1\b",
    ),
    "unknown gene": (
        lambda lines: lines.__setitem__(
            slice(100, 200), [line.replace("000005", "999999") for line in lines[100:200]]
        ),
        r"gene of the gene table\. Received: gene_id='ENSG00000999999' .*line 101",
    ),
    "gene changes in the middle": (
        _edit(150, 0, "000003"),
        r"100 rows for gene ENSG00000000005\. Received: 50 rows .*line 151",
    ),
    "label 2 on every row": (
        lambda lines: lines.__setitem__(
            slice(100, 200), [line[:-1] + "2" for line in lines[100:200]]
        ),
        r"label 0 or 1 for gene ENSG00000000005.*label='2'.*line 101",
    ),
    "label 2": (_edit(100, 7, "2"), r"label 0 or 1 for gene ENSG00000000005.*label='2'.*line 101"),
    "label -1": (_edit(100, 7, "-1"), r"label 0 or 1 for gene ENSG00000000005.*'-1' .*line 101"),
    "no label": (_edit(100, 7, ""), r"label 0 or 1 for gene ENSG00000000005.*'' .*line 101"),
    "label changes": (
        _edit(142, 7, "0"),
        r"one label for gene ENSG00000000005, 1 as on its first row.*label='0' .*line 143",
    ),
    "blank line": (_insert(100, ""), r"Expected 8 columns.*Received: 1 columns .*line 101"),
}


@pytest.mark.parametrize(("damage", "match"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_rows_names_line_gene_and_mark(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: WriteArchive,
    gene_ids: list[str],
    damage: Callable[[list[str]], None],
    match: str,
) -> None:
    lines = members[TRAIN].decode().splitlines()
    damage(lines)
    members[TRAIN] = ("\n".join(lines) + "\n").encode()
    archive = write_archive(tmp_path / "data.tar.gz", members)
    with pytest.raises(PublishedFormatError, match=match) as raised:
        read_published(archive, "E003", gene_ids)
    assert f"data.tar.gz:{TRAIN}, line " in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "num_columns"), [(slice(0, None), 7), (slice(0, None), 9), (slice(42, 43), 7)]
)
def test_wrong_number_of_columns(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: WriteArchive,
    gene_ids: list[str],
    lines: slice,
    num_columns: int,
) -> None:
    rows = members[TRAIN].decode().splitlines()
    rows[lines] = [",".join((row + ",0").split(",")[:num_columns]) for row in rows[lines]]
    members[TRAIN] = "\n".join(rows).encode()
    archive = write_archive(tmp_path / "a.tar.gz", members)
    match = rf"Expected 8 columns.*Received: {num_columns} columns .*line {lines.start + 1}\)"
    with pytest.raises(PublishedFormatError, match=match):
        read_published(archive, "E003", gene_ids)


def test_empty_csv(
    tmp_path: Path, members: dict[str, bytes], write_archive: WriteArchive, gene_ids: list[str]
) -> None:
    members[TRAIN] = b""
    archive = write_archive(tmp_path / "a.tar.gz", members)
    with pytest.raises(PublishedFormatError, match=r"an empty file \(a\.tar\.gz:E003/.*train\.csv"):
        read_published(archive, "E003", gene_ids)


def test_truncated_archive(
    tmp_path: Path, members: dict[str, bytes], write_archive: WriteArchive, gene_ids: list[str]
) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", members)
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(PublishedFormatError, match=r"a\.tar\.gz, truncated or damaged .*again"):
        read_published(archive, "E003", gene_ids)


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>"])
def test_not_an_archive(tmp_path: Path, gene_ids: list[str], content: bytes) -> None:
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(content)
    with pytest.raises(PublishedFormatError, match="Expected a complete gzipped tar archive"):
        read_published(archive, "E003", gene_ids)


@pytest.mark.parametrize("name", ["../E003/classification/train.csv", "/etc/passwd", "a/../../b"])
def test_unsafe_paths_are_refused(
    tmp_path: Path,
    members: dict[str, bytes],
    write_archive: WriteArchive,
    gene_ids: list[str],
    name: str,
) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", {name: b"", **members})
    with pytest.raises(PublishedFormatError, match=rf"without '\.\.' in a.*Received: '{name}'"):
        read_published(archive, "E003", gene_ids)


def test_a_member_that_stands_twice(
    tmp_path: Path, members: dict[str, bytes], write_archive: WriteArchive, gene_ids: list[str]
) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", {f"old/{TRAIN}": members[TRAIN], **members})
    with pytest.raises(PublishedFormatError, match=rf"Expected {TRAIN} once in a\.tar\.gz"):
        read_published(archive, "E003", gene_ids)


def test_an_epigenome_that_is_not_there_lists_those_that_are(
    tmp_path: Path, members: dict[str, bytes], write_archive: WriteArchive, gene_ids: list[str]
) -> None:
    archive = write_archive(tmp_path / "a.tar.gz", members | {"x/E012/classification/x.csv": b""})
    with pytest.raises(PublishedFormatError, match="Received: an archive of E003, E012"):
        read_published(archive, "E004", gene_ids)


def test_an_epigenome_without_one_split(
    tmp_path: Path, members: dict[str, bytes], write_archive: WriteArchive, gene_ids: list[str]
) -> None:
    del members[TRAIN]
    archive = write_archive(tmp_path / "a.tar.gz", members)
    with pytest.raises(PublishedFormatError, match="Received: only test, valid"):
        read_published(archive, "E003", gene_ids)
