import gzip
from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.expression import ExpressionTableError, label_high, read_expression

GENES = ("ENSG00000000003", "ENSG00000000005", "ENSG00000000419", "ENSG00000000457")
RPKM = ((43.985, 9.8), (1.642, 14.2), (0.0, 100.0), (3.0, 0.5))


def write_table(path: Path, *, is_original: bool = False, genes: tuple[str, ...] = GENES) -> Path:
    """Writes the table; the original has E000, and a trailing tab on the data lines only."""
    header = ["gene_id", *(["E000"] if is_original else []), "E003", "E004"]
    lines = ["\t".join(header)]
    for gene, values in zip(genes, RPKM, strict=True):
        fields = [gene, *(["7.000"] if is_original else []), *(f"{value:.3f}" for value in values)]
        lines.append("\t".join(fields) + ("\t" if is_original else ""))
    path.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    return path


@pytest.mark.parametrize("is_original", [False, True], ids=["plain", "original download"])
def test_both_layouts(tmp_path: Path, is_original: bool) -> None:
    path = write_table(tmp_path / "rpkm.gz", is_original=is_original)
    expression = read_expression(path, "E004")
    assert expression.rpkm(GENES).tolist() == [9.8, 14.2, 100.0, 0.5]
    assert expression.median_rpkm == pytest.approx((9.8 + 14.2) / 2)
    assert read_expression(path, "E003").rpkm(GENES[:2]).tolist() == [43.985, 1.642]


def test_a_gene_that_is_not_in_the_table_has_no_rpkm(tmp_path: Path) -> None:
    expression = read_expression(write_table(tmp_path / "rpkm.gz"), "E003")
    rpkm = expression.rpkm(["ENSG00000999999", GENES[3]])
    np.testing.assert_array_equal(rpkm, [np.nan, 3.0])


def test_labels_compare_numbers_not_strings() -> None:
    rpkm = np.array([9.8, 14.2, 12.0, np.nan, 100.0])
    assert label_high(rpkm, 12.0).tolist() == [0, 1, 0, -1, 1]


def test_unknown_epigenome_lists_the_columns(tmp_path: Path) -> None:
    path = write_table(tmp_path / "rpkm.gz")
    with pytest.raises(ExpressionTableError, match=r"E999 in rpkm\.gz.*gene_id, E003, E004"):
        read_expression(path, "E999")


def test_a_gene_that_stands_twice(tmp_path: Path) -> None:
    path = write_table(tmp_path / "rpkm.gz", genes=(*GENES[:3], GENES[0]))
    with pytest.raises(ExpressionTableError, match=r"once in rpkm\.gz.*ENSG00000000003 more than"):
        read_expression(path, "E003")


@pytest.mark.parametrize("text", ["", "NA", "much", "-1.0", "inf"])
def test_an_rpkm_that_is_no_number(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rpkm.gz"
    path.write_bytes(
        gzip.compress(f"gene_id\tE003\n{GENES[0]}\t1.0\n{GENES[1]}\t{text}\n".encode())
    )
    with pytest.raises(ExpressionTableError, match=rf"{GENES[1]}.*line 3\)\. Received: '{text}'"):
        read_expression(path, "E003")


def test_a_header_only(tmp_path: Path) -> None:
    path = tmp_path / "rpkm.gz"
    path.write_bytes(gzip.compress(b"gene_id\tE003\n"))
    with pytest.raises(ExpressionTableError, match="a header only"):
        read_expression(path, "E003")


def test_a_damaged_table(tmp_path: Path) -> None:
    path = write_table(tmp_path / "rpkm.gz")
    whole = path.read_bytes()
    for damaged in (whole[:-12], b"gene_id\tE003\n"):
        path.write_bytes(damaged)
        with pytest.raises(ExpressionTableError, match=r"complete gzipped.*rpkm\.gz"):
            read_expression(path, "E003")


@pytest.mark.real_data
def test_real_medians(real_data: Path) -> None:
    """Over the 19,795 genes of the table; the published ones count seven genes twice."""
    table = real_data / "remc" / "57epigenomes.RPKM.pc.gz"
    for epigenome, median, published in (("E003", 3.329, 3.33), ("E012", 3.895, 3.898)):
        expression = read_expression(table, epigenome)
        assert len(expression.rpkm_of) == 19795
        assert expression.median_rpkm == median
        assert expression.median_rpkm == pytest.approx(published, abs=0.01)
