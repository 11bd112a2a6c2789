import gzip
from pathlib import Path
from typing import Literal

import numpy as np
import pysam
import pytest

from tfds_remc.remc.regions import (
    GeneTable,
    GeneTableError,
    bin_edges,
    check_chromosome_ends,
    count_bins,
    read_gene_table,
    without_version,
)

GENES_TSV = (
    "gene_id\tsymbol\tchrom\ttss\tstrand\tpublished_split\n"
    "ENSG00000000003\tTSPAN6\tchrX\t99894988\t-\ttrain\n"
    "ENSG00000000005\tTNMD\tchrX\t99839799\t+\ttrain\n"
    "ENSG00000062370\tZFP112\tchr19\t44905774\t-\ttrain\n"
    "ENSG00000062370\tZNF285\tchr19\t44905774\t-\ttrain\n"
    "ENSG00000000419\t\tchr20\t49575092\t?\tvalid\n"
)
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


def test_genes_tsv(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(GENES_TSV)
    table = read_gene_table(path)
    assert table.symbol.tolist() == ["TSPAN6", "TNMD", "ZFP112", "ZNF285", ""]
    assert table.strand.tolist() == ["-", "+", "-", "-", ""]
    assert table.tss.tolist() == [99894988, 99839799, 44905774, 44905774, 49575092]


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


def test_the_second_time_an_id_is_asked_for_its_second_row_answers(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(GENES_TSV)
    table = read_gene_table(path)
    twice = "ENSG00000062370"
    rows = table.rows_of([twice, "ENSG00000000005", twice, twice, "ENSG00000000005"])
    assert rows.tolist() == [2, 1, 3, 3, 1]
    with pytest.raises(GeneTableError, match="gene_id='ENSG00000999999'"):
        table.rows_of(["ENSG00000999999"])


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
    text = GENCODE_GTF + feature("transcript", "rna", 'gene_id "G"; transcript_id "t1";')
    table = read_gene_table(write(tmp_path / "genes.gtf", text), tss="transcript")
    assert table.left_out["transcripts of genes without a line"] == 1
    assert "G" not in table.gene_id


def test_what_has_no_strand_has_no_tss(tmp_path: Path) -> None:
    text = GENCODE_GTF.replace("200000\t.\t+", "200000\t.\t.")
    table = read_gene_table(write(tmp_path / "genes.gtf", text))
    assert len(table.gene_id) == 2
    assert table.left_out == {"genes without a strand": 1}


@pytest.mark.parametrize("text", [GENES_TSV, GENE_INFO, GENCODE_GTF, GENCODE_GFF3])
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


def test_bin_edges() -> None:
    edges = bin_edges(np.array([5000, 100]), num_bins=4, bin_bp=50, flank_bp=100)
    assert edges.tolist() == [[4900, 4950, 5000, 5050, 5100], [0, 50, 100, 150, 200]]


def test_count_bins() -> None:
    assert count_bins(flank_bp=5000, bin_bp=100) == 100
    assert count_bins(flank_bp=20000, bin_bp=200) == 200
    assert count_bins(flank_bp=150, bin_bp=100) == 3
    for flank_bp, bin_bp in ((5000, 300), (0, 100), (100, 0), (100, -100)):
        with pytest.raises(ValueError, match=rf"flank_bp={flank_bp}, bin_bp={bin_bp}"):
            count_bins(flank_bp=flank_bp, bin_bp=bin_bp)


def table_of(tss: dict[str, list[int]]) -> GeneTable:
    chrom = [chrom for chrom, positions in tss.items() for _ in positions]
    names = np.array([f"{name}_{row}" for row, name in enumerate(chrom)])
    blank = np.full(len(chrom), "")
    positions = np.array([position for positions in tss.values() for position in positions])
    return GeneTable(
        gene_id=names,
        transcript_id=blank,
        symbol=blank,
        chrom=np.array(chrom),
        tss=positions,
        strand=np.full(len(chrom), "+"),
    )


def test_regions_over_an_end_are_kept_with_a_mask() -> None:
    """200 bp around each TSS in bins of 50 bp, on chromosomes of 1,000 bp and of unknown size."""
    table = table_of({"chr1": [100, 99, 40, 900, 901, 1000], "chr2": [10, 5000]})
    ends = check_chromosome_ends(table, {"chr1": 1000, "chr9": 9}, flank_bp=100, bin_bp=50)
    assert ends.is_kept.all()
    assert ends.is_beyond.astype(int).tolist() == [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 1],
        [0, 0, 1, 1],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    assert (ends.num_over, ends.num_dropped) == (5, 0)
    assert ends.num_genes_without_size == {"chr2": 2}


def test_regions_over_an_end_are_dropped() -> None:
    table = table_of({"chr1": [100, 99, 40, 900, 901, 1000], "chr2": [10, 5000]})
    ends = check_chromosome_ends(table, {"chr1": 1000}, flank_bp=100, bin_bp=50, edges="drop")
    assert (ends.num_over, ends.num_dropped) == (5, 5)
    assert ends.is_beyond.shape == (3, 4)
    assert not ends.is_beyond.any()
    assert table.select(ends.is_kept).gene_id.tolist() == ["chr1_0", "chr1_3", "chr2_7"]


def test_without_sizes_the_start_alone_is_known() -> None:
    ends = check_chromosome_ends(table_of({"chr1": [10, 5000]}), {}, flank_bp=100, bin_bp=200)
    assert ends.is_beyond.tolist() == [[True], [False]]


def test_genes_of_another_genome() -> None:
    table = table_of({"chr1": [100], "chr2": [2001, 3000, 10]})
    with pytest.raises(
        GeneTableError, match=r"chr2 has 2000 bp.*tss=2001 of chr2_1, and of 1 more"
    ):
        check_chromosome_ends(table, {"chr1": 1000, "chr2": 2000}, flank_bp=100, bin_bp=50)
    with pytest.raises(GeneTableError, match=r"chromosomes 1, 2\. Received: genes on chr1, chr2\."):
        check_chromosome_ends(table, {"1": 1000, "2": 2000}, flank_bp=100, bin_bp=50)


def test_unknown_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"edges to be one of keep, drop. Received: edges='mask'"):
        check_chromosome_ends(table_of({"chr1": [1]}), {}, flank_bp=1, bin_bp=1, edges="mask")  # type: ignore[arg-type]
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
        ("gene_id\tsymbol\tchrom\n", "columns gene_id, chrom, tss, strand once in genes.tsv"),
        ("gene_id,chrom,tss,strand\n", "tab-separated.*'gene_id,chrom,tss,strand' in line 1"),
        (GENES_TSV.replace("chrX\t", "", 1), "6 fields in genes.tsv, line 2. Received: 5"),
        (GENES_TSV.replace("chrX", "", 1), "a chrom in genes.tsv, line 2. Received: none"),
        (GENES_TSV.replace("99839799", "99.8"), "tss to be a whole number.*line 3.*'99.8'"),
        (GENES_TSV.replace("?", "x"), "line 6. Received: strand='x'"),
        ("ENSG00000000003 X 99883667\n", "GTF, GFF3.*'ENSG00000000003 X 99883667' in line 1"),
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


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "genes.gtf.gz"
    path.write_bytes(gzip.compress(GENCODE_GTF.encode())[:-9])
    with pytest.raises(GeneTableError, match=r"complete gzipped file. Received: genes.gtf.gz"):
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


@pytest.mark.real_data
def test_an_annotation_has_the_tss_of_the_published_files(real_data: Path, tmp_path: Path) -> None:
    """On both strands: the coordinates above are GENCODE's."""
    published = read_gene_table(real_data / "remc" / "genes.tsv")
    table = read_gene_table(write(tmp_path / "genes.gtf", GENCODE_GTF), biotype="protein_coding")
    rows = published.rows_of(table.gene_id.tolist())
    assert table.strand.tolist() == ["-", "+"]
    for column in ("symbol", "chrom", "tss", "strand"):
        np.testing.assert_array_equal(getattr(table, column), getattr(published, column)[rows])


@pytest.mark.real_data
def test_bin_edges_are_those_the_reads_were_counted_in(real_data: Path) -> None:
    """The gene region is centred on `tss`: reads overlapping each bin give the known counts."""
    counts = np.load(real_data / "h3k27ac" / "E003_read_counts.npz")
    windows = [
        line.split("\t") for line in (real_data / "raw" / "windows.tsv").read_text().splitlines()
    ]
    column = {name: index for index, name in enumerate(windows[0])}
    reads = _read_tag_align(real_data / "raw" / "E003-H3K4me3.tagAlign.gz")
    mark = counts["marks"].tolist().index("H3K4me3")
    edges = bin_edges(counts["tss"], num_bins=100, bin_bp=100, flank_bp=5000)
    num_checked = 0
    for gene in range(len(edges)):
        start, end = edges[gene, 0], edges[gene, -1]
        is_covered = any(
            window[column["chrom"]] == counts["chrom"][gene]
            and int(window[column["complete_from"]]) + 36 <= start
            and end < int(window[column["end"]])
            for window in windows[1:]
        )
        if is_covered:
            starts, ends = reads[str(counts["chrom"][gene])]
            overlapping = [
                int(((starts < right) & (ends > left)).sum())
                for left, right in zip(edges[gene, :-1], edges[gene, 1:], strict=True)
            ]
            assert overlapping == counts["counts"][gene, mark].tolist()
            num_checked += 1
    assert num_checked > 100


def _read_tag_align(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    import pandas as pd

    reads = pd.read_csv(path, sep="\t", header=None, usecols=[0, 1, 2])
    return {
        str(chrom): (group[1].to_numpy(), group[2].to_numpy()) for chrom, group in reads.groupby(0)
    }
