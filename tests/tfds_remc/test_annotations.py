from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tfds_remc.remc.annotations import GeneTableError, without_version
from tfds_remc.remc.gene_table import read_gene_table

GENE_INFO = (
    "ENSG00000000003\tX\t99883667\t99894988\t-1\tprotein_coding\tTSPAN6\ttetraspanin 6\n"
    "ENSG00000000005\tX\t99839799\t99854882\t1\tprotein_coding\tTNMD\n"
)

# Two protein-coding genes and a lncRNA. TSPAN6 is on the minus strand; two of its three transcripts
# end, so start to be transcribed, at its own end.
LOCI = {
    "tspan6": ("99883667", "99894988", "-"),
    "tspan6_201": ("99883795", "99894988", "-"),
    "tspan6_202": ("99887538", "99891803", "-"),
    "tspan6_203": ("99888439", "99894988", "-"),
    "tnmd": ("99839799", "99854882", "+"),
    "tnmd_201": ("99839799", "99854882", "+"),
    "rna": ("100000", "200000", "+"),
}


def feature(kind: str, locus: str, attributes: str, chrom: str = "chrX") -> str:
    start, end, strand = LOCI[locus]
    return "\t".join([chrom, "HAVANA", kind, start, end, ".", strand, ".", attributes]) + "\n"


def gtf(biotype: str, chrom: str, version: bool) -> str:
    """The genes as GENCODE ("gene_type", "chrX", versions) or Ensembl writes them."""

    def ids(gene: int, symbol: str, kind: str = "protein_coding") -> str:
        suffix = ".10" if version else ""
        return (
            f'gene_id "ENSG{gene:011d}{suffix}"; {biotype} "{kind}"; gene_name "{symbol}"; level 2;'
        )

    def transcript(number: int) -> str:
        suffix = ".3" if version else ""
        return f' transcript_id "ENST{number:011d}{suffix}"; tag "basic"; tag "CCDS";'

    tspan6, tnmd, rna = ids(3, "TSPAN6"), ids(5, "TNMD"), ids(9, "RNA; small", "lncRNA")
    return (
        "##description: made for a test\n#!genome-build GRCh37\n"
        + feature("gene", "tspan6", tspan6, chrom)
        + feature("transcript", "tspan6_201", tspan6 + transcript(31), chrom)
        + feature("exon", "tspan6_201", tspan6 + transcript(31), chrom)
        + feature("transcript", "tspan6_202", tspan6 + transcript(32), chrom)
        + feature("transcript", "tspan6_203", tspan6 + transcript(33), chrom)
        + feature("gene", "tnmd", tnmd, chrom)
        + feature("transcript", "tnmd_201", tnmd + transcript(51), chrom)
        + feature("gene", "rna", rna, chrom)
    )


