from pathlib import Path

import pytest
from harness import Outcome, check, damaged_text, fuzz

from tfds_remc.remc.annotations import GeneTableError
from tfds_remc.remc.gene_table import read_gene_table

WHOLE = b"""gene_id,symbol,chrom,tss,strand,transcript_id
ENSG00000000003.14,TSPAN6,chrX,99894988,-,ENST00000373020
ENSG00000000005,"TNMD",chrX,99839799,+,ENST00000373031

ENSG00000000419,,20,49575092,.,ENST00000371588
"""
GENE_INFO = b"""ENSG00000000003\tX\t99883667\t99894988\t-1\tprotein_coding\tTSPAN6\ttetraspanin
ENSG00000000005\tX\t99839799\t99854882\t1\tprotein_coding\tTNMD\ttenomodulin "2"
"""


def read(path: Path) -> object:
    return read_gene_table(path)


@fuzz(damaged_text(WHOLE) | damaged_text(WHOLE.replace(b",", b"\t")) | damaged_text(GENE_INFO))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "genes.tsv"
    path.write_bytes(content)
    return check(read, path)


def test_a_column_twice(tmp_path: Path) -> None:
    path = tmp_path / "genes.csv"
    path.write_bytes(WHOLE.replace(b"transcript_id", b"symbol", 1))
    with pytest.raises(GeneTableError, match=r"symbol and transcript_id at most once\. Received:"):
        read(path)
