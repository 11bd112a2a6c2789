import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Outcome, check, damaged, fuzz

from tfds_remc.remc.published import PublishedFormatError, read_published

NUM_BINS = 2
GENES = ["ENSG00000000003", "ENSG00000000005"]
CSV = b"".join(b"%06d,%d,1,0,2,3,4,1\n" % (gene, row) for gene in (3, 5) for row in (1, 2))


def read(path: Path) -> object:
    return read_published(path, "E003", GENES, num_bins=NUM_BINS)


def tar_of(*further: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A sound archive with members before those that are read."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in further:
            archive.addfile(member, io.BytesIO(content))
        for split in ("train", "valid", "test"):
            member = tarfile.TarInfo(f"E003/classification/{split}.csv")
            member.size = len(CSV)
            archive.addfile(member, io.BytesIO(CSV))
    return file.getvalue()


@fuzz(damaged(gzip.compress(tar_of(), mtime=0)) | damaged(tar_of()).map(gzip.compress))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "data.tar.gz"
    path.write_bytes(content)
    return check(read, path)


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
HOSTILE = {
    "traversal": (member("../a.csv"), r"without '\.\.' in data\.tar\.gz\. Received: '\.\./a\.csv'"),
    "absolute": (member("/tmp/a.csv"), r"Received: '/tmp/a\.csv'"),
    "link": (member("E003/classification/train.csv", **LINK), r"train\.csv', a link, a device"),
    "hard link": (member("a", type=tarfile.LNKTYPE, linkname="b"), r"'a', a link, a device"),
    "device": (member("zero", type=tarfile.CHRTYPE, devmajor=1, devminor=5), r"'zero', a link"),
    "pipe": (member("pipe", type=tarfile.FIFOTYPE), r"'pipe', a link, a device"),
    "sparse": (
        member("a.csv", pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 50)}),
        r"'a\.csv', a link, a device or a sparse file",
    ),
    "giant": (
        member("E003/classification/train.csv", pax_headers={"size": str(1 << 40)}),
        r"at most 268,435,456 bytes a CSV in data\.tar\.gz\. Received: .* of 1,099,511,627,776",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_members(case: str, tmp_path: Path) -> None:
    hostile, message = HOSTILE[case]
    path = tmp_path / "data.tar.gz"
    path.write_bytes(gzip.compress(tar_of((hostile, b""))))
    with pytest.raises(PublishedFormatError, match=message):
        read(path)
    assert [each.name for each in tmp_path.iterdir()] == ["data.tar.gz"]


def zeros(start: bytes) -> bytes:
    """A gigabyte of them behind it, in a megabyte."""
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb") as packed:
        packed.write(start)
        for _ in range(1 << 10):
            packed.write(bytes(1 << 20))
    return file.getvalue()


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (lambda: member("notes", size=1 << 40).tobuf(), "at most 200 bytes for each"),
        (
            lambda: member("x", size=1 << 30, type=tarfile.XHDTYPE).tobuf(),
            r"a header of 1,073,741,824 bytes",
        ),
        (
            lambda: member("x", size=1 << 30, type=tarfile.GNUTYPE_LONGNAME).tobuf(),
            r"a header of 1,073,741,824 bytes",
        ),
    ],
    ids=["member", "attributes", "name"],
)
def test_bombs(start: Callable[[], bytes], message: str, tmp_path: Path) -> None:
    path = tmp_path / "data.tar.gz"
    path.write_bytes(zeros(start()))
    with pytest.raises(PublishedFormatError, match=message):
        read(path)
    assert "data.tar.gz" in check(read, path).refusal


def test_a_label_without_bounds(tmp_path: Path) -> None:
    """It was a TypeError of pandas."""
    path = tmp_path / "data.tar.gz"
    path.write_bytes(gzip.compress(tar_of().replace(b"4,1\n000005", b"4,i\n000005")))
    assert "label='i'" in check(read, path).refusal
    folder = tmp_path / "E003"
    (folder / "classification").mkdir(parents=True)
    for split in ("train", "valid", "test"):
        content = CSV.replace(b",1\n000005", b",inf\n000005")
        (folder / "classification" / f"{split}.csv").write_bytes(content)
    assert "label='inf'" in check(read, folder).refusal
