"""The LSTM with attention against both layers one after the other."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.layers import (
    AttentionPooling,
    AttentiveBidirectionalLSTM,
    MarkwiseBidirectionalLSTM,
)
from keras_chrome.layers.implementation import use_recurrence

BATCH, BINS, MARKS, UNITS = 4, 8, 5, 3


@pytest.fixture
def signal() -> np.ndarray:
    return np.random.default_rng(3).poisson(2, (BATCH, BINS, MARKS)).astype(np.float32)


def layers(mark_weights: str = "separate", channels: int = 1):
    """The layer, and the two that it stands for with the same weights."""
    at_once = AttentiveBidirectionalLSTM(UNITS, mark_weights)
    lstm, attention = MarkwiseBidirectionalLSTM(UNITS, mark_weights), AttentionPooling()
    shape = (None, BINS, MARKS, channels)
    at_once.build(shape)
    lstm.build(shape)
    attention.build(lstm.compute_output_shape(shape))
    rng = np.random.default_rng(2)
    *of_lstm, context = [rng.normal(scale=0.7, size=w.shape) for w in at_once.get_weights()]
    at_once.set_weights([*of_lstm, context])
    lstm.set_weights(of_lstm)
    attention.set_weights([context])
    return at_once, lstm, attention


@pytest.mark.parametrize("mark_weights", ["separate", "shared"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_equals_attention_on_the_lstm_with_its_gradients(
    signal: np.ndarray, mark_weights: str, jit_compile: bool
) -> None:
    at_once, lstm, attention = layers(mark_weights)
    rng = np.random.default_rng(4)
    upstream = [
        tf.constant(rng.normal(size=shape), tf.float32)
        for shape in ((BATCH, MARKS, 2 * UNITS), (BATCH, MARKS, BINS))
    ]

    def gradients(call, variables):
        x = tf.constant(signal)
        with tf.GradientTape() as tape:
            tape.watch(x)
            answers = call(x)
            score = tf.add_n([tf.reduce_sum(a * u) for a, u in zip(answers, upstream, strict=True)])
        return [*answers, *tape.gradient(score, [x, *variables])]

    @tf.function(jit_compile=jit_compile)
    def in_a_graph():
        return gradients(at_once, at_once.trainable_variables)

    two = [*lstm.trainable_variables, *attention.trainable_variables]
    expected = gradients(lambda x: attention(lstm(x)), two)
    for ours, theirs in zip(in_a_graph(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_stock_recurrence_answers_the_same(signal: np.ndarray) -> None:
    at_once, *_ = layers()
    fused = at_once(signal)
    with use_recurrence("stock"):
        stock = at_once(signal)
    for ours, theirs in zip(fused, stock, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_channels_and_a_batch_of_any_size(signal: np.ndarray) -> None:
    at_once, lstm, attention = layers(channels=2)
    inputs = np.stack([signal, -signal], axis=-1)
    answer = tf.function(at_once, input_signature=[tf.TensorSpec((None, BINS, MARKS, 2))])
    for num_genes in (1, BATCH):
        for ours, theirs in zip(
            answer(inputs[:num_genes]), attention(lstm(inputs[:num_genes])), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_mixed_precision_keeps_alpha_float32_and_close(signal: np.ndarray) -> None:
    at_once, *_ = layers()
    half = AttentiveBidirectionalLSTM(UNITS, dtype="mixed_float16")
    half.build(signal.shape)
    half.set_weights(at_once.get_weights())
    (embeddings, alpha), (expected, expected_alpha) = half(signal), at_once(signal)
    assert (embeddings.dtype, alpha.dtype) == (tf.float16, tf.float32)
    np.testing.assert_allclose(np.sum(alpha, axis=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(alpha, expected_alpha, atol=5e-3)
    np.testing.assert_allclose(embeddings, expected, atol=5e-3)


def test_keras_round_trip(signal: np.ndarray, tmp_path) -> None:
    inputs = keras.Input((BINS, MARKS))
    embeddings, alpha = AttentiveBidirectionalLSTM(UNITS, "shared", name="encoder")(inputs)
    model = keras.Model(inputs, {"embeddings": embeddings, "alpha": alpha})
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("encoder").get_config() == model.get_layer("encoder").get_config()
    answer = loaded(signal)
    for name, values in model(signal).items():
        np.testing.assert_array_equal(answer[name], values)