GENCODE_GTF = gtf("gene_type", "chrX", version=True)
ENSEMBL_GTF = gtf("gene_biotype", "X", version=False)
GENCODE_GFF3 = (
    "##gff-version 3\n##sequence-region chrX 1 155270560\n"
    + feature("gene", "tspan6", "ID=ENSG00000000003.10;gene_type=protein_coding;gene_name=TSPAN6")
    + feature("transcript", "tspan6_201", "ID=ENST00000000031.3;Parent=ENSG00000000003.10;tag=a,b")
    + feature("exon", "tspan6_201", "ID=exon:ENST00000000031.3:1;Parent=ENST00000000031.3")
    + feature("transcript", "tspan6_202", "ID=ENST00000000032.3;Parent=ENSG00000000003.10")
    + feature("transcript", "tspan6_203", "ID=ENST00000000033.3;Parent=ENSG00000000003.10")
    + feature("gene", "tnmd", "ID=ENSG00000000005.10;gene_type=protein_coding;gene_name=TNMD")
    + feature("transcript", "tnmd_201", "ID=ENST00000000051.3;Parent=ENSG00000000005.10")
    + feature("gene", "rna", "ID=ENSG00000000009.1;gene_type=lncRNA;gene_name=RNA%3B small")
)
ENSEMBL_GFF3 = (
    "##gff-version 3\n"
    + feature("chromosome", "rna", "ID=chromosome:X;Alias=CM000685.2", "X")
    + feature("biological_region", "rna", ".", "X")
    + feature("gene", "tspan6", "ID=gene:ENSG00000000003;Name=TSPAN6;biotype=protein_coding", "X")
    + feature(
        "mRNA", "tspan6_201", "ID=transcript:ENST00000000031;Parent=gene:ENSG00000000003", "X"
    )
    + feature("intron", "tspan6_201", "Parent=transcript:ENST00000000031", "X")
    + feature(
        "lnc_RNA", "tspan6_202", "ID=transcript:ENST00000000032;Parent=gene:ENSG00000000003", "X"
    )
    + feature(
        "mRNA", "tspan6_203", "ID=transcript:ENST00000000033;Parent=gene:ENSG00000000003", "X"
    )
    + feature("gene", "tnmd", "ID=gene:ENSG00000000005;Name=TNMD;biotype=protein_coding", "X")
    + feature("mRNA", "tnmd_201", "ID=transcript:ENST00000000051;Parent=gene:ENSG00000000005", "X")
    + feature("ncRNA_gene", "rna", "ID=gene:ENSG00000000009;Name=RNA%3B small;biotype=lncRNA", "X")
    + "##FASTA\n>X\nACGT\n"
)
REFSEQ_GFF3 = (
    "##gff-version 3\n"
    + feature("region", "rna", "ID=NC_000023.10:1..155270560;Name=X", "NC_000023.10")
    + feature("gene", "tnmd", "ID=gene-TNMD;Name=TNMD;gene_biotype=protein_coding", "NC_000023.10")
    + feature("mRNA", "tnmd_201", "ID=rna-NM_022144.3;Parent=gene-TNMD", "NC_000023.10")
)
ANNOTATIONS = {
    "GENCODE GTF": GENCODE_GTF,
    "Ensembl GTF": ENSEMBL_GTF,
    "GENCODE GFF3": GENCODE_GFF3,
    "Ensembl GFF3": ENSEMBL_GFF3,
}
each_annotation = pytest.mark.parametrize("text", ANNOTATIONS.values(), ids=ANNOTATIONS.keys())


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


def test_gene_info_has_the_tss_at_the_end_of_minus_genes(tmp_path: Path) -> None:
    path = tmp_path / "downloaded_under_any_name"
    path.write_text(GENE_INFO)
    table = read_gene_table(path)
    assert table.gene_id.tolist() == ["ENSG00000000003", "ENSG00000000005"]
    assert table.chrom.tolist() == ["chrX", "chrX"]
    assert table.tss.tolist() == [99894988, 99839799]
    assert table.strand.tolist() == ["-", "+"]
    assert table.symbol.tolist() == ["TSPAN6", "TNMD"]


def test_gene_info_names_the_mitochondrion_as_ucsc_does(tmp_path: Path) -> None:
    path = write(tmp_path / "gene_info", GENE_INFO.replace("\tX\t", "\tMT\t", 1))
    assert read_gene_table(path).chrom.tolist() == ["chrM", "chrX"]


@each_annotation
def test_genes_of_an_annotation(tmp_path: Path, text: str) -> None:
    table = read_gene_table(write(tmp_path / "genes.txt", text))
    assert table.gene_id.tolist() == ["ENSG00000000003", "ENSG00000000005", "ENSG00000000009"]
    assert table.transcript_id.tolist() == ["", "", ""]
    assert table.symbol.tolist() == ["TSPAN6", "TNMD", "RNA; small"]
    assert set(table.chrom.tolist()) <= {"chrX", "X"}
    assert table.tss.tolist() == [99894988, 99839799, 100000]
    assert table.strand.tolist() == ["-", "+", "+"]
    assert table.left_out == {}


