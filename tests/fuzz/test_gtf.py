from pathlib import Path

import pytest
from harness import Outcome, check, damaged_text, fuzz

from tfds_remc.remc.annotations import GeneTableError
from tfds_remc.remc.gene_table import read_gene_table

PLACE = "chr1\tHAVANA\t{kind}\t{start}\t{end}\t.\t{strand}\t.\t"
GENE = 'gene_id "ENSG0000000000{n}.4"; gene_type "protein_coding"; gene_name "A{n}"; level 2;'
TRANSCRIPT = 'gene_id "ENSG0000000000{n}.4"; transcript_id "ENST0000000000{n}.1"; tag "a b";'
WHOLE = "##description: of two genes\n" + "".join(
    (PLACE + attributes + "\n").format(kind=kind, start=100 * n, end=900 * n, strand=strand, n=n)
    for n, strand in ((1, "+"), (2, "-"))
    for kind, attributes in (("gene", GENE), ("transcript", TRANSCRIPT), ("exon", TRANSCRIPT))
)
GFF3 = """##gff-version 3
1\tensembl\tgene\t100\t900\t.\t+\t.\tID=gene:ENSG00000000001;Name=A1;biotype=protein_coding
1\tensembl\tmRNA\t100\t900\t.\t+\t.\tID=transcript:ENST00000000001;Parent=gene:ENSG00000000001
1\tensembl\texon\t100\t200\t.\t+\t.\tParent=transcript:ENST00000000001
2\tensembl\tmRNA\t100\t900\t.\t-\t.\tID=transcript:ENST00000000002;Parent=gene:ENSG00000000002
"""


def read_genes(path: Path) -> object:
    return read_gene_table(path)


def read_transcripts(path: Path) -> object:
    return read_gene_table(path, tss="transcript")


@fuzz(damaged_text(WHOLE.encode()) | damaged_text(GFF3.encode()))
def test_any_damage_of_genes(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.gtf"
    path.write_bytes(content)
    return check(read_genes, path)


@fuzz(damaged_text(WHOLE.encode()) | damaged_text(GFF3.encode()))
def test_any_damage_of_transcripts(content: bytes, tmp_path: Path) -> Outcome:
    path = tmp_path / "a.gtf"
    path.write_bytes(content)
    return check(read_transcripts, path)


@pytest.mark.parametrize(
    "position", ["9" * 5000, "2147483648", "18446744073709551616", "-5", "1_0"]
)
def test_positions_that_are_none(tmp_path: Path, position: str) -> None:
    path = tmp_path / "a.gtf"
    path.write_text(WHOLE.replace("\t900\t", f"\t{position}\t", 1))
    with pytest.raises(
        GeneTableError, match=r"below 2147483648, in a\.gtf, line 2\. Received: end"
    ):
        read_genes(path)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("attributes", [" " * 2**20 + '"', 'gene_id "' + "a" * 2**20, '"' * 2**20])
def test_a_line_of_a_megabyte_takes_no_longer_than_its_length(
    tmp_path: Path, attributes: str
) -> None:
    """Where a pattern tries two ways to part a space, it once tried a million by a million."""
    path = tmp_path / "a.gtf"
    path.write_text(WHOLE.replace(GENE.format(n=1), attributes, 1))
    with pytest.raises(GeneTableError, match=r"Expected attributes such as .* in a\.gtf, line 2\."):
        read_genes(path)


@pytest.mark.timeout(120)
def test_a_gene_in_many_places_takes_no_longer_than_their_number(tmp_path: Path) -> None:
    exon = 'chr{n}\t.\texon\t{start}\t{end}\t.\t+\t.\tgene_id "A"; transcript_id "{n}";\n'
    lines = [
        exon.format(n=n % 100, start=1 + 10**7 * (n // 100), end=9 + 10**7 * (n // 100))
        for n in range(20_000)
    ]
    path = tmp_path / "a.gtf"
    path.write_text(WHOLE + "".join(lines))
    table = read_gene_table(path)
    assert table.gene_id.tolist() == ["ENSG00000000001", "ENSG00000000002"]
    assert table.left_out == {"genes on several chromosomes or strands, or far apart on one": 1}
