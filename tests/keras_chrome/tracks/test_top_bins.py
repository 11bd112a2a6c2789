"""Ranks counted by hand: two genes, three bins, two marks."""

import numpy as np

from keras_chrome.data import Genes
from keras_chrome.tracks.top_bins import top_bins

MARKS = ("H3K4me3", "H3K9me3")
GENES = Genes(
    split="test",
    signal=np.zeros((2, 3, 2), np.float32),
    label=np.zeros(2, np.int8),
    gene_id=np.array(["g0", "g1"]),
    symbol=np.array(["A", ""]),
    transcript_id=np.array(["", ""]),
    chrom=np.array(["chr2", "chr1"]),
    tss=np.array([150, 15]),
    strand=np.array(["+", "-"]),
    rpkm=np.zeros(2, np.float32),
    oriented=np.full(2, False),
    epigenome=np.full(2, "E"),
    num_unlabelled=0,
)
START = np.array([[100, 110, 120], [0, 0, 10]])
END = np.array([[110, 120, 130], [0, 10, 20]])
IMPORTANCE = np.array(
    [[[1, 0], [-4, 0], [2, 0]], [[9, 0.5], [1, 0.5], [1, 0]]],
    np.float32,
)


def test_bins_are_ranked_by_size_and_none_is_invented() -> None:
    bins = top_bins(IMPORTANCE, GENES, MARKS, START, END, num_top=2)
    columns = ["chrom", "start", "end", "gene_id", "mark", "rank", "importance", "score"]
    # The bin with 9 lies beyond the chromosome's start; of the two with 1 the left one is first.
    assert bins[columns].to_numpy().tolist() == [
        ["chr1", 0, 10, "g1", "H3K4me3", 1, 1.0, 600],
        ["chr1", 0, 10, "g1", "H3K9me3", 1, 0.5, 200],
        ["chr1", 10, 20, "g1", "H3K4me3", 2, 1.0, 600],
        ["chr2", 110, 120, "g0", "H3K4me3", 1, -4.0, 1000],
        ["chr2", 120, 130, "g0", "H3K4me3", 2, 2.0, 800],
    ]
    assert bins["strand"].tolist() == ["-", "-", "-", "+", "+"]
    assert bins["symbol"].tolist() == ["", "", "", "A", "A"]


def test_more_than_there_are() -> None:
    assert len(top_bins(IMPORTANCE, GENES, MARKS, START, END, num_top=99)) == 6


def test_no_importance_at_all() -> None:
    bins = top_bins(np.zeros_like(IMPORTANCE), GENES, MARKS, START, END, num_top=2)
    assert len(bins) == 0
    assert "score" in bins