@each_annotation
def test_transcripts_of_an_annotation(tmp_path: Path, text: str) -> None:
    """The three transcripts of TSPAN6 have two TSSs; the lncRNA has no transcript."""
    table = read_gene_table(write(tmp_path / "genes.txt", text), tss="transcript")
    assert table.gene_id.tolist() == ["ENSG00000000003", "ENSG00000000003", "ENSG00000000005"]
    assert table.transcript_id.tolist() == [
        "ENST00000000031",
        "ENST00000000032",
        "ENST00000000051",
    ]
    assert table.symbol.tolist() == ["TSPAN6", "TSPAN6", "TNMD"]
    assert table.tss.tolist() == [99894988, 99891803, 99839799]
    assert table.left_out == {
        "transcripts with the TSS of another": 1,
        "genes without a transcript": 1,
    }


@each_annotation
@pytest.mark.parametrize("tss", ["gene", "transcript"])
def test_biotype(tmp_path: Path, text: str, tss: Literal["gene", "transcript"]) -> None:
    table = read_gene_table(write(tmp_path / "genes.txt", text), tss=tss, biotype="protein_coding")
    assert set(table.gene_id.tolist()) == {"ENSG00000000003", "ENSG00000000005"}
    assert table.left_out["genes of another biotype"] == 1
    with pytest.raises(
        GeneTableError, match=r"biotype coding in genes.txt.*protein_coding, lncRNA"
    ):
        read_gene_table(tmp_path / "genes.txt", tss=tss, biotype="coding")


@pytest.mark.parametrize("text", [GENCODE_GTF, GENCODE_GFF3])
@pytest.mark.parametrize("tss", ["gene", "transcript"])
def test_the_order_of_the_lines_does_not_matter(
    tmp_path: Path, text: str, tss: Literal["gene", "transcript"]
) -> None:
    sorted_file = read_gene_table(write(tmp_path / "sorted", text), tss=tss)
    lines = text.splitlines(keepends=True)
    backwards = read_gene_table(write(tmp_path / "backwards", "".join(lines[::-1])), tss=tss)
    for column in ("gene_id", "symbol", "tss"):
        assert sorted(getattr(backwards, column)) == sorted(getattr(sorted_file, column))
    assert backwards.left_out == sorted_file.left_out


@pytest.mark.parametrize(("kind", "tss"), [("exon", "transcript"), ("transcript", "gene")])
def test_lines_that_nothing_is_taken_from_need_no_id(
    tmp_path: Path, kind: str, tss: Literal["gene", "transcript"]
) -> None:
    path = write(tmp_path / "genes.gtf", GENCODE_GTF)
    expected = read_gene_table(path, tss=tss)
    write(path, GENCODE_GTF + feature(kind, "tnmd", 'gene_id "ENSG00000000005";'))
    assert read_gene_table(path, tss=tss).gene_id.tolist() == expected.gene_id.tolist()


def test_refseq(tmp_path: Path) -> None:
    path = write(tmp_path / "genomic.gff", REFSEQ_GFF3)
    genes, transcripts = read_gene_table(path), read_gene_table(path, tss="transcript")
    assert (genes.gene_id[0], genes.tss[0], genes.chrom[0]) == ("TNMD", 99839799, "NC_000023.10")
    assert (transcripts.transcript_id[0], transcripts.symbol[0]) == ("NM_022144.3", "TNMD")


@pytest.mark.parametrize("kind", ["transcript", "exon"])
@pytest.mark.parametrize("tss", ["gene", "transcript"])
def test_a_gtf_without_gene_lines(
    tmp_path: Path, kind: str, tss: Literal["gene", "transcript"]
) -> None:
    """As UCSC and transcript assemblers write it; t9 lies on two chromosomes."""
    text = (
        feature(kind, "tspan6_202", 'gene_id "G"; transcript_id "t2";')
        + feature(kind, "tspan6_201", 'gene_id "G"; transcript_id "t1";')
        + feature(kind, "tnmd", 'gene_id "H"; transcript_id "t9";')
        + feature(kind, "tnmd", 'gene_id "H"; transcript_id "t9";', "chrY")
    )
    path = write(tmp_path / "genes.gtf", text)
    table = read_gene_table(path, tss=tss)
    assert set(table.gene_id.tolist()) == {"G"}
    assert table.tss.tolist() == ([99894988] if tss == "gene" else [99891803, 99894988])
    what = "transcripts" if kind == "exon" else "genes"
    assert table.left_out == {f"{what} on several chromosomes or strands": 1}
    with pytest.raises(
        GeneTableError, match=r"biotype protein_coding in genes.gtf. Received: none"
    ):
        read_gene_table(path, tss=tss, biotype="protein_coding")


