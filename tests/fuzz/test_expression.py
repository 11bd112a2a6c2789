from pathlib import Path

import pytest
from harness import Outcome, check, damaged_text, fuzz

from tfds_remc.remc.expression import ExpressionTableError, read_expression
from tfds_remc.remc.expression_elsewhere import read_expression_elsewhere

WHOLE = b"""gene_id\tE000\tE003\tE004
ENSG00000000003\t23.265\t43.985\t37.413
ENSG00000000005\t0\tNA\t0.07
ENSG00000000419\t25.6\t1e2\t3.5
__no_feature\t8\t9\t10
"""
GCT = b'#1.2\n2\t2\nName\tDescription\tE003\nENSG01.2\t"a\tb"\t7.5\nENSG02.1\tc\t1\n'


def read(path: Path) -> object:
    return read_expression(path, "E003"), read_expression_elsewhere(path, "E003")


@fuzz(damaged_text(WHOLE) | damaged_text(WHOLE.replace(b"\t", b",")) | damaged_text(GCT))
def test_any_damage(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "rpkm.tsv"
    path.write_bytes(content)
    return check(read, path)


@pytest.mark.parametrize(
    "value", ["1e308", "3.5e38", "9" * 5000, "1e400", "inf", "0x1F", "1_0", "-1"]
)
def test_values_that_are_none(tmp_path: Path, value: str) -> None:
    """Of two such as 1e308 the median was infinite."""
    path = tmp_path / "rpkm.tsv"
    path.write_bytes(WHOLE.replace(b"43.985", value.encode()))
    where = r"gene ENSG00000000003, epigenome E003 \(rpkm\.tsv, line 2\)\. Received: "
    with pytest.raises(ExpressionTableError, match=where):
        read(path)
