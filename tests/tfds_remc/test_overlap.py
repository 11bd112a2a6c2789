import numpy as np
import pytest

from tfds_remc.remc.overlap import Overlap, measure_overlap


def test_half_of_a_region_is_a_flank() -> None:
    """Regions of 10 kb share 5 kb if their centres are 5 kb apart, on either side; near is 1 kb."""
    train = [("chr1", 100_000), ("chr1", 200_000), ("chr2", 50_000), ("", -1)]
    # The place, whether it shares half, and whether it is near.
    test = {
        ("chr1", 105_000): (1, 0),
        ("chr1", 105_001): (0, 0),
        ("chr1", 95_000): (1, 0),
        ("chr1", 94_999): (0, 0),
        ("chr1", 200_000): (1, 1),
        ("chr1", 201_000): (1, 1),
        ("chr1", 198_999): (1, 0),
        ("chr2", 100_000): (0, 0),
        ("chr3", 100_000): (0, 0),
    }
    for places, counts in (*(([place], each) for place, each in test.items()), ([*test], (5, 2))):
        loci = [*train, *places, ("", -1), ("chr1", 105_002)]
        split = ["train"] * len(train) + ["test"] * (len(places) + 1) + ["valid"]
        chrom, tss = (np.array(column) for column in zip(*loci, strict=True))
        overlap = measure_overlap(chrom, tss, np.array(split), flank_bp=5000)
        assert overlap == Overlap(len(places), *counts), places


def test_advice() -> None:
    assert list(Overlap(40, 0, 0).warnings()) == []
    assert list(Overlap(4000, 1000, 500).warnings()) == [
        "1,000 of 4,000 test genes (25.0 %) share half or more of their region with a training "
        "gene; 500 (12.5 %) have their TSS within 1,000 bp of a training gene's. keras_chrome.fit "
        "--split neighbours keeps such genes in one split"
    ]


def test_against_brute_force() -> None:
    rng = np.random.default_rng(0)
    chrom, split = rng.choice(["chr1", "2"], 300), rng.choice(["train", "valid", "test"], 300)
    tss = rng.integers(0, 400_000, 300)
    shared, near = (
        [
            any(
                split[j] == "train" and chrom[i] == chrom[j] and abs(tss[i] - tss[j]) <= apart_bp
                for j in range(300)
            )
            for i in np.flatnonzero(split == "test")
        ]
        for apart_bp in (3000, 1000)
    )
    expected = Overlap(len(shared), sum(shared), sum(near))
    assert measure_overlap(chrom, tss, split, flank_bp=3000) == expected
    assert 0 < sum(near) < sum(shared) < len(shared)


@pytest.mark.parametrize("num_genes", [0, 1])
def test_few_genes(num_genes: int) -> None:
    columns = np.array(["chr1"] * num_genes), np.zeros(num_genes, int), np.full(num_genes, "test")
    overlap = measure_overlap(*columns, flank_bp=5000)
    assert overlap == Overlap(num_genes, 0, 0)
    assert str(overlap).startswith(f"0 of {num_genes} test genes (0.0 %)")
