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


SEVERAL_PLACES = "on several chromosomes or strands, or far apart on one"


def line(chrom: str, kind: str, start: int, end: int, strand: str, attributes: str) -> str:
    fields = (chrom, "x", kind, start, end, ".", strand, ".", attributes)
    return "\t".join(map(str, fields)) + "\n"


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
    assert table.left_out == {f"genes {SEVERAL_PLACES}": 1}
    assert table.warnings == ()
    with pytest.raises(
        GeneTableError, match=r"biotype protein_coding in genes.gtf. Received: none"
    ):
        read_gene_table(path, tss=tss, biotype="protein_coding")


def genes_of(path: Path, text: str, tss: Literal["gene", "transcript"] = "gene") -> dict[str, int]:
    """The TSS of each gene."""
    table = read_gene_table(write(path / "genes.txt", text), tss=tss)
    return dict(zip(table.gene_id.tolist(), table.tss.tolist(), strict=True))


# Three genes of which only the first has a gene line; the second has only exons.
SOME_GENE_LINES = {
    "GTF": (
        line("chr1", "gene", 1000, 5000, "+", 'gene_id "A";'),
        line("chr1", "transcript", 1000, 5000, "+", 'gene_id "A"; transcript_id "a";'),
        line("chr1", "exon", 7000, 7100, "-", 'gene_id "B"; transcript_id "b1";'),
        line("chr1", "exon", 9000, 9100, "-", 'gene_id "B"; transcript_id "b2";'),
        line("chr1", "transcript", 8000, 8900, "+", 'gene_id "C"; transcript_id "c";'),
        line("chr1", "exon", 8000, 8100, "+", 'gene_id "C"; transcript_id "c";'),
    ),
    "GFF3": (
        line("chr1", "gene", 1000, 5000, "+", "ID=gene:A"),
        line("chr1", "mRNA", 1000, 5000, "+", "ID=transcript:a;Parent=gene:A"),
        line("chr1", "exon", 1000, 5000, "+", "Parent=transcript:a"),
        line("chr1", "exon", 7000, 7100, "-", "Parent=transcript:b1;gene_id=B"),
        line("chr1", "exon", 9000, 9100, "-", "Parent=transcript:b2;gene_id=B"),
        line("chr1", "lnc_RNA", 8000, 8900, "+", "ID=transcript:c;Parent=gene:C"),
        line("chr1", "exon", 8000, 8100, "+", "Parent=transcript:c"),
    ),
}


@pytest.mark.parametrize("layout", SOME_GENE_LINES)
@pytest.mark.parametrize("is_backwards", [False, True])
def test_genes_without_a_line_are_derived_and_counted(
    tmp_path: Path, layout: str, is_backwards: bool
) -> None:
    text = "".join(SOME_GENE_LINES[layout][:: -1 if is_backwards else 1])
    path = write(tmp_path / "genes.txt", text)
    table = read_gene_table(path)
    assert dict(zip(table.gene_id.tolist(), table.tss.tolist(), strict=True)) == {
        "A": 1000,
        "B": 9100,
        "C": 8000,
    }
    assert table.left_out == {}
    assert table.warnings == (
        "genes.txt: 2 of 3 genes have no gene line, and span their transcripts and exons",
    )
    transcripts = read_gene_table(path, tss="transcript")
    assert dict(zip(transcripts.transcript_id.tolist(), transcripts.tss.tolist(), strict=True)) == {
        "a": 1000,
        "b1": 7100,
        "b2": 9100,
        "c": 8000,
    }


def test_what_names_no_gene_is_counted(tmp_path: Path) -> None:
    text = (
        "".join(SOME_GENE_LINES["GFF3"][:2])
        + line("chr1", "exon", 7000, 7100, "-", "ID=e1;Parent=transcript:b1")
        + line("chr1", "mRNA", 7000, 7100, "-", "ID=transcript:d")
        + line("chr1", "miRNA", 1000, 1100, "-", "ID=transcript:m;Parent=transcript:a")
        + line("chr1", "mRNA", 6000, 7100, "+", "ID=e.1;geneID=E;gene_name=EEE;Name=e-1")
    )
    table = read_gene_table(write(tmp_path / "genes.gff3", text))
    assert table.gene_id.tolist() == ["A", "E"]
    assert table.symbol.tolist() == ["", "EEE"]
    assert table.left_out == {
        "transcripts without a gene": 1,
        "exons of transcripts without a line": 1,
    }


