"""Features of hand-made genes."""

import numpy as np

from keras_chrome.baselines import SignalSpec
from keras_chrome.baselines.features import AllBins, BestBin, MaxOfMark

SPEC = SignalSpec(("H3K4me3", "H3K27me3"), num_bins=4, bin_bp=200, transform="none")

# Three genes, four bins, two marks.
SIGNAL = np.array(
    [
        [[1, 9], [0, 5], [5, 0], [7, 7]],
        [[1, 2], [4, 0], [6, 3], [7, 6]],
        [[1, 4], [2, 6], [0, 9], [6, 7]],
    ],
    np.float32,
)
LABEL = np.array([1, 1, 0], np.int8)


def test_all_bins_are_named_by_mark_and_position() -> None:
    bins = AllBins(SPEC)
    np.testing.assert_array_equal(bins.transform(SIGNAL)[0], [1, 9, 0, 5, 5, 0, 7, 7])
    assert bins.get_feature_names_out().tolist() == [
        "H3K4me3[-400]",
        "H3K27me3[-400]",
        "H3K4me3[-200]",
        "H3K27me3[-200]",
        "H3K4me3[+0]",
        "H3K27me3[+0]",
        "H3K4me3[+200]",
        "H3K27me3[+200]",
    ]


def test_max_of_each_mark() -> None:
    features = MaxOfMark(SPEC.marks)
    np.testing.assert_array_equal(features.transform(SIGNAL), [[7, 9], [7, 6], [6, 9]])
    assert features.get_feature_names_out().tolist() == ["H3K4me3 max", "H3K27me3 max"]


def test_best_bin_correlates_most_either_way() -> None:
    # H3K4me3: bin 3 is 7, 7, 6, the label itself; bin 0 has no variance. H3K27me3: bin 2 is
    # 0, 3, 9, the more the lower.
    features = BestBin(SPEC).fit(SIGNAL, LABEL)
    assert features.bins_.tolist() == [3, 2]
    np.testing.assert_allclose(
        features.correlations_, [1, np.corrcoef([0, 3, 9], LABEL)[0, 1]], rtol=1e-6
    )
    np.testing.assert_array_equal(features.transform(SIGNAL), [[7, 0], [7, 3], [6, 9]])
    assert features.get_feature_names_out().tolist() == ["H3K4me3[+200]", "H3K27me3[+0]"]


def test_best_bin_is_never_one_without_variance() -> None:
    # Rounding leaves a constant 0.1 a little variance.
    signal = np.full((1000, 4, 2), 0.1, np.float32)
    signal[:, 3] = np.random.default_rng(0).normal(size=(1000, 2))
    features = BestBin(SPEC).fit(signal, np.arange(1000) % 2)
    assert features.bins_.tolist() == [3, 3]
