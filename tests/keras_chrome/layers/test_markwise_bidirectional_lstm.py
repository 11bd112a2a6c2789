"""The markwise recurrence against the stock Keras layers and automatic differentiation."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.layers import MarkwiseBidirectionalLSTM

BATCH, BINS, MARKS, UNITS = 4, 8, 5, 3


def stock_encoder(weights: list[np.ndarray], mark: int) -> keras.layers.Bidirectional:
    layer = keras.layers.Bidirectional(keras.layers.LSTM(UNITS, return_sequences=True))
    layer.build((None, BINS, 1))
    layer.set_weights([w[mark, direction] for direction in (0, 1) for w in weights])
    return layer


def built_layer(mark_weights: str = "separate") -> MarkwiseBidirectionalLSTM:
    keras.utils.set_random_seed(1)
    layer = MarkwiseBidirectionalLSTM(UNITS, mark_weights)
    layer.build((None, BINS, MARKS))
    rng = np.random.default_rng(2)
    layer.set_weights([rng.normal(scale=0.7, size=w.shape) for w in layer.get_weights()])
    return layer


@pytest.fixture
def signal() -> np.ndarray:
    return np.random.default_rng(3).poisson(2, (BATCH, BINS, MARKS)).astype(np.float32)


def test_separate_weights_equal_one_stock_bidirectional_lstm_a_mark(signal: np.ndarray) -> None:
    layer = built_layer()
    weights = layer.get_weights()
    expected = np.stack(
        [stock_encoder(weights, j)(signal[..., j : j + 1]) for j in range(MARKS)], axis=2
    )
    np.testing.assert_allclose(layer(signal), expected, atol=1e-5)


def test_shared_weights_equal_time_distributed_over_marks(signal: np.ndarray) -> None:
    layer = built_layer("shared")
    over_marks = keras.layers.TimeDistributed(stock_encoder(layer.get_weights(), 0))
    expected = over_marks(signal.transpose(0, 2, 1)[..., np.newaxis])
    np.testing.assert_allclose(layer(signal), np.transpose(expected, (0, 2, 1, 3)), atol=1e-5)


def test_shared_weights_are_one_set(signal: np.ndarray) -> None:
    shared, separate = built_layer("shared"), built_layer()
    assert MARKS * shared.count_params() == separate.count_params()


@pytest.mark.parametrize("mark_weights", ["separate", "shared"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_equals_automatic_differentiation(
    signal: np.ndarray, mark_weights: str, jit_compile: bool
) -> None:
    layer = built_layer(mark_weights)
    upstream = np.random.default_rng(4).normal(size=(BATCH, BINS, MARKS, 2 * UNITS))
    stock = [
        stock_encoder(layer.get_weights(), j if mark_weights == "separate" else 0)
        for j in range(MARKS)
    ]

    def stock_call(x: tf.Tensor) -> tf.Tensor:
        return tf.stack([stock[j](x[..., j : j + 1]) for j in range(MARKS)], axis=2)

    def gradients(call, variables):
        x = tf.constant(signal)
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = tf.reduce_sum(call(x) * tf.cast(upstream, tf.float32))
        return tape.gradient(score, [x, *variables])

    @tf.function(jit_compile=jit_compile)
    def ours_in_a_graph():
        return gradients(layer, layer.trainable_variables)

    ours = ours_in_a_graph()
    theirs = gradients(stock_call, [v for s in stock for v in s.trainable_variables])

    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-4, atol=1e-5)
    for i, ours_of_weight in enumerate(ours[1:]):
        # Stock weights go by mark, direction, then kernel, recurrent kernel and bias.
        expected = np.array([[theirs[1 + 6 * j + 3 * d + i] for d in (0, 1)] for j in range(MARKS)])
        if mark_weights == "shared":
            expected = expected.sum(axis=0, keepdims=True)
        np.testing.assert_allclose(ours_of_weight, expected, rtol=1e-4, atol=1e-5)


def test_gradient_with_several_channels_matches_finite_differences() -> None:
    layer = MarkwiseBidirectionalLSTM(2)
    x = np.random.default_rng(5).normal(size=(1, 3, 2, 2)).astype(np.float32)
    layer.build(x.shape)
    _, numeric = tf.test.compute_gradient(lambda x: tf.reduce_sum(layer(x)), [x], delta=1e-2)
    with tf.GradientTape() as tape:
        inputs = tf.constant(x)
        tape.watch(inputs)
        score = tf.reduce_sum(layer(inputs))
    np.testing.assert_allclose(
        tape.gradient(score, inputs).numpy().ravel(), numeric[0].ravel(), atol=1e-3
    )


def test_permuting_marks_and_their_weights_permutes_the_result(signal: np.ndarray) -> None:
    layer, permuted = built_layer(), built_layer()
    order = [3, 0, 4, 1, 2]
    permuted.set_weights([w[order] for w in layer.get_weights()])
    np.testing.assert_allclose(
        permuted(signal[..., order]), np.asarray(layer(signal))[:, :, order], atol=1e-6
    )


def test_a_gene_does_not_depend_on_its_batch(signal: np.ndarray) -> None:
    layer = built_layer()
    alone = np.concatenate([layer(signal[i : i + 1]) for i in range(BATCH)])
    np.testing.assert_allclose(alone, layer(signal), atol=1e-6)


def test_initial_weights_differ_between_lanes_and_open_the_forget_gate() -> None:
    layer = MarkwiseBidirectionalLSTM(UNITS)
    layer.build((None, BINS, MARKS))
    kernel, recurrent_kernel, bias = layer.get_weights()
    for weight in (kernel, recurrent_kernel):
        lanes = weight.reshape(2 * MARKS, -1)
        assert len(np.unique(lanes, axis=0)) == 2 * MARKS
    np.testing.assert_array_equal(bias[0, 0], [0] * UNITS + [1] * UNITS + [0] * 2 * UNITS)
    product = recurrent_kernel[2, 1] @ recurrent_kernel[2, 1].T
    np.testing.assert_allclose(product, np.eye(UNITS), atol=1e-5)


def test_float16_stays_close_to_float32(signal: np.ndarray) -> None:
    layer = built_layer()
    half = MarkwiseBidirectionalLSTM(UNITS, dtype="mixed_float16")
    half.build((None, BINS, MARKS))
    half.set_weights(layer.get_weights())
    answer = half(signal)
    assert answer.dtype == tf.float16
    np.testing.assert_allclose(answer, layer(signal), atol=5e-3)


def test_config_round_trip() -> None:
    layer = MarkwiseBidirectionalLSTM(UNITS, "shared", name="bins")
    assert MarkwiseBidirectionalLSTM.from_config(layer.get_config()).get_config() == (
        layer.get_config()
    )


def test_unknown_mark_weights_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'separate', 'shared'.*mark_weights='tied'"):
        MarkwiseBidirectionalLSTM(UNITS, "tied")


def test_no_units_are_refused() -> None:
    with pytest.raises(ValueError, match="units=0"):
        MarkwiseBidirectionalLSTM(0)


@pytest.mark.parametrize("shape", [(None, None, 5), (None, 8)])
def test_unknown_bins_and_other_ranks_are_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ValueError, match="static bins and marks"):
        MarkwiseBidirectionalLSTM(UNITS).build(shape)
