"""What every variant ends in."""

from typing import Any

import keras

from keras_chrome.layers import AdditiveLogit


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
    contribution = None
    if states is None:
        # Under mixed precision a float16 head ties probabilities, which biases the AUROC.
        logit = keras.layers.Dense(1, dtype="float32", name="logit")(embedding)
    else:
        attention = alpha * beta[..., None]
        logit, contribution = AdditiveLogit(name="logit")(embedding, states, attention)
    outputs = {
        "probability": keras.ops.squeeze(keras.ops.sigmoid(logit), axis=-1),
        "alpha": alpha,
        "beta": beta,
        "contribution": contribution,
    }
    return {name: output for name, output in outputs.items() if output is not None}
