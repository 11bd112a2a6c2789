"""Many LSTMs as one recurrence, with a hand-written gradient.

A *lane* is one LSTM running in one direction: five marks in two directions are ten lanes. All
lanes take a step together, so a step is one batched matrix product and one tanh instead of
twenty of each. The gradient recomputes the gates from the kept hidden and cell states, which is
cheaper than storing them.

The code consists of ordinary TensorFlow operations, so that an exported model needs nothing
else. Under XLA, which training uses, each step becomes a few fused kernels.

Reference: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class _States(NamedTuple):
    hidden: tf.Tensor  # (steps, lanes, batch, units), compute dtype
    cell: tf.Tensor  # (steps, lanes, batch, units), float32


def lstm(
    inputs: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor
) -> tf.Tensor:
    """Run every lane's LSTM over the steps, from zero states.

    Args:
        inputs: Float tensor of shape `(steps, lanes, batch, channels)`; only the batch may be
            dynamic.
        kernel: Float tensor of shape `(lanes, channels, 4 * units)`, gates in Keras's order:
            input, forget, candidate, output.
        recurrent_kernel: Float tensor of shape `(lanes, units, 4 * units)`.
        bias: Float tensor of shape `(lanes, 4 * units)`.

    Returns:
        Hidden states of shape `(steps, lanes, batch, units)`, in the dtype of `inputs`. The cell
        states and the gates are float32 in any case.
    """

    @tf.custom_gradient
    def run(*arguments: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], Any]]:
        states = _forward(*arguments)
        return states.hidden, lambda upstream: _backward(states, upstream, *arguments)

    return run(inputs, kernel, recurrent_kernel, bias)


def _gates(
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """The gates of one step, each (lanes, batch, units) float32; weights halved by `_halve`."""
    projection = tf.matmul(inputs, kernel) + tf.matmul(hidden, recurrent_kernel) + bias
    i, f, g, o = tf.split(tf.tanh(tf.cast(projection, tf.float32)), 4, axis=-1)
    return 0.5 * i + 0.5, 0.5 * f + 0.5, g, 0.5 * o + 0.5


def _halve(*weights: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Halve the columns of the sigmoid gates: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2.

    One tanh over all four gates is then all that a step needs.
    """
    units = weights[0].shape[-1] // 4
    scale = tf.constant(np.repeat([0.5, 0.5, 1.0, 0.5], units), weights[0].dtype)
    return tuple(w * scale for w in weights)


def _forward(
    inputs: tf.Tensor, kernel: tf.Tensor, recurrent_kernel: tf.Tensor, bias: tf.Tensor
) -> _States:
    kernel, recurrent_kernel, bias = _halve(kernel, recurrent_kernel, bias[:, tf.newaxis])
    steps = inputs.shape[0]
    lanes, units = recurrent_kernel.shape[:2]
    state = tf.zeros((lanes, tf.shape(inputs)[2], units))
    shape = (lanes, inputs.shape[2], units)
    hiddens = tf.TensorArray(inputs.dtype, steps, element_shape=shape)
    cells = tf.TensorArray(tf.float32, steps, element_shape=shape)

    def step(t: Any, hidden: Any, cell: Any, hiddens: Any, cells: Any) -> tuple[Any, ...]:
        i, f, g, o = _gates(inputs[t], hidden, kernel, recurrent_kernel, bias)
        cell = f * cell + i * g
        hidden = tf.cast(o * tf.tanh(cell), inputs.dtype)
        return t + 1, hidden, cell, hiddens.write(t, hidden), cells.write(t, cell)

    _, _, _, hiddens, cells = tf.while_loop(
        lambda t, *_: t < steps,
        step,
        (0, tf.cast(state, inputs.dtype), state, hiddens, cells),
        maximum_iterations=steps,
    )
    return _States(hiddens.stack(), cells.stack())


def _backward(
    states: _States,
    upstream: tf.Tensor,
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
) -> tuple[tf.Tensor, ...]:
    """Gradients of `inputs`, `kernel`, `recurrent_kernel` and `bias`, by reverse recurrence."""
    halved = _halve(kernel, recurrent_kernel, bias[:, tf.newaxis])
    to_inputs, to_hidden = (tf.transpose(w, (0, 2, 1)) for w in (kernel, recurrent_kernel))
    hiddens_before, cells_before = (
        tf.concat([tf.zeros_like(s[:1]), s[:-1]], axis=0) for s in states
    )
    steps = inputs.shape[0]
    shape = (kernel.shape[0], inputs.shape[2], kernel.shape[-1])
    projections = tf.TensorArray(inputs.dtype, steps, element_shape=shape)
    # In the loop rather than after it: who wants the gradient of the inputs alone is spared the
    # projections, which are large, since XLA drops what the result does not need.
    d_inputs = tf.TensorArray(inputs.dtype, steps, element_shape=inputs.shape[1:])

    def step(
        t: Any, d_hidden: Any, d_cell: Any, projections: Any, d_inputs: Any
    ) -> tuple[Any, ...]:
        i, f, g, o = _gates(inputs[t], hiddens_before[t], *halved)
        squashed = tf.tanh(states.cell[t])
        d_hidden += tf.cast(upstream[t], tf.float32)
        d_cell += d_hidden * o * (1.0 - squashed * squashed)
        d_projection = tf.concat(
            [
                d_cell * g * i * (1.0 - i),
                d_cell * cells_before[t] * f * (1.0 - f),
                d_cell * i * (1.0 - g * g),
                d_hidden * squashed * o * (1.0 - o),
            ],
            axis=-1,
        )
        d_projection = tf.cast(d_projection, inputs.dtype)
        d_hidden = tf.cast(tf.matmul(d_projection, to_hidden), tf.float32)
        projections = projections.write(t, d_projection)
        d_inputs = d_inputs.write(t, tf.matmul(d_projection, to_inputs))
        return t - 1, d_hidden, d_cell * f, projections, d_inputs

    zeros = tf.zeros_like(states.cell[0])
    *_, projections, d_inputs = tf.while_loop(
        lambda t, *_: t >= 0,
        step,
        (steps - 1, zeros, zeros, projections, d_inputs),
        maximum_iterations=steps,
    )
    d_projections = projections.stack()
    return (
        d_inputs.stack(),
        tf.einsum("tlbc,tlbz->lcz", inputs, d_projections),
        tf.einsum("tlbu,tlbz->luz", hiddens_before, d_projections),
        tf.reduce_sum(d_projections, axis=(0, 2)),
    )
