from pathlib import Path

import pytest
from harness import Outcome, check, damaged_text, fuzz

from tfds_remc.remc.samples import SampleSheetError, read_sample_sheet

WHOLE = b"""# of two epigenomes
epigenome,mark,path,control,file_type
K562,H3K4me3,a.bed,,tagAlign
K562,H3K27me3,"a.bed",a.bed,bedGraph
GM12878,H3K4me3,./a.bed,,bam
"""


def read(path: Path) -> object:
    return read_sample_sheet(path)


@fuzz(damaged_text(WHOLE) | damaged_text(WHOLE.replace(b",", b"\t")))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    (tmp_path / "a.bed").touch()
    path = tmp_path / "sheet.csv"
    path.write_bytes(content)
    return check(read, path)


@pytest.mark.parametrize(
    "name",
    [
        "~nobody-of-that-name/a.bed",
        "a" * 5000,
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    path = tmp_path / "sheet.csv"
    path.write_text(f"epigenome,mark,path\nK562,H3K4me3,{name}\n")
    with pytest.raises(SampleSheetError, match=r"Expected a file in sheet\.csv, line 2\. Received"):
        read(path)


def test_a_column_twice(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    path.write_bytes(WHOLE.replace(b"control", b"mark"))
    with pytest.raises(
        SampleSheetError, match=r"each column once in sheet\.csv\. Received: mark tw"
    ):
        read(path)
