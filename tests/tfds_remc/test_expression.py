import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tfds_remc.remc.expression import (
    Expression,
    ExpressionTableError,
    label_high,
    label_warnings,
    read_expression,
)
from tfds_remc.remc.gene_table import read_gene_table

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


@pytest.mark.parametrize("is_gzipped", [False, True], ids=["plain", "gzipped"])
@pytest.mark.parametrize(
    "text",
    [
        "gene_id\tE003\tE004\nENSG00000000003.14\t1.5\t3\nENSG00000000005\t2e1\t4\n",
        "gene_id,E003,E004\r\nENSG00000000003,1.5,3\r\nENSG00000000005,20,4\r\n",
        "\ufeffgene_id,E003\nENSG00000000003.14,1.5\nENSG00000000005.2,20\n",
        "# made by hand\n\ngene_id\tE003\nENSG00000000003\t1.5\n\n#\nENSG00000000005\t20\n",
        "symbol\tE003\tgene_id\nTSPAN6\t1.5\tENSG00000000003\nTNMD\t20\tENSG00000000005\n",
        '"","E003"\n"ENSG00000000003","1.5"\n"ENSG00000000005","20"\n',
        "E004\tE003\nENSG00000000003\t7\t1.5\nENSG00000000005\t7\t20\n",
        "gene_id\tE003\t\nENSG00000000003\t1.5\t\nENSG00000000005\t20\t\n",
    ],
    ids=[
        *("versions", "csv, crlf", "byte-order mark", "comments", "gene_id last"),
        *("first column without name", "header one short", "trailing tab"),
    ],
)
def test_own_tables(tmp_path: Path, text: str, is_gzipped: bool) -> None:
    path = tmp_path / "own table.txt"
    path.write_bytes(gzip.compress(text.encode()) if is_gzipped else text.encode())
    expression = read_expression(path, "E003", unit="TPM")
    assert expression.rpkm_of == {"ENSG00000000003": 1.5, "ENSG00000000005": 20.0}
    assert expression.unit == "TPM"


