import itertools

import numpy as np
import pytest

from tfds_remc.remc.binning import (
    BinAxis,
    BinningError,
    DepthMean,
    PeakMean,
    ReadCounter,
    RegionBins,
)
from tfds_remc.remc.chromosomes import ChromosomeError

NUM_BINS, BIN_BP = 8, 10


@pytest.fixture
def bins() -> RegionBins:
    """Regions that overlap each other, out of step, and that reach over a chromosome's start."""
    return RegionBins(
        np.array(["chr2", "chr1", "chr1", "chr1"]), np.array([5, 200, -20, 143]), NUM_BINS, BIN_BP
    )


@pytest.fixture
def intervals() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(chromosome 1 or 2, start, end), unsorted, of lengths from 1 bp to more than a region."""
    random = np.random.default_rng(0)
    start = random.integers(0, 300, 400)
    return random.integers(1, 3, 400), start, start + random.integers(1, 120, 400)


def test_counts_are_those_of_comparing_each_read_with_each_bin(
    bins: RegionBins, intervals: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    chrom, start, end = intervals
    left, right = bins.edges[:, :-1, None], bins.edges[:, 1:, None]
    is_on_chrom = np.array([2, 1, 1, 1])[:, None, None] == chrom
    overlaps = is_on_chrom & (start < right) & (end > left)
    axis = BinAxis(bins)
    origin = np.array([0, axis.origin_of["chr1"], axis.origin_of["chr2"]])[chrom]
    for num_chunks in (1, 7):
        counter = ReadCounter(axis)
        num_used = sum(
            counter.add(*chunk)
            for chunk in zip(
                np.array_split(start + origin, num_chunks),
                np.array_split(end + origin, num_chunks),
                strict=True,
            )
        )
        np.testing.assert_array_equal(counter.values(), overlaps.sum(axis=2))
        assert num_used == overlaps.any(axis=(0, 1)).sum()
        assert 0 < num_used < len(start)


def test_depth_is_that_of_adding_up_bases(
    bins: RegionBins, intervals: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    chrom, start, end = intervals
    value = np.random.default_rng(1).normal(size=len(start))
    per_base = {name: np.zeros(1000) for name in ("chr1", "chr2")}
    for c, s, e, v in zip(chrom, start, end, value, strict=True):
        per_base[f"chr{c}"][s + 500 : e + 500] += v
    expected = [
        [per_base[c][a + 500 : b + 500].mean() for a, b in itertools.pairwise(edges)]
        for c, edges in zip(bins.chrom, bins.edges, strict=True)
    ]
    axis = BinAxis(bins)
    depth = DepthMean(axis)
    origin = np.array([0, axis.origin_of["chr1"], axis.origin_of["chr2"]])[chrom]
    depth.add(start + origin, end + origin, value)
    np.testing.assert_allclose(depth.values(), expected, atol=1e-12)
    assert (depth.values()[2, :2] == 0).all()


@pytest.mark.parametrize("num_chunks", [1, 7, 400])
@pytest.mark.parametrize("num_peaks", [3, 30, 400])
def test_peaks_are_the_greatest_of_each_base(
    bins: RegionBins,
    intervals: tuple[np.ndarray, np.ndarray, np.ndarray],
    num_peaks: int,
    num_chunks: int,
) -> None:
    chrom, start, end = (array[:num_peaks] for array in intervals)
    value = np.random.default_rng(1).integers(0, 5, len(start)) / 4
    per_base = {name: np.zeros(1000) for name in ("chr1", "chr2")}
    for c, s, e, v in zip(chrom, start, end, value, strict=True):
        bases = per_base[f"chr{c}"][s + 500 : e + 500]
        np.maximum(bases, v, out=bases)
    expected = [
        [per_base[c][a + 500 : b + 500].mean() for a, b in itertools.pairwise(edges)]
        for c, edges in zip(bins.chrom, bins.edges, strict=True)
    ]
    axis = BinAxis(bins)
    origin = np.array([0, axis.origin_of["chr1"], axis.origin_of["chr2"]])[chrom]
    peaks, counter = PeakMean(axis), ReadCounter(axis)
    for s, e, v in zip(
        *(np.array_split(a, num_chunks) for a in (start + origin, end + origin, value)), strict=True
    ):
        assert peaks.add(s, e, v) == counter.add(s, e)
    np.testing.assert_allclose(peaks.values(), expected, atol=1e-12)
    np.testing.assert_array_equal(peaks.values(), peaks.values())


def test_reads_at_the_edges_of_a_bin() -> None:
    bins = RegionBins(np.array(["chr1"]), np.array([100]), num_bins=3, bin_bp=10)
    axis = BinAxis(bins)
    counter = ReadCounter(axis)
    for start, end in [(90, 100), (90, 101), (109, 110), (110, 120), (129, 200), (130, 140)]:
        origin = axis.origin_of["chr1"]
        counter.add(np.array([start + origin]), np.array([end + origin]))
    assert counter.values().tolist() == [[2, 1, 1]]


def test_no_record_gives_zeros(bins: RegionBins) -> None:
    for kind in (ReadCounter, DepthMean, PeakMean):
        assert not kind(BinAxis(bins)).values().any()


def test_an_empty_bin_stays_exactly_zero() -> None:
    """Differences of a running sum would leave 1e-17 here."""
    axis = BinAxis(RegionBins(np.array(["chr1"]), np.array([0]), num_bins=4, bin_bp=10))
    depth = DepthMean(axis)
    start = axis.origin_of["chr1"] + np.array([0, 3, 30])
    depth.add(start, start + 7, np.array([0.1, 0.7, 0.3]))
    assert depth.values()[0, 1:3].tolist() == [0, 0]


def test_faults() -> None:
    one = np.array(["chr1"])
    with pytest.raises(BinningError, match="2 starts"):
        RegionBins(one, np.array([1, 2]))
    with pytest.raises(BinningError, match="bin_bp=0"):
        RegionBins(one, np.array([1]), bin_bp=0)
    with pytest.raises(ChromosomeError, match="in the gene regions"):
        BinAxis(RegionBins(np.array(["chr1", "2"]), np.array([1, 2])))
