from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.annotations import GeneTableError
from tfds_remc.remc.chromosomes import ChromosomeSize
from tfds_remc.remc.gene_table import GeneTable
from tfds_remc.remc.regions import bin_edges, check_chromosome_ends, count_bins


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


def sizes_of(**num_bp: int) -> dict[str, ChromosomeSize]:
    return {name: ChromosomeSize(size, "a.bam") for name, size in num_bp.items()}


def test_regions_over_an_end_are_kept_with_a_mask() -> None:
    """200 bp around each TSS in bins of 50 bp, on chromosomes of 1,000 bp and of unknown size."""
    table = table_of({"chr1": [100, 99, 40, 900, 901, 1000], "chr2": [10, 5000]})
    ends = check_chromosome_ends(table, sizes_of(chr1=1000, chr9=9), flank_bp=100, bin_bp=50)
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
    ends = check_chromosome_ends(table, sizes_of(chr1=1000), flank_bp=100, bin_bp=50, edges="drop")
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
        GeneTableError, match=r"chr2 has 2000 bp in a\.bam\. .*tss=2001 of chr2_1, and of 1 more"
    ):
        check_chromosome_ends(table, sizes_of(chr1=1000, chr2=2000), flank_bp=100, bin_bp=50)
    with pytest.raises(GeneTableError, match=r"chromosomes 1, 2\. Received: genes on chr1, chr2\."):
        check_chromosome_ends(table, sizes_of(**{"1": 1000, "2": 2000}), flank_bp=100, bin_bp=50)


def test_an_unknown_policy_for_ends() -> None:
    with pytest.raises(ValueError, match=r"edges to be one of keep, drop. Received: edges='mask'"):
        check_chromosome_ends(table_of({"chr1": [1]}), {}, flank_bp=1, bin_bp=1, edges="mask")  # type: ignore[arg-type]


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
