"""Altered genes, by hand in NumPy."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.fit.augmentation import Augmentation, mixed, mixed_signal, shifted
from keras_chrome.fit.recipes import PLAIN
from keras_chrome.layers import SignalTransform

BATCH, BINS, MARKS = 512, 12, 3


def signal() -> np.ndarray:
    return np.random.default_rng(0).poisson(4, (BATCH, BINS, MARKS)).astype(np.float32)


def altered(step: int = 0, seed: int = 0, **amounts: float) -> list[np.ndarray]:
    augmentation = Augmentation(dataclasses.replace(PLAIN, **amounts), "log1p", seed)
    targets = [tf.constant(np.arange(BATCH, dtype=np.float32)[:, None] * k) for k in (1, 2)]
    return [part.numpy() for part in augmentation(step, tf.constant(signal()), *targets)]


def test_a_shift_repeats_the_end() -> None:
    region = np.arange(4, dtype=np.float32)[np.newaxis, :, np.newaxis]
    batch = np.repeat(region, 4, axis=0)
    found = shifted(batch, tf.constant([0, 1, -2, 3])).numpy()[..., 0]
    assert found.tolist() == [[0, 1, 2, 3], [0, 0, 1, 2], [2, 3, 3, 3], [0, 0, 0, 0]]


def test_every_gene_is_shifted_by_so_many_bins_at_most() -> None:
    found, *targets = altered(shift=2)
    counts = {}
    for bins in range(-2, 3):
        moved = shifted(signal(), np.full(BATCH, bins, np.int32)).numpy()
        counts[bins] = int((found == moved).all(axis=(1, 2)).sum())
    assert sum(counts.values()) == BATCH
    assert min(counts.values()) > BATCH / 10
    assert targets[0][:, 0].tolist() == list(range(BATCH))


def test_a_gain_is_one_factor_a_mark_and_gene() -> None:
    found, *_ = altered(gain=0.1)
    before = signal()
    has_any = before.max(axis=1) > 0
    factor = (found.sum(axis=1) / before.sum(axis=1))[has_any]
    np.testing.assert_allclose(found, before * factor.reshape(BATCH, 1, MARKS), rtol=1e-5)
    assert np.log(factor).mean() == pytest.approx(0, abs=0.01)
    assert np.log(factor).std() == pytest.approx(0.1, rel=0.1)


def test_emptied_bins_are_a_share_of_each_mark() -> None:
    found, *_ = altered(empty_bins=0.25)
    before = signal()
    was_emptied = (found == 0) & (before > 0)
    np.testing.assert_array_equal(found[~was_emptied], before[~was_emptied])
    shares = was_emptied.sum(axis=(0, 1)) / (before > 0).sum(axis=(0, 1))
    assert shares == pytest.approx([0.25] * MARKS, abs=0.03)


def test_a_dropped_mark_is_empty_in_every_bin_and_others_are_as_they_were() -> None:
    found, *_ = altered(mark_dropout=0.25)
    before = signal()
    is_dropped = (found == 0).all(axis=1)
    expected = np.where(is_dropped[:, np.newaxis], 0, before)
    np.testing.assert_array_equal(found, expected)
    assert is_dropped.mean(axis=0) == pytest.approx([0.25] * MARKS, abs=0.05)


def test_a_mixture_is_one_of_what_the_model_sees_and_of_the_targets() -> None:
    found, once, twice = altered(mixup=0.3)
    index = np.arange(BATCH)
    # The target says the share: that of the next gene is one more, of the last one 0.
    share = np.append(index[1:] - once[:-1, 0], once[-1, 0] / (BATCH - 1))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
    assert share.min() >= -1e-4
    assert share.max() <= 1 + 1e-4
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert share.mean() == pytest.approx(0.5, abs=0.05)
    assert share.var() == pytest.approx(1 / (4 * 1.6), rel=0.1)
    transform = SignalTransform(("a", "b", "c"), "log1p", [1.0, 2, 3], [0.5, 1, 2])
    seen = transform(signal()).numpy()
    expected = share[:, None, None] * seen + (1 - share)[:, None, None] * np.roll(seen, -1, axis=0)
    np.testing.assert_allclose(transform(found), expected, atol=2e-3)


def test_mixing_by_hand() -> None:
    share = tf.constant([[0.25], [1.0]])
    assert mixed(tf.constant([[0.0], [1.0]]), share).numpy().tolist() == [[0.75], [1.0]]
    genes = tf.constant([[[0.0]], [[np.e**2 - 1]]])
    assert mixed_signal(genes, share, "none").numpy()[:, 0, 0] == pytest.approx(
        [0.75 * (np.e**2 - 1), np.e**2 - 1]
    )
    assert mixed_signal(genes, share, "log1p").numpy()[:, 0, 0] == pytest.approx(
        [np.e**1.5 - 1, np.e**2 - 1]
    )


def test_shares_so_far_apart_that_they_round_to_0_and_1_are_shares() -> None:
    found, once, _ = altered(mixup=0.01)
    assert np.isfinite(found).all()
    assert np.isfinite(once).all()


def test_what_is_drawn_depends_on_the_seed_and_the_step_alone() -> None:
    amounts = {"mixup": 0.3, "gain": 0.1, "shift": 2, "empty_bins": 0.1}
    first = altered(step=3, seed=1, **amounts)
    for ours, again in zip(first, altered(step=3, seed=1, **amounts), strict=True):
        np.testing.assert_array_equal(ours, again)
    for other in (altered(step=4, seed=1, **amounts), altered(step=3, seed=2, **amounts)):
        assert not np.array_equal(first[0], other[0])


def test_nothing_is_drawn_where_nothing_is_to_be_altered() -> None:
    found, *targets = altered()
    np.testing.assert_array_equal(found, signal())
    assert targets[1][:, 0].tolist() == list(range(0, 2 * BATCH, 2))
