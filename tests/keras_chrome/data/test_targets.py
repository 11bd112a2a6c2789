import numpy as np
import pytest

from keras_chrome.data.targets import ranges_of_high, soft_targets
from keras_chrome.errors import InputError


def test_a_target_is_the_sigmoid_of_the_log_ratio_to_the_median() -> None:
    rpkm = np.array([3.9, 7.9, 0.0, 79.5])
    target = soft_targets(rpkm, np.array([0, 1, 0, 1]), labels="median", median=3.9, width=1.0)
    log_ratio = np.log2((rpkm + 0.1) / 4.0)
    np.testing.assert_allclose(target, 1 / (1 + np.exp(-log_ratio)), rtol=1e-6)
    assert target[0] == 0.5
    assert target[1] == pytest.approx(0.7311, abs=1e-4)  # One doubling, one width.


def test_a_narrow_target_is_the_label_and_a_wide_one_says_nothing() -> None:
    rpkm, label = np.array([1.0, 3.8, 4.0, 100.0]), np.array([0, 0, 1, 1])
    for width, expected in ((1e-4, label), (1e6, np.full(4, 0.5))):
        target = soft_targets(rpkm, label, labels="median", median=3.9, width=width)
        np.testing.assert_allclose(target, expected, atol=1e-4)


def test_an_unknown_expression_leaves_the_label() -> None:
    target = soft_targets(np.array([np.nan, np.nan]), np.array([0, 1]), labels="median", median=3.9)
    np.testing.assert_array_equal(target, [0, 1])


@pytest.mark.parametrize("median", [0.4, 1.3, 3.9, 9.7, 12.5, 99.2, 104.0])
def test_published_ranges_are_those_in_which_text_is_above_the_median_s(median: float) -> None:
    rpkm = np.round(np.random.default_rng(0).uniform(0, 10, 4000) ** np.tile([1, 2, 3, 4], 1000), 3)
    ranges = ranges_of_high("published", median)
    is_in = ((rpkm[:, None] > ranges[:, 0]) & (rpkm[:, None] < ranges[:, 1])).any(axis=1)
    np.testing.assert_array_equal(is_in, [str(value) > str(median) for value in rpkm])


def test_published_targets_fall_where_text_turns_round() -> None:
    rpkm = np.array([3.9, 6.0, 17.0, 60.0, 170.0])
    target = soft_targets(rpkm, np.zeros(5), labels="published", median=3.9, width=0.05)
    np.testing.assert_allclose(target, [0.5, 1, 0, 1, 0], atol=1e-4)


def test_a_width_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="target_width=0"):
        soft_targets(np.ones(1), np.ones(1), labels="median", median=1.0, width=0)
