"""Bins emptied and filled, on a model whose answer is known."""

import keras
import numpy as np
import pytest

from keras_chrome.faithfulness.deletion_curves import FRACTIONS, deletion_curves


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Its probability is the share of the 20 places that hold a read."""
    inputs = keras.Input((10, 2), name="signal")
    filled = keras.ops.cast(inputs > 0, "float32")
    return keras.Model(inputs, {"probability": keras.ops.mean(filled, axis=(1, 2))})


def test_every_share_of_the_bins_is_emptied_or_filled(model: keras.Model) -> None:
    signal = np.ones((3, 10, 2), np.float32)
    importance = np.random.default_rng(0).random(signal.shape)
    curves = deletion_curves(model, signal, importance)
    # Of 20 places a hundredth and two hundredths are none.
    shares = [round(20 * fraction) / 20 for fraction in FRACTIONS]
    for gene in range(3):
        np.testing.assert_allclose(curves.deletion[:, gene], 1 - np.array(shares), atol=1e-6)
        np.testing.assert_allclose(curves.insertion[:, gene], shares, atol=1e-6)
    assert (signal == 1).all()


def test_the_foremost_go_first(model: keras.Model) -> None:
    # Reads in four of 20 places.
    signal = np.zeros((1, 10, 2), np.float32)
    signal[0, :4, 1] = 3
    right, wrong = (deletion_curves(model, signal, sign * signal) for sign in (1, -1))
    at_fifth = FRACTIONS.index(0.2)
    assert right.deletion[at_fifth] == 0
    assert right.insertion[at_fifth] == pytest.approx(0.2)
    assert wrong.deletion[at_fifth] == pytest.approx(0.2)
    assert right.areas()[0] < 0.03 < 0.1 < wrong.areas()[0]


def test_ties_are_the_same_for_every_method(model: keras.Model) -> None:
    signal = np.random.default_rng(1).poisson(1, (4, 10, 2)).astype(np.float32)
    first, second = (
        deletion_curves(model, signal, np.full(signal.shape, value)) for value in (0, 7)
    )
    np.testing.assert_array_equal(first.deletion, second.deletion)
    # And by chance, not in the order of the bins.
    other = deletion_curves(model, signal, np.zeros(signal.shape), seed=1)
    assert (first.deletion != other.deletion).any()