def test_transcripts_of_genes_without_a_line_are_counted(tmp_path: Path) -> None:
    text = feature("transcript", "rna", 'gene_id "G"; transcript_id "t1";') + GENCODE_GTF
    path = write(tmp_path / "genes.gtf", text)
    assert read_gene_table(path).left_out == {}
    table = read_gene_table(path, tss="transcript")
    assert table.left_out["transcripts of genes without a line"] == 1
    assert "G" not in table.gene_id


def test_what_has_no_strand_has_no_tss(tmp_path: Path) -> None:
    text = GENCODE_GTF.replace("200000\t.\t+", "200000\t.\t.")
    table = read_gene_table(write(tmp_path / "genes.gtf", text))
    assert len(table.gene_id) == 2
    assert table.left_out == {"genes without a strand": 1}


def test_without_version() -> None:
    ids = {
        "ENSG00000000003.14": "ENSG00000000003",
        "ENSG00000000003": "ENSG00000000003",
        "ENSMUST00000193812.1": "ENSMUST00000193812",
        "ENSG00000223972.5_2": "ENSG00000223972",
        "ENSG00000002586.18_PAR_Y": "ENSG00000002586_PAR_Y",
        "ENSGR0000002586.13": "ENSGR0000002586",
        "F25B5.7": "F25B5.7",
        "NM_022144.3": "NM_022144.3",
    }
    assert {given: without_version(given) for given in ids} == ids


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (GENE_INFO.replace("\t1\t", "\t+\t"), "strand .1 or -1.*line 2"),
        (GENE_INFO.replace("99839799", "-5"), "start to be a whole number.*line 2.*'-5'"),
        (GENCODE_GTF.replace("99839799", "99899799"), "start <= end in genes.tsv, line 8"),
        (GENCODE_GTF.replace("99839799", "0"), "1 <= start.*line 8. Received: start=0"),
        (GENCODE_GTF.replace("gene_id ", "gene ", 1), "attribute gene_id in genes.tsv, line 3"),
        (GENCODE_GTF.replace("\texon\t", "\t"), "9 fields between tabs in genes.tsv, line 5"),
        (GENCODE_GFF3.replace("ID=ENSG00000000005.10;", ""), "attribute ID in genes.tsv, line 8"),
        (feature("gene", "tnmd", "."), "attribute gene_id in genes.tsv, line 1"),
        (feature("CDS", "tnmd", 'gene_id "G";'), "at least one gene"),
    ],
)
def test_faults(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(GeneTableError, match=match):
        read_gene_table(write(tmp_path / "genes.tsv", text))


@pytest.mark.parametrize("text", [GENE_INFO, feature("gene", "tnmd", 'gene_id "G";')])
def test_files_without_transcripts(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "genes", text)
    with pytest.raises(GeneTableError, match=r"transcripts in genes for tss='transcript'"):
        read_gene_table(path, tss="transcript")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (GENCODE_GTF.replace("transcript_id ", "x "), "attribute transcript_id in genes, line 4"),
        (GENCODE_GFF3.replace("ID=ENST00000000051.3;", ""), "ID of a transcript in genes, line 9"),
    ],
)
def test_a_transcript_without_id(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(GeneTableError, match=match):
        read_gene_table(write(tmp_path / "genes", text), tss="transcript")


@pytest.mark.real_data
def test_an_annotation_has_the_tss_of_the_published_files(real_data: Path, tmp_path: Path) -> None:
    """On both strands: the coordinates above are GENCODE's."""
    published = read_gene_table(real_data / "remc" / "genes.tsv")
    table = read_gene_table(write(tmp_path / "genes.gtf", GENCODE_GTF), biotype="protein_coding")
    rows = published.rows_of(table.gene_id.tolist())
    assert table.strand.tolist() == ["-", "+"]
    for column in ("symbol", "chrom", "tss", "strand"):
        np.testing.assert_array_equal(getattr(table, column), getattr(published, column)[rows])
