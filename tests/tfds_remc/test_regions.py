from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.regions import GeneTableError, bin_edges, read_gene_table

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


def test_the_second_time_an_id_is_asked_for_its_second_row_answers(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(GENES_TSV)
    table = read_gene_table(path)
    twice = "ENSG00000062370"
    rows = table.rows_of([twice, "ENSG00000000005", twice, twice, "ENSG00000000005"])
    assert rows.tolist() == [2, 1, 3, 3, 1]
    with pytest.raises(GeneTableError, match="gene_id='ENSG00000999999'"):
        table.rows_of(["ENSG00000999999"])


def test_bin_edges() -> None:
    edges = bin_edges(np.array([5000, 100]), num_bins=4, bin_bp=50, flank_bp=100)
    assert edges.tolist() == [[4900, 4950, 5000, 5050, 5100], [0, 50, 100, 150, 200]]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "at least one gene"),
        ("gene_id\tsymbol\tchrom\n", "columns gene_id, symbol, chrom, tss, strand in genes"),
        (GENES_TSV.replace("chrX\t", "", 1), "6 fields in genes.tsv, line 2. Received: 5"),
        (GENES_TSV.replace("99839799", "99.8"), "tss to be a whole number.*line 3.*'99.8'"),
        (GENES_TSV.replace("?", "x"), "strand='x'"),
        ("ENSG00000000003 X 99883667\n", "between tabs in genes.tsv, line 1"),
        (GENE_INFO.replace("\t1\t", "\t+\t"), "strand .1 or -1.*line 2"),
        (GENE_INFO.replace("99839799", "-5"), "TSS to be a whole number.*line 2.*'-5'"),
    ],
)
def test_faults(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(text)
    with pytest.raises(GeneTableError, match=match):
        read_gene_table(path)


@pytest.mark.real_data
def test_the_real_table(real_data: Path) -> None:
    table = read_gene_table(real_data / "remc" / "genes.tsv")
    assert len(table.gene_id) == 19802
    assert len(set(table.gene_id.tolist())) == 19795
    assert (table.strand == "").sum() == 160


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
