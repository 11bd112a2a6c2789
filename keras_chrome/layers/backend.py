"""What Keras leaves to each backend: a scan whose outputs are not its state, and own gradients.

`keras.ops.scan` asks that every output has the shape of a state, and automatic differentiation of
it does not compile under XLA on TensorFlow. `keras.ops.custom_gradient` hands several gradients on
in another form on each backend.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras

Arrays = tuple[Any, ...]


def scan(
    step: Callable[[Arrays, Arrays], tuple[Arrays, Arrays]],
    state: Arrays,
    inputs: Arrays,
    outputs_like: Sequence[Any],
    *,
    reverse: bool = False,
) -> tuple[Arrays, Arrays]:
    """Step over the first axis of `inputs`, whose length is static.

    Args:
        step: From the state and one step's inputs to the next state and the step's outputs.
        state: The state before the first step.
        inputs: Tensors of shape `(steps, ...)`.
        outputs_like: A tensor of the shape and dtype of each output of a step.
        reverse: Step from the last to the first.

    Returns:
        The last state, and the outputs stacked in the order of the inputs, `(steps, ...)`.
    """
    if keras.backend.backend() == "jax":
        import jax

        return jax.lax.scan(step, state, inputs, reverse=reverse)

    import tensorflow as tf

    steps = inputs[0].shape[0]
    arrays = tuple(
        tf.TensorArray(like.dtype, steps, element_shape=like.shape) for like in outputs_like
    )

    def body(done: Any, state: Arrays, arrays: Arrays) -> tuple[Any, Arrays, Arrays]:
        t = steps - 1 - done if reverse else done
        state, outputs = step(state, tuple(x[t] for x in inputs))
        arrays = tuple(a.write(t, output) for a, output in zip(arrays, outputs, strict=True))
        return done + 1, state, arrays

    _, state, arrays = tf.while_loop(
        lambda done, *_: done < steps, body, (0, state, arrays), maximum_iterations=steps
    )
    return state, tuple(a.stack() for a in arrays)


def with_gradient(
    forward: Callable[..., tuple[Arrays, Callable[..., Arrays]]],
) -> Callable[..., Arrays]:
    """A function with a gradient of its own.

    Args:
        forward: From tensors to a tuple of outputs and a function from the gradients with respect
            to the outputs, one argument each, to those with respect to the tensors.

    Returns:
        The function from tensors to the outputs.
    """
    custom_gradient: Any
    if keras.backend.backend() == "jax":
        import jax

        def of_backend(*tensors: Any) -> tuple[Arrays, Callable[..., Arrays]]:
            outputs, backward = forward(*tensors)
            return outputs, lambda upstream: backward(*upstream)

        custom_gradient = jax.custom_gradient
    else:
        import tensorflow as tf

        of_backend, custom_gradient = forward, tf.custom_gradient
    function: Callable[..., Arrays] = custom_gradient(of_backend)
    return function
