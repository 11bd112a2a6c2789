"""Many LSTMs as one recurrence, with a hand-written gradient.

A *lane* is one LSTM running in one direction: five marks in two directions are ten lanes. All
lanes take a step together, so a step is one batched matrix product and one tanh instead of
twenty of each. What a step multiplies by its weights is the hidden state, the input and a one,
side by side; the kernels and the bias are one matrix likewise.

The gradient recomputes the gates from the kept hidden and cell states, which is cheaper than
storing them, and sums the gradient of the weights step by step. With attention on top, what the
attention sends back to a hidden state is computed when its step comes, so that the gradient of
all hidden states never exists at once.

The code consists of ordinary operations of Keras, so that an exported model needs nothing else
and every backend runs it. Under XLA, which training uses, each step becomes a few fused kernels.

Reference: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops
from keras.backend import standardize_dtype

from keras_chrome.layers.attention_pooling import softmax
from keras_chrome.layers.backend import Arrays, scan, with_gradient


def lstm(inputs: Any, weights: Any) -> Any:
    """Run every lane's LSTM over the steps, from zero states.

    Args:
        inputs: Float tensor of shape `(steps, lanes, batch, channels)`; only the batch may be
            dynamic.
        weights: Float tensor of shape `(lanes, units + channels + 1, 4 * units)`: recurrent
            kernel, kernel and bias, gates in Keras's order: input, forget, candidate, output.

    Returns:
        Hidden states of shape `(steps, lanes, batch, units)`, in the dtype of `inputs`. The cell
        states and the gates are float32 in any case.
    """

    def forward(inputs: Any, weights: Any) -> tuple[Arrays, Callable[..., Arrays]]:
        states, hidden = _forward(inputs, weights, lambda hidden: hidden)

        def backward(d_hidden: Any) -> Arrays:
            return _backward(states, weights, (d_hidden,), lambda d_hidden: d_hidden)

        return (hidden,), backward

    return with_gradient(forward)(inputs, weights)[0]


def attentive_lstm(inputs: Any, weights: Any, context: Any) -> tuple[Any, Any]:
    """Run lanes as `lstm` does, and sum each pair's hidden states with attention.

    Two lanes that follow each other read one sequence, the second one from its end. The attention
    weights are a softmax over the steps of the product of both hidden states with a context
    vector, float32 in any case.

    Args:
        inputs: Float tensor of shape `(steps, 2 * sequences, batch, channels)`.
        weights: Float tensor of shape `(2 * sequences, units + channels + 1, 4 * units)`.
        context: Context vectors of the lanes, `(2 * sequences, units)`.

    Returns:
        The sums `(sequences, batch, 2 * units)`, in the dtype of `inputs`, and the attention
        weights `(steps, sequences, batch)`.
    """

    def forward(inputs: Any, weights: Any, context: Any) -> tuple[Arrays, Callable[..., Arrays]]:
        of_lane = _float32(context[:, None])
        states, scores = _forward(
            inputs, weights, lambda hidden: ops.sum(_float32(hidden) * of_lane, axis=-1)
        )
        attention = softmax(_both_directions(scores), axis=0)
        pooled = _sum_over_steps(states, _to_lanes(attention))

        def backward(d_pooled: Any, d_attention: Any) -> Arrays:
            d_pooled = _float32(_split_directions(d_pooled))
            from_sums = _both_directions(_products(states, d_pooled)) + d_attention
            d_scores = attention * (from_sums - ops.sum(attention * from_sums, axis=0))
            d_scores = _to_lanes(d_scores)

            def d_hidden(attention: Any, d_score: Any) -> Any:
                return attention[..., None] * d_pooled + d_score[..., None] * of_lane

            sources = (_to_lanes(attention), d_scores)
            d_context = ops.sum(_sum_over_steps(states, d_scores), axis=1)
            d_context = ops.cast(d_context, context.dtype)
            return *_backward(states, weights, sources, d_hidden), d_context

        return (ops.cast(_join_directions(pooled), inputs.dtype), attention), backward

    return with_gradient(forward)(inputs, weights, context)


class _States(NamedTuple):
    """What the gradient needs of the recurrence."""

    joined: Any  # (steps, lanes, batch, units + channels + 1): hidden state before, input, one
    cell: Any  # (steps, lanes, batch, units), float32, before each step
    last_hidden: Any  # (lanes, batch, units)


def _forward(inputs: Any, weights: Any, emit: Callable[[Any], Any]) -> tuple[_States, Any]:
    """The states, and what `emit` makes of each hidden state, stacked over the steps."""
    weights = _halve(weights)
    lanes, units = weights.shape[0], weights.shape[2] // 4
    zeros = _float32(ops.zeros((lanes, ops.shape(inputs)[2], units), inputs.dtype))
    ones = ops.ones_like(inputs[0, ..., :1])

    def join(hidden: Any, inputs: Any) -> Any:
        return ops.concatenate([hidden, inputs, ones], axis=-1)

    def step(state: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
        hidden, cell_before = state
        joined = join(hidden, *inputs)
        i, f, g, o = _gates(joined, weights)
        cell = f * cell_before + i * g
        hidden = ops.cast(o * ops.tanh(cell), joined.dtype)
        return (hidden, cell), (joined, cell_before, emit(hidden))

    hidden = ops.cast(zeros, inputs.dtype)
    like = (join(hidden, inputs[0]), zeros, emit(hidden))
    (hidden, _), (joined, cells, emitted) = scan(step, (hidden, zeros), (inputs,), like)
    return _States(joined, cells, hidden), emitted


def _backward(
    states: _States, weights: Any, sources: Arrays, d_hidden: Callable[..., Any]
) -> tuple[Any, Any]:
    """Gradients of the inputs and of the weights, by reverse recurrence.

    Args:
        states: From `_forward`.
        weights: As `_forward` took them.
        sources: Tensors of shape `(steps, ...)`.
        d_hidden: From one step of the sources to what reaches its hidden state from outside.
    """
    halved = _halve(weights)
    units = states.cell.shape[-1]
    # Apart, for who needs no gradient of the inputs: XLA drops what the result does not need.
    to_hidden, to_inputs = (
        ops.transpose(part, (0, 2, 1)) for part in (weights[:, :units], weights[:, units:-1])
    )

    def step(state: Arrays, inputs: Arrays) -> tuple[Arrays, Arrays]:
        d_own_hidden, d_cell, d_weights = state
        joined, cell_before, *sources = inputs
        i, f, g, o = _gates(joined, halved)
        squashed = ops.tanh(f * cell_before + i * g)
        d_own_hidden = d_own_hidden + _float32(d_hidden(*sources))
        d_cell = d_cell + d_own_hidden * o * (1.0 - squashed * squashed)
        d_projection = ops.concatenate(
            [
                d_cell * g * i * (1.0 - i),
                d_cell * cell_before * f * (1.0 - f),
                d_cell * i * (1.0 - g * g),
                d_own_hidden * squashed * o * (1.0 - o),
            ],
            axis=-1,
        )
        d_projection = ops.cast(d_projection, joined.dtype)
        d_weights = d_weights + _float32(ops.matmul(ops.transpose(joined, (0, 2, 1)), d_projection))
        d_own_hidden = _float32(ops.matmul(d_projection, to_hidden))
        d_inputs = ops.matmul(d_projection, to_inputs)
        return (d_own_hidden, d_cell * f, d_weights), (d_inputs,)

    zeros = ops.zeros_like(states.cell[0])
    (_, _, d_weights), (d_inputs,) = scan(
        step,
        (zeros, zeros, _float32(ops.zeros_like(weights))),
        (states.joined, states.cell, *sources),
        (states.joined[0, ..., units:-1],),
        reverse=True,
    )
    return d_inputs, ops.cast(d_weights, weights.dtype)


def _gates(joined: Any, weights: Any) -> list[Any]:
    """The gates of one step, each (lanes, batch, units) float32; weights halved by `_halve`."""
    i, f, g, o = ops.split(ops.tanh(_float32(ops.matmul(joined, weights))), 4, axis=-1)
    return [0.5 * i + 0.5, 0.5 * f + 0.5, g, 0.5 * o + 0.5]


def _halve(weights: Any) -> Any:
    """Halve the columns of the sigmoid gates: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2.

    One tanh over all four gates is then all that a step needs.
    """
    scale = np.repeat([0.5, 0.5, 1.0, 0.5], weights.shape[-1] // 4)
    return weights * ops.convert_to_tensor(scale, weights.dtype)


def _float32(tensor: Any) -> Any:
    """At least float32: half precision is widened, float64 stays."""
    dtype = standardize_dtype(tensor.dtype)
    return ops.cast(tensor, "float32") if dtype in ("float16", "bfloat16") else tensor


# A step's hidden state is kept as what the next step joins: `joined[t + 1]`, and at last
# `last_hidden`. So factors move one step on instead of the states, which are large; the first
# hidden state is zero, and takes the factor that comes round.


def _sum_over_steps(states: _States, factors: Any) -> Any:
    """The sum of factor x hidden state over the steps; factors `(steps, lanes, batch)`."""
    hidden_before = _float32(states.joined[..., : states.cell.shape[-1]])
    among = ops.sum(ops.roll(factors, 1, axis=0)[..., None] * hidden_before, axis=0)
    return among + factors[-1][..., None] * _float32(states.last_hidden)


def _products(states: _States, vectors: Any) -> Any:
    """Product of each hidden state with a vector, `(lanes, batch, units)`, over the steps."""
    hidden_before = _float32(states.joined[..., : states.cell.shape[-1]])
    among = ops.sum(hidden_before * vectors, axis=-1)
    last = ops.sum(_float32(states.last_hidden) * vectors, axis=-1)
    return ops.concatenate([among[1:], last[None]], axis=0)


def _both_directions(of_lanes: Any) -> Any:
    """Sum over the two lanes of a sequence, the second reversed: (steps, sequences, batch)."""
    return of_lanes[:, ::2] + ops.flip(of_lanes[:, 1::2], axis=0)


def _to_lanes(of_sequences: Any) -> Any:
    """(steps, sequences, batch) for either lane of a sequence, the second reversed."""
    steps, sequences = of_sequences.shape[:2]
    both = ops.stack([of_sequences, ops.flip(of_sequences, axis=0)], axis=2)
    return ops.reshape(both, (steps, 2 * sequences, ops.shape(of_sequences)[2]))


def _join_directions(of_lanes: Any) -> Any:
    """(lanes, batch, units) -> (sequences, batch, 2 * units)."""
    return ops.concatenate([of_lanes[::2], of_lanes[1::2]], axis=-1)


def _split_directions(of_sequences: Any) -> Any:
    """(sequences, batch, 2 * units) -> (lanes, batch, units)."""
    sequences, batch, units = ops.shape(of_sequences)
    halves = ops.reshape(of_sequences, (sequences, batch, 2, units // 2))
    return ops.reshape(ops.transpose(halves, (0, 2, 1, 3)), (2 * sequences, batch, units // 2))
