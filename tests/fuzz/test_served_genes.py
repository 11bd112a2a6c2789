from pathlib import Path

from harness import Outcome, check, damaged_text, fuzz

from serving.csv_genes import read_csv
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
    return read_csv(path)


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
