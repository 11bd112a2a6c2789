"""TensorFlow's own operation for an LSTM against the fused recurrence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.layers import BidirectionalLSTM, MarkwiseBidirectionalLSTM, recurrence
from keras_chrome.layers.block_lstm import attentive_block_lstm, block_lstm
from keras_chrome.layers.implementation import use_recurrence

BATCH, STEPS, MARKS, UNITS = 4, 8, 5, 6


def normal(*shape: int) -> tf.Tensor:
    random = np.random.default_rng(shape)
    return tf.constant(random.normal(scale=0.7, size=shape), tf.float32)


def values_and_gradients(function: Callable[..., Any], *arguments: tf.Tensor) -> list[tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        values = tf.nest.flatten(function(*arguments))
        score = tf.add_n([tf.reduce_sum(v * normal(*v.shape)) for v in values])
    return [*values, *tape.gradient(score, arguments)]


def assert_close(received: list[tf.Tensor], expected: list[tf.Tensor]) -> None:
    for ours, theirs in zip(received, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_equals_the_fused_recurrence_with_its_gradients(channels: int) -> None:
    lanes = 2 * MARKS
    arguments = (
        normal(STEPS, lanes, BATCH, channels),
        normal(lanes, UNITS + channels + 1, 4 * UNITS),
    )
    assert_close(
        values_and_gradients(lambda *a: tf.stack(block_lstm(*a), axis=1), *arguments),
        values_and_gradients(recurrence.lstm, *arguments),
    )
    context = normal(lanes, UNITS)
    assert_close(
        values_and_gradients(attentive_block_lstm, *arguments, context),
        values_and_gradients(recurrence.attentive_lstm, *arguments, context),
    )


@pytest.mark.parametrize(
    ("layer", "shape", "marks"),
    [
        (MarkwiseBidirectionalLSTM(UNITS), (STEPS, MARKS), MARKS),
        (MarkwiseBidirectionalLSTM(UNITS, "shared"), (STEPS, MARKS), MARKS),
        (MarkwiseBidirectionalLSTM(UNITS), (STEPS, MARKS, 2), MARKS),
        (BidirectionalLSTM(UNITS), (STEPS, 3), 1),
    ],
    ids=["separate", "shared", "channels", "one sequence"],
)
def test_layers_answer_the_same_for_a_batch_of_any_size(
    layer: Any, shape: tuple[int, ...], marks: int
) -> None:
    layer.build((None, *shape))
    layer.set_weights([normal(*w.shape) for w in layer.get_weights()])

    def answer(name: str) -> Callable[..., Any]:
        @tf.function(input_signature=[tf.TensorSpec((None, *shape))])
        def traced(inputs: tf.Tensor) -> Any:
            with use_recurrence(name):
                return layer(inputs)

        return traced

    block, fused = answer("block"), answer("fused")
    operations = block.get_concrete_function().graph.get_operations()
    channels = [op.inputs[1].shape[2] for op in operations if op.type == "BlockLSTM"]
    assert len(channels) == 2 * marks
    # With an odd number TensorFlow logs a warning for each lane of each odd batch.
    assert all(number % 2 == 0 for number in channels)
    for num_genes in (1, BATCH):
        inputs = normal(num_genes, *shape)
        assert_close(values_and_gradients(block, inputs), values_and_gradients(fused, inputs))
