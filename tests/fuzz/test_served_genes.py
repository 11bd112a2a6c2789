import gzip
from pathlib import Path

import pytest
from harness import Outcome, check, damaged_text, fuzz

from serving.csv_genes import iter_csv
from serving.errors import InputError
from serving.web.uploads import read_text

WHOLE = b"""gene_id,bin,H3K4me3,H3K9me3,label
TNMD,1,0,12,1
TNMD,2,3,2.5,1
A1BG,1,0,0,0
A1BG,2,1e1,7,0
"""
SEMICOLONS = WHOLE.replace(b".", b"X").replace(b",", b";").replace(b"X", b",")
DAMAGED = damaged_text(WHOLE) | damaged_text(SEMICOLONS)


def read(path: Path) -> object:
    return list(iter_csv(path))


def read_upload(path: Path) -> object:
    return read_text(path.read_bytes(), path.name, num_bins=2, max_genes=100)


@fuzz(DAMAGED)
def test_any_damage_of_a_file(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "genes.csv"
    path.write_bytes(content)
    return check(read, path)


@fuzz(DAMAGED)
def test_any_damage_of_an_upload(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "genes.csv"
    path.write_bytes(content)
    return check(read_upload, path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (WHOLE + b"G" + b"1" * 2**21, "lines of at most 1,048,576 characters.*line 6"),
        (gzip.compress((b" " * 2**16 + b"\n") * 2**7), "unpacks to over 500 times its size"),
        (gzip.compress(b"# \n" * 1_000_002), "1,000,000 lines that are empty or remarks"),
        (gzip.compress(WHOLE + b"\n" * 1_000_002), "csv after line 5. Received: 1,000,000 lines"),
        (WHOLE.replace(b"A1BG", b"A1\0BG"), r"line 4: A1\\x00BG, with a NUL byte"),
        ("".join(f"A,{n},1\n" for n in range(1, 100_003)).encode(), "at most 100,000 bins a gene"),
    ],
)
def test_what_would_take_all_memory_or_time(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "genes.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=fault):
        list(iter_csv(path, marks=["H3K4me3"] if content.startswith(b"A,") else None))


def test_a_heading_of_many_marks_that_are_one(tmp_path: Path) -> None:
    """Its escapes made a long message longer still."""
    path = tmp_path / "genes.csv"
    path.write_bytes(b"gene_id,bin" + b",\0\xe2\x80\xae" * 5000 + b"\nA,1" + b",1" * 5000)
    with pytest.raises(InputError, match="Expected each mark once") as caught:
        list(iter_csv(path))
    assert len(str(caught.value)) < 1000