@pytest.mark.parametrize("kind", ["gene", "transcript", "exon"])
@pytest.mark.parametrize("tss", ["gene", "transcript"])
def test_a_gene_id_at_two_far_places_is_dropped_and_counted(
    tmp_path: Path, kind: str, tss: Literal["gene", "transcript"]
) -> None:
    """As RefSeq has copies of a gene, over two chromosomes and on one."""
    text = "".join(
        line(chrom, kind, start, start + 900, "-", f'gene_id "{gene}"; transcript_id "{gene}1";')
        for gene, chrom, start in (
            *(("G", "chr1", 260_000), ("G", "chr1", 90_000_000)),
            *(("H", "chrX", 260_000), ("H", "chrY", 260_000), ("K", "chr1", 500)),
        )
    )
    if kind == "gene":
        text += line("chr1", "transcript", 500, 1400, "-", 'gene_id "K"; transcript_id "K1";')
    table = read_gene_table(write(tmp_path / "genes.gtf", text), tss=tss)
    assert (table.gene_id.tolist(), table.tss.tolist()) == (["K"], [1400])
    assert table.left_out == {f"genes {SEVERAL_PLACES}": 2}


@pytest.mark.parametrize("kind", ["gene", "transcript", "exon"])
@pytest.mark.parametrize("tss", ["gene", "transcript"])
def test_copies_on_alternate_loci_are_no_places(
    tmp_path: Path, kind: str, tss: Literal["gene", "transcript"]
) -> None:
    """As UCSC's RefSeq tracks have all HLA genes; a gene that is nowhere else stays."""
    text = "".join(
        line(chrom, each, start, start + 900, "+", f'gene_id "{gene}"; transcript_id "{gene}1";')
        for gene, chrom, start in (
            ("HLA-A", "chr6_GL000250v2_alt", 1_268_110),
            *(("HLA-A", "chr6", 29_942_470), ("HLA-A", "chr6_apd_hap1", 500)),
            *(("B", "chr1_KN196472v1_fix", 700), ("B", "chr1", 800)),
            *(("C", "chr1_KI270706v1_random", 100), ("D", "chr7_KI270803v1_alt", 200)),
        )
        for each in dict.fromkeys((kind, "transcript"))
    )
    table = read_gene_table(write(tmp_path / "genes.gtf", text), tss=tss)
    places = zip(table.gene_id.tolist(), table.tss.tolist(), strict=True)
    assert sorted(places) == [("B", 800), ("C", 100), ("D", 200), ("HLA-A", 29_942_470)]
    assert table.left_out == {"copies of genes on alternate loci": 3}


def test_long_genes_are_in_one_place(tmp_path: Path) -> None:
    """CNTNAP2 spans 2.3 Mb, here with one intron; a part between two far ones joins them."""
    cntnap2 = 'gene_id "CNTNAP2"; transcript_id "NM_014141";'
    text = line("chr7", "exon", 145_813_453, 145_814_000, "+", cntnap2)
    text += line("chr7", "exon", 148_118_000, 148_118_090, "+", cntnap2)
    assert genes_of(tmp_path, text) == {"CNTNAP2": 145_813_453}
    places = (("1", 1_000), ("2", 900_000), ("3", 450_000))
    text = "".join(
        line("chr1", "transcript", start, start + 9, "+", f'gene_id "A"; transcript_id "{name}";')
        for name, start in places
    )
    assert genes_of(tmp_path, text) == {"A": 1_000}
    assert genes_of(tmp_path, text, "transcript")["A"] == 450_000
    with pytest.raises(GeneTableError, match="at least one gene"):
        genes_of(tmp_path, text.replace("450", "899"))


def test_a_transcript_at_two_places_of_a_gene_with_a_line(tmp_path: Path) -> None:
    text = line("chr1", "gene", 1000, 9_000_000, "+", 'gene_id "A";') + "".join(
        line("chr1", "transcript", start, start + 9, "+", f'gene_id "A"; transcript_id "{name}";')
        for name, start in (("1", 1_000), ("2", 2_000), ("2", 8_000_000))
    )
    table = read_gene_table(write(tmp_path / "genes.gtf", text), tss="transcript")
    assert table.transcript_id.tolist() == ["1"]
    assert table.left_out == {f"transcripts {SEVERAL_PLACES}": 1}


@pytest.mark.parametrize(
    "attributes",
    [
        'gene_id "G1"; gene_name "A B; c"; gene_type "protein_coding";',
        ' gene_id "G1"; gene_name "A B; c"; gene_type "protein_coding"',
        'gene_id "G1" ; gene_name "A B; c" ; gene_type "protein_coding" ;',
        'gene_id "G1";gene_name "A B; c";gene_type "protein_coding";',
        'gene_id  "G1"; tag "a"; tag "b"; gene_name "A B; c"; ; gene_type protein_coding ; ',
        "gene_id G1; gene_name A B; gene_type protein_coding; level 2;",
        'gene_id "G1"; gene_name "A B; c"; gene_type "protein_coding";\t',
        'gene_id "G1"; note "5\' end, \\"x\\"; y"; gene_name "A B; c"; gene_type "protein_coding";',
        'pseudo; gene_name "A B; c"; gene_id "G1"; gene_type "protein_coding"; # a comment',
        'gene_type "protein_coding"; gene_name "A B; c"; transcript_id ""; gene_id "G1";',
        'gene_id "G1"; gene_name "A B; c"; gene_name "other"; gene_type "protein_coding";',
        '"gene_id ""G1""; gene_name ""A B; c""; gene_type ""protein_coding"";"',
    ],
)
@pytest.mark.parametrize("kind", ["gene", "transcript", "exon"])
def test_attributes_by_the_grammar_of_gtf(tmp_path: Path, attributes: str, kind: str) -> None:
    if kind != "gene" and 'transcript_id ""' in attributes:
        attributes = attributes.replace('transcript_id ""', 'transcript_id "t1"')
    path = write(tmp_path / "genes.gtf", line("19", kind, 60_105, 70_966, "-", attributes))
    table = read_gene_table(path, biotype="protein_coding")
    expected = "A B" if "A B;" in attributes and '"A B; c"' not in attributes else "A B; c"
    assert (table.gene_id.tolist(), table.symbol.tolist()) == (["G1"], [expected])
    assert table.tss.tolist() == [70_966]


