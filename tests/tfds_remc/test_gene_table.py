import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest

from tfds_remc.remc.annotations import GeneTableError
from tfds_remc.remc.gene_table import read_gene_table

GENES_TSV = (
    "gene_id\tsymbol\tchrom\ttss\tstrand\tpublished_split\n"
    "ENSG00000000003\tTSPAN6\tchrX\t99894988\t-\ttrain\n"
    "ENSG00000000005\tTNMD\tchrX\t99839799\t+\ttrain\n"
    "ENSG00000062370\tZFP112\tchr19\t44905774\t-\ttrain\n"
    "ENSG00000062370\tZNF285\tchr19\t44905774\t-\ttrain\n"
    "ENSG00000000419\t\tchr20\t49575092\t?\tvalid\n"
)
GTF = (
    "chrX\tHAVANA\tgene\t99839799\t99854882\t.\t+\t.\t"
    'gene_id "ENSG00000000005.10"; gene_name "TNMD";\n'
)


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_genes_tsv(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(GENES_TSV)
    table = read_gene_table(path)
    assert table.symbol.tolist() == ["TSPAN6", "TNMD", "ZFP112", "ZNF285", ""]
    assert table.strand.tolist() == ["-", "+", "-", "-", ""]
    assert table.tss.tolist() == [99894988, 99839799, 44905774, 44905774, 49575092]


@pytest.mark.parametrize(
    ("written", "strand"), [("1", "+"), ("-1", "-"), (".", ""), ("*", ""), ("?", ""), ("", "")]
)
def test_strands_as_others_write_them(tmp_path: Path, written: str, strand: str) -> None:
    """BioMart, BED and GRanges."""
    text = f"gene_id\tchrom\ttss\tstrand\nA\tchr1\t100\t{written}\n"
    assert read_gene_table(write(tmp_path / "genes.tsv", text)).strand.tolist() == [strand]


def test_the_second_time_an_id_is_asked_for_its_second_row_answers(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(GENES_TSV)
    table = read_gene_table(path)
    twice = "ENSG00000062370"
    rows = table.rows_of([twice, "ENSG00000000005", twice, twice, "ENSG00000000005"])
    assert rows.tolist() == [2, 1, 3, 3, 1]
    with pytest.raises(GeneTableError, match="gene_id='ENSG00000999999'"):
        table.rows_of(["ENSG00000999999"])


@pytest.mark.parametrize("text", [GENES_TSV, GTF])
def test_how_the_file_is_stored_does_not_matter(tmp_path: Path, text: str) -> None:
    plain = write(tmp_path / "plain", text)
    expected = read_gene_table(plain)
    pysam.tabix_compress(str(plain), str(tmp_path / "bgzipped"))
    (tmp_path / "gzipped.txt").write_bytes(gzip.compress(text.encode()))
    write(tmp_path / "windows", "\ufeff" + text.replace("\n", "\r\n"))
    write(tmp_path / "commented", "# by hand\n\n" + text.replace("\n", "\n#\n \n"))
    for name in ("bgzipped", "gzipped.txt", "windows", "commented"):
        table = read_gene_table(tmp_path / name)
        for column in ("gene_id", "symbol", "chrom", "tss", "strand"):
            np.testing.assert_array_equal(getattr(table, column), getattr(expected, column), name)


def test_own_genes_tsv_needs_four_columns(tmp_path: Path) -> None:
    text = "strand\ttss\tchrom\tgene_id\n+\t7000\tchr1\tENSG00000000003.14\n"
    table = read_gene_table(write(tmp_path / "genes.tsv", text), biotype="protein_coding")
    assert (table.gene_id[0], table.tss[0], table.symbol[0]) == ("ENSG00000000003", 7000, "")


def test_own_transcripts(tmp_path: Path) -> None:
    text = (
        "gene_id\tchrom\ttss\tstrand\ttranscript_id\n"
        "A\tchr1\t7000\t+\ta1\nA\tchr1\t9000\t+\ta2\nA\tchr1\t7000\t+\ta3\n"
    )
    path = write(tmp_path / "genes.tsv", text)
    table = read_gene_table(path, tss="transcript")
    assert table.transcript_id.tolist() == ["a1", "a2"]
    assert table.left_out == {"transcripts with the TSS of another": 1}
    with pytest.raises(GeneTableError, match=r"one TSS of A .*chr1:7000.* in line 2 and chr1:9000"):
        read_gene_table(path)


def test_a_gene_twice(tmp_path: Path) -> None:
    """With one TSS it stays twice, as in the published files; a repeated line counts once."""
    line = "ENSG00000000005\tTNMD\tchrX\t99839799\t+\ttrain\n"
    path = write(tmp_path / "genes.tsv", GENES_TSV + line)
    table = read_gene_table(path)
    assert table.gene_id.tolist().count("ENSG00000062370") == 2
    assert table.gene_id.tolist().count("ENSG00000000005") == 1
    assert table.left_out == {"lines that repeat another": 1}
    write(path, GENES_TSV + line.replace("99839799", "99839899").replace("005", "005.2"))
    with pytest.raises(
        GeneTableError, match=r"chrX:99839799\(\+\) in line 3 and chrX:99839899\(\+\) in line 7"
    ):
        read_gene_table(path)


def test_an_unknown_level_of_tss(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"tss to be one of gene, transcript. Received: tss='exon'"
    ):
        read_gene_table(tmp_path / "genes.tsv", tss="exon")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "at least one gene in genes.tsv. Received: none"),
        ("# nothing else\n", "at least one gene"),
        ("gene_id\tchrom\ttss\tstrand\n", "at least one gene"),
        (
            "gene_id\tsymbol\tchrom\n",
            "columns gene_id, chrom, tss, strand once.* in genes.tsv, line 1",
        ),
        ("gene_id,chrom,tss,strand\n", "at least one gene in the gene table"),
        (GENES_TSV.replace("chrX\t", "", 1), "6 fields in genes.tsv, line 2. Received: 5"),
        (GENES_TSV.replace("chrX", "", 1), "a chrom in genes.tsv, line 2. Received: none"),
        (GENES_TSV.replace("99839799", "99.8"), "tss to be a whole number.*line 3.*'99.8'"),
        (GENES_TSV.replace("?", "x"), "line 6. Received: strand='x'"),
        (
            "ENSG00000000003 X 99883667\n",
            "between the fields in genes.tsv, line 1.*'ENSG00000000003",
        ),
        ("ENSG00000000003\tX\n", "GTF, GFF3, Roadmap's gene_info, or a table.*'ENSG00000000003"),
    ],
)
def test_faults(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(GeneTableError, match=match):
        read_gene_table(write(tmp_path / "genes.tsv", text))


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "genes.gtf.gz"
    path.write_bytes(gzip.compress(GTF.encode())[:-9])
    with pytest.raises(GeneTableError, match=r"complete gzip file. Received: genes.gtf.gz"):
        read_gene_table(path)
    path.write_bytes(b"BAM\x01\xff\x00\n")
    with pytest.raises(GeneTableError, match=r"a text file. Received: genes.gtf.gz"):
        read_gene_table(path)


@pytest.mark.real_data
def test_the_real_table(real_data: Path) -> None:
    table = read_gene_table(real_data / "remc" / "genes.tsv")
    assert len(table.gene_id) == 19802
    assert len(set(table.gene_id.tolist())) == 19795
    assert (table.strand == "").sum() == 160
    assert (table.symbol == "").sum() == 996, "which the file calls NA"
    assert not np.isin(table.symbol, ["NA", "-"]).any()
    assert (table.left_out, table.warnings) == ({}, ())
