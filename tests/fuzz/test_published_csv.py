from pathlib import Path

import pytest
from harness import Outcome, check, damaged, fuzz

from tfds_remc.remc.published import PublishedFormatError, read_published

BINS = 3
WHOLE = "".join(
    f"{gene},{bin_},{gene},0,{bin_},2.5,12,{gene % 2}\n"
    for gene in (3, 5, 419)
    for bin_ in (1, 2, 3)
).encode()
GENES = {f"ENSG{gene:011d}" for gene in (3, 5, 419)}
SPLITS = ("train", "valid", "test")


def read(folder: Path) -> object:
    return read_published(folder, "E003", GENES, num_bins=BINS)


def write(folder: Path, content: bytes) -> Path:
    (folder / "classification").mkdir(exist_ok=True)
    for split in SPLITS:
        (folder / "classification" / f"{split}.csv").write_bytes(
            content if split == "valid" else WHOLE
        )
    return folder


@fuzz(
    damaged(WHOLE)
    | damaged(WHOLE.replace(b"\n", b"\r\n"))
    | damaged(WHOLE.decode().encode("utf-16"))
)
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    return check(read, write(tmp_path, content))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"5,1,", b"9" * 5000 + b",1,", "Expected a whole number as gene. Received: gene='999"),
        (b"5,2,", b"5," + b"9" * 5000 + b",", "Expected a whole number as bin. Received: bin='999"),
        (b"5,1,", "\u0665,1,".encode(), "Expected a whole number as gene."),
        (b"2.5,12,1", b"2.5,1\x002,1", "Received: H3K9me3='1.x002'"),
        (b"2.5,12,1", b"2.5,1e400,1", "Received: H3K9me3='1e400'"),
        (b"2.5,12,1", b"2.5,-0x1,1", "Received: H3K9me3='-0x1'"),
    ],
)
def test_numbers_that_are_none(tmp_path: Path, old: bytes, new: bytes, fault: str) -> None:
    content = WHOLE.replace(old, new, 1)
    assert content != WHOLE
    with pytest.raises(PublishedFormatError, match=rf"{fault}.*classification/valid\.csv, line"):
        read(write(tmp_path, content))


@pytest.mark.timeout(120)
def test_a_line_of_a_megabyte_is_no_table_of_as_many_columns(tmp_path: Path) -> None:
    content = WHOLE[:14] * 2**16 + WHOLE
    with pytest.raises(PublishedFormatError, match=r"Expected 8 columns.*valid\.csv, line 1\)"):
        read(write(tmp_path, content))