@pytest.mark.parametrize(
    "attributes",
    ['gene_id "G1; gene_name "A";', 'gene_id "G1" gene_name "A";', 'gene_id "G1"; gene_name "A'],
)
def test_attributes_at_fault(tmp_path: Path, attributes: str) -> None:
    with pytest.raises(
        GeneTableError, match=r'attributes such as gene_id "ENSG0.*genes\.gtf, line 1'
    ):
        read_gene_table(write(tmp_path / "genes.gtf", line("1", "gene", 1, 9, "+", attributes)))


def test_escaped_attributes_of_gff3(tmp_path: Path) -> None:
    text = line("1", "biological_region", 1, 2, "+", ".")
    text += line("1", "gene", 5, 9, "+", "ID=gene-A%2CB%20C; Name=5%25; gene=x;")
    text += line("1", "mRNA", 6, 9, "+", "Parent=gene-A%2CB%20C;ID=rna-NM_1")
    table = read_gene_table(write(tmp_path / "a.gff3", text), tss="transcript")
    assert (table.gene_id.tolist(), table.symbol.tolist()) == (["A,B C"], ["5%"])
    assert (table.transcript_id.tolist(), table.tss.tolist()) == (["NM_1"], [6])


def test_lines_about_a_browser_are_comments(tmp_path: Path) -> None:
    text = 'browser position chr1:1-9\ntrack name="genes of mine"\n'
    text += line("1", "gene", 5, 9, "+", "gene_id=A;gene_name=B")
    table = read_gene_table(write(tmp_path / "a.gff", text))
    assert (table.gene_id.tolist(), table.symbol.tolist()) == (["A"], ["B"])


@pytest.mark.parametrize("symbol", ["NA", "na", "N/A", "#N/A", "-", ".", "nan", "NaN"])
def test_symbols_that_only_say_unknown(tmp_path: Path, symbol: str) -> None:
    texts = (
        GENE_INFO.replace("TSPAN6", symbol),
        "gene_id\tsymbol\tchrom\ttss\tstrand\n" + f"a\t{symbol}\t1\t5\t+\nb\tTNMD\t1\t9\t+\n",
        GENCODE_GTF.replace('"TSPAN6"', f'"{symbol}"'),
        GENCODE_GFF3.replace("=TSPAN6", f"={symbol}"),
    )
    for text in texts:
        table = read_gene_table(write(tmp_path / "genes", text))
        assert table.symbol.tolist()[:2] == ["", "TNMD"]


def test_gene_ids_that_excel_made_dates_of(tmp_path: Path) -> None:
    ids = ["1-Mar", "Mar-02", "2-Sep", "2023-03-01", "01/03/2023", "dec-1", "MARCH1", "SEP15"]
    text = "gene_id,chrom,tss,strand\n" + "".join(f"{i},1,{n},+\n" for n, i in enumerate(ids))
    (warning,) = read_gene_table(write(tmp_path / "genes.csv", text)).warnings
    assert warning.startswith("genes.csv: 5 gene ids are dates (1-Mar, Mar-02, 2-Sep, 2023-03-01, ")


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


def test_the_biotype_that_a_file_has_not_names_the_option(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gtf", line("1", "gene", 1, 9, "+", 'gene_id "A";'))
    with pytest.raises(GeneTableError, match=r"none\. Give one of these, or --biotype all \(biot"):
        read_gene_table(path, biotype="protein_coding")


@pytest.mark.real_data
def test_an_annotation_has_the_tss_of_the_published_files(real_data: Path, tmp_path: Path) -> None:
    """On both strands: the coordinates above are GENCODE's."""
    published = read_gene_table(real_data / "remc" / "genes.tsv")
    table = read_gene_table(write(tmp_path / "genes.gtf", GENCODE_GTF), biotype="protein_coding")
    rows = published.rows_of(table.gene_id.tolist())
    assert table.strand.tolist() == ["-", "+"]
    for column in ("symbol", "chrom", "tss", "strand"):
        np.testing.assert_array_equal(getattr(table, column), getattr(published, column)[rows])
