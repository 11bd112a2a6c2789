"""Reliability by hand."""

import numpy as np
import pytest

from keras_chrome.statistics.calibration import calibration_bins, expected_calibration_error


def test_bins_by_hand() -> None:
    probability = np.float32([0.05, 0.15, 0.15, 0.7, 0.75, 1.0])
    bins = calibration_bins(np.array([0, 1, 0, 1, 1, 1]), probability)
    assert [(b.low, b.num_genes, b.num_high) for b in bins] == [
        (0.0, 1, 0),
        (0.1, 2, 1),
        # float32 0.7 is a little below 0.7.
        (0.6, 1, 1),
        (0.7, 1, 1),
        (0.9, 1, 1),
    ]
    assert bins[1].predicted == pytest.approx(0.15)
    assert bins[1].observed == 0.5
    # |0 - .05| + 2 |.5 - .15| + |1 - .7| + |1 - .75| + 0, over 6 genes.
    assert expected_calibration_error(bins) == pytest.approx(1.3 / 6)


def test_wilson_interval_by_hand() -> None:
    """8 of 10, z = 1.96: (0.8 + z²/20 ± z sqrt(0.016 + z²/400)) / (1 + z²/10)."""
    (of_bin,) = calibration_bins(np.array([1] * 8 + [0] * 2), np.full(10, 0.55))
    assert of_bin.observed_low == pytest.approx(0.4902, abs=1e-4)
    assert of_bin.observed_high == pytest.approx(0.9433, abs=1e-4)


def test_true_probabilities_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(100_000)
    bins = calibration_bins((rng.random(100_000) < probability).astype(int), probability)
    assert len(bins) == 10
    assert expected_calibration_error(bins) < 0.01
    assert expected_calibration_error(calibration_bins(np.ones(100_000, int), probability)) > 0.4
