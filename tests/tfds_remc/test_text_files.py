import gzip
from pathlib import Path

import pytest

from tfds_remc.remc.errors import InputError
from tfds_remc.remc.text_files import open_text


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
    with pytest.raises(TableError, match=r"complete gzipped file\. Received: a\.gz .* again\.$"):
        read(tmp_path / "a.gz", gzip.compress(b"a\tb\n")[:-9])
    with pytest.raises(TableError, match=r"Expected a text file\. Received: a\.bam"):
        read(tmp_path / "a.bam", b"BAM\x01\xff\x00\n")
