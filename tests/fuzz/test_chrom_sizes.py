"""Chromosome sizes, as UCSC has them."""

from pathlib import Path

import pytest
from harness import Outcome, check, damaged_text, fuzz

from keras_chrome.tracks.files import read_chrom_sizes


def read(path: Path) -> object:
    return read_chrom_sizes(path)


@fuzz(damaged_text(b"# hg19\nchr1\t249250621\nchr2\t243199373\nchrX\t155270560\n"))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "chrom.sizes"
    path.write_bytes(content)
    return check(read, path)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"chr1 " + b"9" * 5000, b"a" * 10**6])
def test_what_once_failed_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "chrom.sizes"
    path.write_bytes(content)
    assert f"{path}, line 1: " in check(read, path).refusal
