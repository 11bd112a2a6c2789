"""From which probability on a gene counts as predicted ON."""

import numpy as np
import pytest

from keras_chrome.statistics.threshold import on_threshold

LABEL = np.array([0, 0, 1, 0, 0, 1, 1])
PROBABILITY = np.array([0.1, 0.2, 0.3, 0.4, 0.45, 0.7, 0.9])


def test_thresholds_by_hand() -> None:
    # At 0.575 two of three high genes and all four low ones, (2/3 + 1) / 2; at 0.25 (1 + 1/2) / 2.
    assert on_threshold(LABEL, PROBABILITY, "balanced") == pytest.approx(0.575)
    # Three are high: 0.45, 0.7 and 0.9.
    assert on_threshold(LABEL, PROBABILITY, "rate") == pytest.approx(0.425)


def test_high_and_low_genes_weigh_alike_however_many_they_are() -> None:
    label = np.array([0, 0, 0, 1, 0, 0, 1])
    probability = np.arange(1, 8) / 10
    # At 0.35 both high genes and three of five low ones, (1 + 3/5) / 2; at 0.65, where only one of
    # seven genes is wrong, (1/2 + 1) / 2.
    assert on_threshold(label, probability, "balanced") == pytest.approx(0.35)


def test_of_equally_good_thresholds_the_one_nearest_half_is_taken() -> None:
    label = np.array([0, 1, 0, 1])
    # After the first low gene and before the last high one: (1/2 + 1) / 2 each.
    low = np.array([0.1, 0.2, 0.3, 0.4])
    assert on_threshold(label, low, "balanced") == pytest.approx(0.35)
    assert on_threshold(label, low + 0.5, "balanced") == pytest.approx(0.65)


def test_equal_probabilities_are_not_parted() -> None:
    label = np.array([0, 0, 0, 1, 1])
    probability = np.array([0.2, 0.6, 0.6, 0.6, 0.8])
    assert on_threshold(label, probability, "balanced") == pytest.approx(0.7)
    # Two are high; one lies above 0.7 and four above 0.4.
    assert on_threshold(label, probability, "rate") == pytest.approx(0.7)


def test_neighbouring_single_precision_numbers_are_parted() -> None:
    above = np.float32(0.3)
    below = np.nextafter(above, np.float32(0))
    label, probability = np.array([0, 1]), np.array([below, above])
    for rule in ("balanced", "rate"):
        threshold = on_threshold(label, probability, rule)
        assert threshold is not None
        assert float(below) < threshold < float(above)


@pytest.mark.parametrize("rule", ["balanced", "rate"])
def test_nothing_to_tell_apart(rule: str) -> None:
    probability = np.array([0.2, 0.6])
    assert on_threshold(np.array([1, 1]), probability, rule) is None
    assert on_threshold(np.array([0, 0]), probability, rule) is None
    assert on_threshold(np.array([0, 1]), np.array([0.6, 0.6]), rule) is None
    assert on_threshold(np.array([], int), np.array([]), rule) is None
