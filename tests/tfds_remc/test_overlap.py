import numpy as np
import pytest

from tfds_remc.remc.overlap import Overlap, measure_overlap


def test_half_of_a_region_is_a_flank() -> None:
    """Regions of 10 kb share 5 kb if their centres are 5 kb apart, on either side."""
    train = [("chr1", 100_000), ("chr1", 200_000), ("chr2", 50_000), ("", -1)]
    test = {
        ("chr1", 105_000): True,
        ("chr1", 105_001): False,
        ("chr1", 95_000): True,
        ("chr1", 94_999): False,
        ("chr1", 200_000): True,
        ("chr2", 100_000): False,
        ("chr3", 100_000): False,
    }
    for places, num_shared in (*(([p], int(s)) for p, s in test.items()), ([*test], 3)):
        loci = [*train, *places, ("", -1), ("chr1", 105_002)]
        split = ["train"] * len(train) + ["test"] * (len(places) + 1) + ["valid"]
        chrom, tss = (np.array(column) for column in zip(*loci, strict=True))
        overlap = measure_overlap(chrom, tss, np.array(split), flank_bp=5000)
        assert overlap == Overlap(len(places), num_shared), places


def test_advice() -> None:
    assert list(Overlap(40, 0).warnings()) == []
    assert list(Overlap(4000, 1000).warnings()) == [
        "1,000 of 4,000 test genes (25.0 %) share half or more of their region with a training "
        "gene. keras_chrome.fit --split neighbours keeps such genes in one split"
    ]


def test_against_brute_force() -> None:
    rng = np.random.default_rng(0)
    chrom, split = rng.choice(["chr1", "2"], 300), rng.choice(["train", "valid", "test"], 300)
    tss = rng.integers(0, 400_000, 300)
    shared = [
        any(
            split[j] == "train" and chrom[i] == chrom[j] and 2000 - abs(tss[i] - tss[j]) >= 1000
            for j in range(300)
        )
        for i in np.flatnonzero(split == "test")
    ]
    assert measure_overlap(chrom, tss, split, flank_bp=1000) == Overlap(len(shared), sum(shared))
    assert 0 < sum(shared) < len(shared)


@pytest.mark.parametrize("num_genes", [0, 1])
def test_few_genes(num_genes: int) -> None:
    columns = np.array(["chr1"] * num_genes), np.zeros(num_genes, int), np.full(num_genes, "test")
    overlap = measure_overlap(*columns, flank_bp=5000)
    assert overlap == Overlap(num_genes, 0)
    assert str(overlap).startswith(f"0 of {num_genes} test genes (0.0 %)")