def test_unknown_values_have_no_part_in_the_median(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene_id,E003\na,1\nb,NA\nc,\nd,NaN\ne,n/a\nf,3\ng,#N/A\nh,null\ni,-\n")
    expression = read_expression(path, "E003")
    known = [1, *[np.nan] * 4, 3, *[np.nan] * 3]
    np.testing.assert_array_equal(expression.rpkm(list("abcdefghi")), known)
    assert expression.median_rpkm == 2.0


def test_match_counts_what_has_no_counterpart() -> None:
    expression = Expression({"a": 1.0, "b": np.nan, "c": 3.0, "d": 4.0}, 3.0)
    matched = expression.match(["b", "c", "c", "x", "y", "z"])
    np.testing.assert_array_equal(matched.rpkm, [np.nan, 3, 3, np.nan, np.nan, np.nan])
    assert matched.num_regions_not_in_table == 3
    assert matched.num_regions_unknown == 1
    assert matched.num_genes_without_region == 2


def test_ids_of_two_kinds() -> None:
    expression = Expression({"TSPAN6": 1.0}, 1.0)
    with pytest.raises(ExpressionTableError, match=r"such as TSPAN6.*1 other genes, such as ENSG0"):
        expression.match([GENES[0]])


def test_labels_are_the_same_in_rpkm_and_tpm(tmp_path: Path) -> None:
    rpkm = np.array([0.0, 1.0, 2.5, 7.0, 80.0])
    labels = []
    for values in (rpkm, rpkm / rpkm.sum() * 1e6):
        path = tmp_path / "own.csv"
        rows = "".join(f"g{row},{value!r}\n" for row, value in enumerate(values.tolist()))
        path.write_text("gene_id,E003\n" + rows)
        expression = read_expression(path, "E003")
        genes = [f"g{row}" for row in range(5)]
        labels.append(label_high(expression.rpkm(genes), expression.median_rpkm).tolist())
    assert labels == [[0, 0, 0, 1, 1]] * 2


def test_unknown_epigenome_lists_the_columns(tmp_path: Path) -> None:
    path = write_table(tmp_path / "rpkm.gz")
    for missing in ("E999", "gene_id"):
        with pytest.raises(
            ExpressionTableError,
            match=rf"one column {missing} in rpkm\.gz\. Received: E003, E004\.",
        ):
            read_expression(path, missing)


def test_a_gene_that_stands_twice(tmp_path: Path) -> None:
    path = write_table(tmp_path / "rpkm.gz", genes=(*GENES[:3], f"{GENES[0]}.7"))
    with pytest.raises(
        ExpressionTableError,
        match=rf"once in rpkm\.gz.*{GENES[0]} with '43\.985' in line 2 and '3\.000' in line 5",
    ):
        read_expression(path, "E003")


def test_a_line_that_stands_twice_counts_once(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(f"gene_id,E003\n{GENES[0]},1\n{GENES[1]},3\n{GENES[1]}.2,3\n{GENES[2]},9\n")
    expression = read_expression(path, "E003")
    assert expression.warnings == ("own.csv: 1 lines left out that repeat another",)
    assert expression.median_rpkm == 3.0


def test_a_gene_of_the_y_chromosome_stays_apart(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene_id,E003\nENSG00000002586.18,8\nENSG00000002586.18_PAR_Y,0\n")
    expression = read_expression(path, "E003")
    assert expression.rpkm_of == {"ENSG00000002586": 8.0, "ENSG00000002586_PAR_Y": 0.0}


@pytest.mark.parametrize("text", ["much", "-1.0", "inf", "1,5", "1_000", "1,234.5", "1.234.567"])
def test_a_value_that_is_no_expression(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rpkm.gz"
    path.write_bytes(
        gzip.compress(f"# comment\ngene_id\tE003\n{GENES[0]}\t1.0\n{GENES[1]}\t{text}\n".encode())
    )
    with pytest.raises(ExpressionTableError, match=rf"{GENES[1]}.*line 4\)\. Received: '{text}'"):
        read_expression(path, "E003")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "one gene in own.txt. Received: nothing"),
        (b"gene_id\tE003\n", "one gene in own.txt. Received: a header only"),
        (b"gene_id\tE003\na\tNA\nb\t\n", "with a value in the column E003.*2 genes without"),
        (b"gene_id\tE003\na\t1\nb\n", "2 fields in own.txt, line 3. Received: 1"),
        (b"gene\tE003\na\t1\t\n", "2 fields in own.txt, line 2. Received: 3"),
        (b"gene_id\tE003\n\t1\n", "a gene id in own.txt, line 2"),
        (b"gene_id\tE003\tE003\na\t1\t2\n", "one column E003.*E003, E003"),
        (b"gene_id E003\na 1\n", "tabs, commas or semicolons.*own.txt, line 1.*'gene_id E003'"),
        (
            b"gene_id,E003\na,1,5\n",
            "2 fields in own.txt, line 2. Received: 3. Write numbers with a",
        ),
        (b"gene,E003\na,1,5\n", "2 fields in own.txt, line 2. Received: 3. Write numbers with a"),
        (b'gene_id,note,E003\na,"x\n,1\n', "a quote that opens a field of own.txt, line 2"),
        (b'gene_id\tnote\tE003\na\t"x\ny"\t1\n', "3 fields in own.txt, line 2. Received: 2"),
        (b"N_unmapped\t9\t9\t9\nENSG1\t1\t0\t1\n", "a header such as gene_id, E003 in own.txt"),
        (b"gene_id\t1\t2\na\t5\t6\n", r"one column E003 in own.txt. Received: 1, 2\."),
        (b"ENSG1\t5\n__no_feature\t7\n", "Received: 'ENSG1.t5'. STAR and HTSeq write none"),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "a text file. Received: own.txt"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: bytes, match: str) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(text)
    with pytest.raises(ExpressionTableError, match=match):
        read_expression(path, "E003")


def test_a_damaged_table(tmp_path: Path) -> None:
    path = write_table(tmp_path / "rpkm.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ExpressionTableError, match=r"complete gzip.*rpkm\.gz"):
        read_expression(path, "E003")


def test_unknown_unit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"RPKM, FPKM, TPM, counts. Received: unit='CPM'"):
        read_expression(write_table(tmp_path / "rpkm.gz"), "E003", unit="CPM")  # type: ignore[arg-type]


def test_stray_quotes_lose_no_gene(tmp_path: Path) -> None:
    """Two descriptions that begin with a quote, 20 genes apart: a CSV reader took them for one."""
    rng = np.random.default_rng(3)
    values = np.round(rng.lognormal(1, 1, 90), 3)
    rows = [
        f"g{row}\t{'' if row not in (30, 50) else chr(34)}abnormal spindle\t{value:.3f}"
        for row, value in enumerate(values)
    ]
    path = tmp_path / "tpm.tsv"
    path.write_text("\n".join(["gene_id\tdescription\tK562", *rows]))
    expression = read_expression(path, "K562")
    assert len(expression.rpkm_of) == 90
    assert expression.median_rpkm == np.median(values)
    num_rows = len(pd.read_csv(path, sep="\t"))
    assert num_rows == 70, "what a CSV reader makes of it"


def test_the_median_is_over_the_genes_or_the_table() -> None:
    """A gene with two regions counts once, one without a region in the table only."""
    expression = Expression({"a": 1.0, "b": np.nan, "c": 3.0, "d": 8.0, "e": 0.0}, 2.0)
    matched = expression.match(["a", "b", "c", "d", "d", "d", "x"])
    assert matched.median_of_genes == 3.0
    assert np.isnan(expression.match(["b"]).median_of_genes)


def test_a_table_of_all_genes_of_an_annotation(tmp_path: Path) -> None:
    """60,000 genes, mostly 0, of which 4,950 are those of the dataset."""
    rng = np.random.default_rng(0)
    coding = np.where(np.arange(4_950) < 4_469, rng.lognormal(1.5, 1, 4_950), 0)
    rows = [f"g{row}\t{value:.4f}" for row, value in enumerate(coding)]
    rows += [f"x{row}\t0" for row in range(55_050)]
    path = tmp_path / "tpm.tsv"
    path.write_text("\n".join(["gene_id\tK562", *rows]))
    expression = read_expression(path, "K562", unit="TPM")
    matched = expression.match([f"g{row}" for row in range(4_950)])
    over_table = label_high(matched.rpkm, expression.median_rpkm)
    over_genes = label_high(matched.rpkm, matched.median_of_genes)
    assert np.bincount(over_table).tolist() == [481, 4_469]
    assert np.bincount(over_genes).tolist() == [2_475, 2_475]
    split = np.full(4_950, "train")
    assert list(label_warnings(over_genes, split, median_rpkm=3.0, unit="TPM")) == []
    assert list(label_warnings(over_table, split, median_rpkm=0.0, unit="TPM")) == [
        "the median expression is 0 TPM: any expression at all makes a gene high",
        "train: 4,469 of 4,950 labelled genes are high (90.3 %), above the median expression of 0 "
        "TPM",
    ]


@pytest.mark.parametrize(
    ("num_high", "num_low", "is_warned"),
    [(1, 4, False), (4, 1, False), (19, 81, True), (81, 19, True), (0, 3, True), (0, 0, False)],
)
def test_labels_of_unequal_number(num_high: int, num_low: int, is_warned: bool) -> None:
    label = np.array([1] * num_high + [0] * num_low + [-1, 1, 0])
    split = np.array(["test"] * (len(label) - 2) + ["train"] * 2)
    warnings = list(label_warnings(label, split, median_rpkm=1.5, unit="RPKM"))
    assert [warning[:5] for warning in warnings] == ["test:"] * is_warned


@pytest.mark.parametrize(
    "no_genes",
    [
        ("__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned"),
        ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"),
        ("no_feature", "alignment_not_unique", "NA"),
        ("gSpikein_ERCC-00002", "gSpikein_phiX174", "ERCC-00171"),
    ],
)
def test_counts_of_no_gene_are_left_out(tmp_path: Path, no_genes: tuple[str, ...]) -> None:
    path = tmp_path / "counts.tsv"
    rows = "".join(f"{name}\t1000000\n" for name in no_genes)
    path.write_text(f"gene_id\tK562\na\t5\nb\t7\n{rows}")
    expression = read_expression(path, "K562", unit="counts")
    assert (expression.rpkm_of, expression.median_rpkm) == ({"a": 5.0, "b": 7.0}, 6.0)
    assert expression.warnings == (
        f"counts.tsv: {len(no_genes)} lines left out that are no genes: {', '.join(no_genes)}",
    )


def test_one_value_in_two_spellings(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene_id,E003\na,0\na,0.0\nb,NA\nb,\nc,1e1\nc,10\n")
    expression = read_expression(path, "E003")
    np.testing.assert_equal(expression.rpkm_of, {"a": 0.0, "b": np.nan, "c": 10.0})
    path.write_text("gene_id,E003\na,0\nb,1\na,NA\n")
    with pytest.raises(ExpressionTableError, match="a with '0' in line 2 and 'NA' in line 4"):
        read_expression(path, "E003")


@pytest.mark.parametrize(
    "text",
    [
        "gene_id,E003,,\na,1,,\n,,,\nb,3,,\n,,,\n\n\n",
        "sep=;\ngene_id;E003\na;1\nb;3\n",
        "gene_id\tE003\ra\t1\rb\t3\r",
        "#1.3\n2\t1\t0\t0\nid\tE003\na\t1\nb\t3\n",
        "#1.2\n2\t1\nName\tDescription\tE003\na\tx\t1\nb\ty\t3\n",
        '"E003"\n"a"\t1\n"b"\t3\n',
        '"baseMean" "E003"\n'.replace(" ", "\t") + '"a"\t9\t1\n"b"\t9\t3\n',
        '"","baseMean","E003"\n"a",9,1\n"b",9,3\n',
        "# Program:featureCounts\nGeneid\tChr\tE003\na\t1;1\t1\nb\t2\t3\n",
        " gene_id , E003 \n a , 1 \n b , 3 \n",
    ],
    ids=[
        *(
            "Excel's empty rows",
            "semicolons",
            "CR",
            "GCT 1.3",
            "GCT",
            "R, one column",
            "R",
            "DESeq2",
        ),
        *("featureCounts", "spaces"),
    ],
)
def test_tables_that_people_have(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(text.encode())
    assert read_expression(path, "E003").rpkm_of == {"a": 1.0, "b": 3.0}


@pytest.mark.parametrize(
    "text",
    [
        "gene_id\ttranscript_id(s)\tTPM\tFPKM\nENSG00000000003.14\tENST1,ENST2\t2\t3\n",
        "Gene ID\tGene Name\tFPKM\tTPM\nENSG00000000003\tTSPAN6\t3\t2\n",
        "Name\tLength\tTPM\tNumReads\nENSG00000000003.14\t9\t2\t3\n",
        "gene_id\ttpm\nENSG00000000003\t2\n",
    ],
    ids=["RSEM", "StringTie", "Salmon", "lower case"],
)
def test_a_table_of_one_sample(tmp_path: Path, text: str) -> None:
    """Its column is named as the unit; it is not taken for each of several epigenomes."""
    path = tmp_path / "genes.results"
    path.write_text(text)
    expression = read_expression(path, "K562", unit="TPM", is_only=True)
    assert expression.rpkm_of == {"ENSG00000000003": 2.0}
    with pytest.raises(
        ExpressionTableError,
        match=r"one column K562 in genes\.results\. Received: .*(?i:TPM).* its expression\.$",
    ):
        read_expression(path, "K562", unit="TPM")
    with pytest.raises(
        ExpressionTableError,
        match=r"one column K562, or counts as the unit is, in .*"
        r"Write K562 into the header, .*, or give the unit that it has\.$",
    ):
        read_expression(path, "K562", unit="counts", is_only=True)


def test_the_column_of_the_epigenome_goes_before_that_of_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene_id,TPM,K562\na,1,2\n")
    assert read_expression(path, "K562", unit="TPM", is_only=True).rpkm_of == {"a": 2.0}


def test_gene_ids_that_excel_made_dates_of(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("gene,E003\nTNMD,1\n1-Mar,2\n2-Sep,3\n")
    (warning,) = read_expression(path, "E003").warnings
    assert warning.startswith("own.csv: 2 gene ids are dates (1-Mar, 2-Sep), which Excel makes of")
    path.write_text("gene,E003\nTNMD,1\n1-Mar,2\n1-Mar,3\n")
    with pytest.raises(ExpressionTableError, match=r"1-Mar with '2' .*Excel makes of symbols"):
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


@pytest.mark.real_data
def test_every_real_region_has_expression(real_data: Path) -> None:
    genes = read_gene_table(real_data / "remc" / "genes.tsv").gene_id.tolist()
    matched = read_expression(real_data / "remc" / "57epigenomes.RPKM.pc.gz", "E003").match(genes)
    assert matched[1:] == (0, 0, 0, 3.329)
    assert len(matched.rpkm) == 19802
