"""Occlusion."""

import keras
import numpy as np
import pytest
from scipy.special import expit

from keras_chrome.errors import InputError
from keras_chrome.importance.occlusion import mark_occlusion, occlusion

# Log-odds beyond 6.9 are clipped.
SCALE = 1 / 16


def first_bin_counts_double(signal: np.ndarray) -> dict[str, np.ndarray]:
    """A model by hand: two marks, logit 2 x the first bin plus the others, less the second mark."""
    logit = 2 * signal[:, 0, 0] + signal[:, 1:, 0].sum(1) - signal[:, :, 1].sum(1)
    return {"probability": expit(SCALE * logit.astype(np.float64))}


def assert_importance(importance: np.ndarray, expected: object) -> None:
    np.testing.assert_allclose(importance / SCALE, expected, rtol=1e-6)


# One gene: three bins of two marks.
GENE = np.array([[[1, 10], [2, 20], [4, 40]]], np.float32)


def test_a_bin_at_a_time_by_hand() -> None:
    importance = occlusion(first_bin_counts_double, GENE)
    assert_importance(importance, [[[2, -10], [2, -20], [4, -40]]])


def test_overlapping_windows_are_averaged_by_hand() -> None:
    # Bins 1 and 2 are worth 2 + 2 and bins 2 and 3 2 + 4; the second bin is in both windows.
    importance = occlusion(first_bin_counts_double, GENE, window_bins=2, stride_bins=1)
    assert_importance(importance, [[[4, -30], [5, -45], [6, -60]]])


def test_the_last_window_ends_with_the_region() -> None:
    importance = occlusion(first_bin_counts_double, GENE, window_bins=2)
    assert_importance(importance, [[[4, -30], [5, -45], [6, -60]]])


def test_marks_together_by_hand() -> None:
    importance = occlusion(first_bin_counts_double, GENE, marks_together=True)
    assert_importance(importance, [[[-8, -8], [-18, -18], [-36, -36]]])


def test_a_mark_at_a_time_by_hand() -> None:
    importance = mark_occlusion(first_bin_counts_double, GENE)
    assert_importance(importance, [[[8, -70]] * 3])


def test_values_to_occlude_with_by_hand() -> None:
    for value in ((3.0, 12.0), 3.0):
        second = np.broadcast_to(value, 2)[1]
        importance = occlusion(first_bin_counts_double, GENE, value=value)
        expected = [[[-4, second - 10], [-1, second - 20], [1, second - 40]]]
        assert_importance(importance, expected)
    genes = np.concatenate([GENE, np.zeros_like(GENE)])
    importance = occlusion(first_bin_counts_double, genes, value="mean")
    # The mean of the first mark over both genes is 7 / 6.
    expected = [2 * (1 - 7 / 6), -2 * 7 / 6]
    np.testing.assert_allclose(importance[:, 0, 0] / SCALE, expected, rtol=1e-5)


def test_a_network_loses_logit(
    linear_model: keras.Model, linear_weights: np.ndarray, signal: np.ndarray
) -> None:
    importance = occlusion(linear_model, signal)
    np.testing.assert_allclose(importance, linear_weights * signal, atol=1e-4)


@pytest.mark.parametrize(("window_bins", "stride_bins"), [(0, None), (4, None), (1, 2), (2, 0)])
def test_windows_that_do_not_fit_are_refused(window_bins: int, stride_bins: int | None) -> None:
    with pytest.raises(InputError, match=f"window_bins={window_bins}, stride_bins="):
        occlusion(first_bin_counts_double, GENE, window_bins=window_bins, stride_bins=stride_bins)
