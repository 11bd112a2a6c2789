"""The hand-written gradients against automatic differentiation, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.layers import recurrence

STEPS, LANES, BATCH, CHANNELS, UNITS = 7, 4, 3, 2, 3


def plain_lstm(inputs: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """The equations of the LSTM, step by step."""
    hidden = cell = tf.zeros((LANES, BATCH, UNITS), tf.float64)
    states = []
    for step in tf.unstack(inputs):
        joined = tf.concat([hidden, step, tf.ones_like(step[..., :1])], axis=-1)
        i, f, g, o = tf.split(joined @ weights, 4, axis=-1)
        cell = tf.sigmoid(f) * cell + tf.sigmoid(i) * tf.tanh(g)
        hidden = tf.sigmoid(o) * tf.tanh(cell)
        states.append(hidden)
    return tf.stack(states)


def plain_attentive_lstm(
    inputs: tf.Tensor, weights: tf.Tensor, context: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    hidden = plain_lstm(inputs, weights)
    both = tf.concat([hidden[:, ::2], hidden[::-1, 1::2]], axis=-1)
    context = tf.reshape(context, (LANES // 2, 1, 2 * UNITS))
    attention = tf.nn.softmax(tf.reduce_sum(both * context, axis=-1), axis=0)
    return tf.reduce_sum(attention[..., None] * both, axis=0), attention


@pytest.mark.parametrize(
    ("ours", "plain", "shapes"),
    [
        (recurrence.lstm, plain_lstm, []),
        (recurrence.attentive_lstm, plain_attentive_lstm, [(LANES, UNITS)]),
    ],
)
def test_equals_automatic_differentiation_in_float64(ours, plain, shapes) -> None:
    rng = np.random.default_rng(0)
    shapes = [(STEPS, LANES, BATCH, CHANNELS), (LANES, UNITS + CHANNELS + 1, 4 * UNITS), *shapes]
    arguments = [tf.constant(rng.normal(size=shape)) for shape in shapes]

    def answers_and_gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            answers = tf.nest.flatten(function(*arguments))
            score = tf.add_n([tf.reduce_sum(tf.sin(3 * answer)) for answer in answers])
        return [*answers, *tape.gradient(score, arguments)]

    for got, expected in zip(
        answers_and_gradients(ours), answers_and_gradients(plain), strict=True
    ):
        assert got.dtype == tf.float64
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
