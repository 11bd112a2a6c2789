import numpy as np
import pytest

from keras_chrome.layers import SpreadOverBins


@pytest.mark.parametrize(
    ("num_bins", "expected"),
    [(6, [3, 3, 1, 1, 2, 2]), (5, [3, 3, 1, 1, 4])],
)
def test_the_bins_of_a_position_share_alike(num_bins: int, expected: list[int]) -> None:
    spread = SpreadOverBins(num_bins, 2)
    shares = spread(np.array([[[6.0, 2.0, 4.0]]], np.float32))
    assert shares.shape == spread.compute_output_shape((1, 1, 3))
    np.testing.assert_array_equal(shares[0, 0], expected)
