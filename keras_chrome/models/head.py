"""What every variant ends in."""

from typing import Any

import keras


def answer(
    embedding: Any, *, alpha: Any = None, beta: Any = None, states: Any = None
) -> dict[str, Any]:
    """A variant's answer: a linear layer on the gene embedding, and the attention it has.

    The paper's softmax over two classes is a sigmoid here: with two classes they are the same
    model, with one weight vector less.

    Args:
        embedding: Symbolic tensor `(batch, units)`.
        alpha: Attention over bins `(batch, marks, bins)`, if there is one.
        beta: Attention over marks `(batch, marks)`, if there is one.
        states: What alpha and beta sum to `embedding`, `(batch, bins, marks, units)`, if nothing
            else lies between.

    Returns:
        `probability` of high expression `(batch,)`, `alpha` and `beta` where given, and with
        `states` the `contribution` of each, `(batch, marks, bins)`, which sum to the logit.
    """
    # Under mixed precision a float16 head ties probabilities, which biases the AUROC.
    to_logit = keras.layers.Dense(1, dtype="float32", name="logit")
    probability = keras.ops.squeeze(keras.ops.sigmoid(to_logit(embedding)), axis=-1)
    outputs = {"probability": probability, "alpha": alpha, "beta": beta}
    if states is not None:
        # The layer is linear and attention sums to one: its weighted mean of the states' logits
        # is the logit of their weighted mean.
        value = keras.ops.transpose(to_logit(states)[..., 0], (0, 2, 1))
        outputs["contribution"] = alpha * beta[..., None] * value
    return {name: output for name, output in outputs.items() if output is not None}
