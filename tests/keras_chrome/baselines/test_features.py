"""Features of hand-made genes."""

import numpy as np
import pytest

from keras_chrome.baselines import SignalSpec
from keras_chrome.baselines.features import AllBins, BestBin, BinsAndSummaries, MaxOfMark

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


def test_summaries_by_hand() -> None:
    spec = SignalSpec(("A", "B"), num_bins=10, bin_bp=100, transform="none")
    a = [0, 0, 0, 0, 2, 4, 0, 0, 0, 0]
    b = [1, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    empty = np.zeros((10, 2))
    features = BinsAndSummaries(spec)
    names = features.get_feature_names_out().tolist()
    values, of_empty = features.transform(np.stack([np.stack([a, b], axis=1), empty]))
    assert len(names) == len(set(names)) == len(values)
    by_name = dict(zip(names, values.tolist(), strict=True))
    assert by_name["A[+0]"] == 4
    expected = {
        "A mean": 0.6,
        "B mean": 0.4,
        "A sd": np.std(a),
        "A max": 4,
        "B max": 3,
        "A max at": 0,
        "B max at": 400,
        "A empty": 0.8,
        # 50 bp left of the TSS with weight 2, right of it with weight 4.
        "A centre": 100 / 6,
        "B centre": (-450 + 3 * 450) / 4,
        "A right - left": 0.4,
        "B right - left": 0.4,
        "A mean[-500:-300]": 0,
        "A mean[-100:+100]": 3,
        "B mean[+300:+500]": 1.5,
        "A, B difference": 0.2,
        # Of the two bins beside the TSS.
        "A, B middle difference": 3,
        "A, B correlation": np.corrcoef(a, b)[0, 1],
    }
    assert {name: by_name[name] for name in expected} == pytest.approx(expected)
    # Five segments of ten bins, and no ten: those are the bins.
    assert sum(name.startswith("A mean[") for name in names) == 5
    positions = ("A max at", "B max at", "A empty", "B empty")
    assert {n for n, v in zip(names, of_empty, strict=True) if v} == set(positions)


def test_a_region_of_a_hundred_bins_has_segments_of_5_10_and_20() -> None:
    spec = SignalSpec(("A", "B", "C", "D", "E"), num_bins=100, bin_bp=100, transform="log1p")
    names = BinsAndSummaries(spec).get_feature_names_out().tolist()
    assert sum(name.startswith("C mean[") for name in names) == 35
    assert "C mean[-5000:-4500]" in names
    assert len(names) == 5 * (100 + 7 + 35) + 3 * 10


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
