"""Reads that can be counted by hand: three genes, four bins of 100 bp."""

from pathlib import Path

import numpy as np
import pytest

from tfds_remc.remc.annotations import GeneTableError
from tfds_remc.remc.gene_table import GeneTable
from tfds_remc.remc.own_data import (
    OwnDataError,
    lay_regions,
    mark_signal,
    read_marks,
    split_by_gene,
)
from tfds_remc.remc.reads import BinnedSignal
from tfds_remc.remc.samples import Sample


def gene_table(*loci: tuple[str, int]) -> GeneTable:
    num_genes = len(loci)
    return GeneTable(
        gene_id=np.array([f"g{number}" for number in range(num_genes)]),
        transcript_id=np.full(num_genes, ""),
        symbol=np.full(num_genes, ""),
        chrom=np.array([chrom for chrom, _ in loci]),
        tss=np.array([tss for _, tss in loci]),
        strand=np.full(num_genes, "+"),
        left_out={"genes of another biotype": 5},
    )


def counts(*values: float, num_records: int, num_left_out: int = 0) -> BinnedSignal:
    left_out = {"unmapped": num_left_out} if num_left_out else {}
    return BinnedSignal(
        np.array([values], np.float32), "tagAlign", num_records=num_records, left_out=left_out
    )


SAMPLE = Sample("K562", "H3K4me3", Path("ip.tagAlign"), Path("input.tagAlign"))


def test_signal_without_options_is_what_was_read() -> None:
    source = counts(3, 0, num_records=100)
    assert mark_signal(SAMPLE, source, None).values is source.values


def test_counts_per_million_reads_that_count() -> None:
    # 100 reads, of which 20 do not count: a read is 1/80 of a million.
    source = counts(3, 0, 8, num_records=100, num_left_out=20)
    values = mark_signal(SAMPLE, source, None, normalize="cpm").values
    np.testing.assert_allclose(values, [[37_500, 0, 100_000]])
    assert values.dtype == np.float32


def test_a_control_is_scaled_to_the_reads_and_subtracted() -> None:
    # Twice as many reads as the control: 8 - 2 x 1, 3 - 2 x 2 which is below 0, 5 - 2 x 0.
    source, control = counts(8, 3, 5, num_records=80), counts(1, 2, 0, num_records=40)
    mark = mark_signal(SAMPLE, source, control)
    np.testing.assert_array_equal(mark.values, [[6, 0, 5]])
    assert (mark.source, mark.control) == (source, control)
    per_million = mark_signal(SAMPLE, source, control, normalize="cpm").values
    np.testing.assert_allclose(per_million, [[75_000, 0, 62_500]])


def test_a_file_of_which_all_reads_are_left_out() -> None:
    source, control = counts(0, num_records=7, num_left_out=7), counts(1, num_records=7)
    with pytest.raises(OwnDataError, match=r"ip\.tagAlign\. Received: 7 reads, all left out"):
        mark_signal(SAMPLE, source, None, normalize="cpm")
    with pytest.raises(OwnDataError, match=r"reads that count in input\.tagAlign"):
        mark_signal(SAMPLE, control, source)


def test_warnings_name_the_file() -> None:
    mark = mark_signal(
        SAMPLE,
        counts(1, num_records=10, num_left_out=1),
        counts(1, num_records=9, num_left_out=3),
    )
    assert list(mark.warnings()) == [
        "ip.tagAlign: 1 of 10 reads left out: unmapped",
        "input.tagAlign: 3 of 9 reads left out: unmapped",
    ]


