import gzip
import os
from pathlib import Path

import pytest

from tfds_remc.remc.file_types import bigwig_fault, gzip_fault

CONTENT = gzip.compress(os.urandom(200_000), compresslevel=0)
BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""Also a BGZF file without content: every block has this layout."""


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (gzip.compress(b"chr1\t0\t36\n", mtime=0), ""),
        (gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), ""),
        (BGZF_END * 2, ""),
        (BGZF_END + b"\0" * 8, "truncated BGZF"),
        (b"", "something other than gzip"),
        (b"<html>", "something other than gzip"),
        (CONTENT[:-1], "damaged gzip (Compressed file ended"),
        (CONTENT[:5000] + b"\0" + CONTENT[5001:], "damaged gzip (CRC check failed"),
    ],
)
def test_gzip_fault(content: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    found = gzip_fault(tmp_path / "file")
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


MAGIC = (0x888FFC26).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (MAGIC + b"..." + MAGIC, ""),
        (MAGIC[::-1] + b"..." + MAGIC[::-1], ""),
        (MAGIC + b"..." + MAGIC[:-1], "truncated bigWig"),
        (MAGIC, "truncated bigWig"),
        (MAGIC + MAGIC[-2:], "truncated bigWig"),
        (b"<html>" + MAGIC, "something other than bigWig"),
        (b"", "something other than bigWig"),
    ],
)
def test_bigwig_fault(content: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    assert bigwig_fault(tmp_path / "file") == fault


@pytest.mark.real_data
def test_real_files_are_sound_and_their_beginnings_are_not(real_data: Path, tmp_path: Path) -> None:
    for suffix, find_fault in (("tagAlign.gz", gzip_fault), ("depth.bigwig", bigwig_fault)):
        paths = sorted((real_data / "raw").glob(f"*.{suffix}"))
        assert len(paths) == 7
        assert [find_fault(path) for path in paths] == [""] * 7
        beginning = tmp_path / suffix
        beginning.write_bytes(paths[0].read_bytes()[:-1000])
        assert find_fault(beginning)
