"""What every variant ends in."""

from typing import Any

import keras


def answer(embedding: Any, *, alpha: Any = None, beta: Any = None) -> dict[str, Any]:
    """A variant's answer: a linear layer on the gene embedding, and the attention it has.

    The paper's softmax over two classes is a sigmoid here: with two classes they are the same
    model, with one weight vector less.

    Args:
        embedding: Symbolic tensor `(batch, units)`.
        alpha: Attention over bins `(batch, marks, bins)`, if there is one.
        beta: Attention over marks `(batch, marks)`, if there is one.

    Returns:
        `probability` of high expression `(batch,)`, `alpha` and `beta` where given.
    """
    # Under mixed precision a float16 head ties probabilities, which biases the AUROC.
    logit = keras.layers.Dense(1, dtype="float32", name="logit")(embedding)
    return with_logit(logit, alpha=alpha, beta=beta)


def with_logit(logit: Any, **others: Any) -> dict[str, Any]:
    """The answer of a variant whose layer `logit` gives this, `(batch, 1)`, and other outputs."""
    probability = keras.ops.squeeze(keras.ops.sigmoid(logit), axis=-1)
    outputs = {"probability": probability, **others}
    return {name: output for name, output in outputs.items() if output is not None}