@pytest.mark.parametrize(
    ("sample", "options", "match"),
    [
        (
            Sample("K562", "H3K4me3", Path("a.bw")),
            {"normalize": "cpm"},
            r"Expected reads \(tagAlign or BAM\) for H3K4me3 of K562, .*Received: a\.bw, a bigWig",
        ),
        (
            Sample("K562", "H3K4me3", Path("a.bam")),
            {"subtract_control": True},
            r"a control for every mark .*Received: none for H3K4me3 of K562",
        ),
        (
            Sample("K562", "H3K4me3", Path("a.bam"), Path("b.bedGraph")),
            {"subtract_control": True},
            r"Received: b\.bedGraph, a bedGraph file",
        ),
    ],
)
def test_options_that_a_file_cannot_answer_are_refused_before_any_is_read(
    sample: Sample, options: dict[str, bool], match: str
) -> None:
    bins = lay_regions(gene_table(("chr1", 1000)), flank_bp=200, bin_bp=100).bins
    # Neither file exists.
    with pytest.raises(OwnDataError, match=match):
        next(read_marks([sample], bins, **options))  # type: ignore[arg-type]


def test_a_control_of_several_marks_is_read_once(tmp_path: Path) -> None:
    bins = lay_regions(gene_table(("chr1", 1000)), flank_bp=200, bin_bp=100).bins
    samples = []
    for name in ("ip1", "ip2", "input"):
        path = tmp_path / f"{name}.tagAlign"
        path.write_text("chr1\t810\t846\tN\t1000\t+\n")
        samples.append(Sample("A", name, path, tmp_path / "input.tagAlign"))
    first, second = read_marks(samples[:2], bins, subtract_control=True)
    assert first.control is second.control is not None
    assert not first.values.any()


def test_regions_over_a_chromosome_end_are_kept_and_masked() -> None:
    genes = gene_table(("1", 1000), ("1", 100), ("1", 249_250_571), ("GL000192.1", 800))
    regions = lay_regions(genes, flank_bp=200, bin_bp=100, genome="hg19")
    assert regions.genes.chrom.tolist() == ["chr1", "chr1", "chr1", "GL000192.1"]
    np.testing.assert_array_equal(
        regions.is_beyond, np.array([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]], bool)
    )
    assert regions.bins.start.tolist() == [800, -100, 249_250_371, 600]
    assert regions.warnings == (
        "2 gene regions reach over an end of their chromosome; the feature beyond_end marks those "
        "bins",
        "1 genes lie on chromosomes whose size in hg19 is not known here: GL000192.1",
    )


def test_regions_over_a_chromosome_end_are_dropped_and_counted() -> None:
    genes = gene_table(("chr1", 1000), ("chr1", 100))
    regions = lay_regions(genes, flank_bp=200, bin_bp=100, edges="drop")
    assert regions.genes.gene_id.tolist() == ["g0"]
    assert not regions.is_beyond.any()
    assert regions.warnings == ()
    assert regions.genes.left_out == {
        "genes of another biotype": 5,
        "regions over an end of their chromosome": 1,
    }


def test_regions_that_all_reach_over_an_end() -> None:
    genes = gene_table(("chr1", 100), ("chr1", 150))
    match = r"edges='drop' is asked for\. Received: 2 gene regions of 2 x 200 bp, all over an end"
    with pytest.raises(OwnDataError, match=match):
        lay_regions(genes, flank_bp=200, bin_bp=100, edges="drop")


def test_genes_of_another_genome() -> None:
    with pytest.raises(
        GeneTableError, match=r"chr1 has 249250621 bp in hg19\. Received: tss=300000000"
    ):
        lay_regions(gene_table(("chr1", 300_000_000)), flank_bp=200, bin_bp=100, genome="hg19")


def test_splits_go_by_gene() -> None:
    gene_ids = [f"ENSG{number:011d}" for number in range(3000)]
    split = split_by_gene(gene_ids)
    # Another release must not move a gene to another split.
    assert split[[3, 5, 419]].tolist() == ["test", "train", "valid"]
    _, sizes = np.unique(split, return_counts=True)
    assert (abs(sizes - 1000) < 100).all()
    order = np.random.default_rng(0).permutation(3000)
    np.testing.assert_array_equal(split_by_gene([gene_ids[i] for i in order]), split[order])
    assert 0.3 < np.mean(split_by_gene(gene_ids, seed=1) == split) < 0.37
