"""Every lane with TensorFlow's own operation for the whole sequence of an LSTM.

Without XLA a step of the fused recurrence is some seventy operations, and to dispatch them takes
longer than their work on a few genes. `BlockLSTM` is one operation a lane, and the lanes run side
by side. Every TensorFlow has it, TensorFlow Serving too, on CPU and GPU, with its gradient; XLA
has not.
"""

from typing import Any

from keras import ops


def block_lstm(inputs: Any, weights: Any) -> list[Any]:
    """What `recurrence.lstm` computes, on TensorFlow and in float32 alone.

    With an odd number of units TensorFlow logs a warning for each odd batch: it is slower there.

    Args:
        inputs: Float32 tensor of shape `(steps, lanes, batch, channels)`; only the batch may be
            dynamic.
        weights: Float32 tensor of shape `(lanes, units + channels + 1, 4 * units)`: recurrent
            kernel, kernel and bias, gates in Keras's order: input, forget, candidate, output.

    Returns:
        Hidden states of each lane, `(steps, batch, units)`.
    """
    import tensorflow as tf

    steps, _, batch, channels = ops.shape(inputs)
    units = weights.shape[2] // 4
    # The operation has the candidate before the forget gate, and the kernel above the recurrent.
    i, f, c, o = ops.split(weights, 4, axis=2)
    weights = ops.concatenate([i, c, f, o], axis=2)
    recurrent_kernel, kernel, bias = ops.split(weights, [units, units + channels], axis=1)
    if channels % 2:
        # A channel of zeros, for the same warning comes where batch and channels are odd.
        inputs = ops.pad(inputs, ((0, 0), (0, 0), (0, 0), (0, 1)))
        kernel = ops.pad(kernel, ((0, 0), (0, 1), (0, 0)))
    kernels = ops.concatenate([kernel, recurrent_kernel], axis=1)
    biases = ops.squeeze(bias, axis=1)
    zeros = ops.zeros((batch, units))
    no_peephole = ops.zeros(units)
    return [
        # Not BlockLSTMV2, whose gradient is wrong.
        tf.raw_ops.BlockLSTM(
            seq_len_max=tf.constant(steps, tf.int64),
            x=lane,
            cs_prev=zeros,
            h_prev=zeros,
            w=kernel,
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=bias,
            forget_bias=0.0,
            cell_clip=-1.0,
        ).h
        for lane, kernel, bias in zip(
            ops.unstack(inputs, axis=1), ops.unstack(kernels), ops.unstack(biases), strict=True
        )
    ]


def attentive_block_lstm(inputs: Any, weights: Any, context: Any) -> tuple[Any, Any]:
    """What `recurrence.attentive_lstm` computes, on TensorFlow and in float32 alone.

    Sums and scores are matrix products, lane by lane: the hidden states of all lanes are never
    laid out as one tensor.

    Args:
        inputs: Float32 tensor of shape `(steps, 2 * sequences, batch, channels)`.
        weights: Float32 tensor of shape `(2 * sequences, units + channels + 1, 4 * units)`.
        context: Context vectors of the lanes, `(2 * sequences, units)`.

    Returns:
        The sums `(sequences, batch, 2 * units)` and the attention weights
        `(steps, sequences, batch)`.
    """
    import tensorflow as tf

    hidden = [ops.transpose(lane, (1, 0, 2)) for lane in block_lstm(inputs, weights)]
    scores = [_product(h, vector) for h, vector in zip(hidden, ops.unstack(context), strict=True)]
    sums, attention = [], []
    for ahead, back in zip(range(0, len(hidden), 2), range(1, len(hidden), 2), strict=True):
        # Not ops.softmax, which warns of a single bin.
        of_bins = tf.nn.softmax(scores[ahead] + ops.flip(scores[back], axis=1), axis=1)
        row = of_bins[:, None]
        parts = [ops.matmul(row, hidden[ahead]), ops.matmul(ops.flip(row, axis=2), hidden[back])]
        sums.append(ops.concatenate(parts, axis=2))
        attention.append(row)
    # A transpose that the caller takes back is none.
    return (
        ops.transpose(ops.concatenate(sums, axis=1), (1, 0, 2)),
        ops.transpose(ops.concatenate(attention, axis=1), (2, 1, 0)),
    )


def _product(hidden: Any, vector: Any) -> Any:
    """The product of states `(batch, steps, units)` and a vector `(units,)`: `(batch, steps)`.

    Of two matrices, and with shapes that are known: what `ops.matmul` makes of it asks for a shape
    by five operations, which take longer than the product of a few genes.
    """
    steps, units = hidden.shape[1:]
    of_rows = ops.matmul(ops.reshape(hidden, (-1, units)), vector[:, None])
    return ops.reshape(of_rows, (-1, steps))
