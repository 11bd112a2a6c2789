"""AdditiveChrome: an answer that is the sum of what the signal of each bin contributes."""

from collections.abc import Sequence
from typing import Any

from keras import ops
from keras.layers import Dropout

from keras_chrome.layers import AdditiveLogit
from keras_chrome.models.context_chrome import attention_in_context
from keras_chrome.models.head import with_logit


def additive_chrome(
    signal: Any,
    *,
    empty: Any,
    slopes: Sequence[float] | None = None,
    units: int = 32,
    context_units: int = 64,
    filter_bins: int = 10,
    bins_a_position: int = 2,
    dilations: Sequence[int] = (1, 2, 4),
    heads: int = 4,
    dropout: float = 0.0,
) -> dict[str, Any]:
    """Predict by a sum over marks and bins, of which an empty bin is no part.

    Attention is that of `context_chrome`, and what it weighs is the signal itself:

        logit = bias + sum over marks and bins of beta x alpha x value,
        value = signal beyond an empty bin x (slope of the mark + w . state)

    so that the map of `contribution` = beta x alpha x value is the very sum that is decided by. The
    network could tell the same by many such sums. It starts from the one that a logistic regression
    on the mean signal of each mark makes, and so stays near the marks' own directions: trainings
    that differ in their seed then agree on the map.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        empty: The same of an empty region.
        slopes: What the slope of each mark starts from, for attention that is uniform; 1 if None.
        units: As all others of `context_chrome`.
        context_units: Likewise.
        filter_bins: Likewise.
        bins_a_position: Likewise.
        dilations: Likewise.
        heads: Likewise.
        dropout: Rate of dropout on what the states say.

    Returns:
        `probability` `(batch,)`, `alpha` `(batch, marks, bins)`, `beta` `(batch, marks)`, and
        `contribution` `(batch, marks, bins)` to the logit, beyond that of an empty region.

    Not in the paper.
    """
    attention = attention_in_context(
        signal,
        units=units,
        context_units=context_units,
        filter_bins=filter_bins,
        bins_a_position=bins_a_position,
        dilations=dilations,
        heads=heads,
    )
    beyond_empty = ops.transpose(signal - empty, (0, 2, 1))
    evidence = attention.alpha * attention.beta[..., None] * beyond_empty
    of_positions = _of_positions(evidence, bins_a_position)
    embedding = ops.einsum("bmp,bpmu->bu", of_positions, attention.states)
    embedding = Dropout(dropout, name="gene_dropout")(embedding)
    head = AdditiveLogit(bins_a_position, slopes, name="logit")
    logit, contribution = head(embedding, evidence, attention.states)
    return with_logit(logit, alpha=attention.alpha, beta=attention.beta, contribution=contribution)


def _of_positions(values: Any, bins_a_position: int) -> Any:
    """Sums of the bins `(batch, marks, bins)` of each position; the last has what is left."""
    missing = -values.shape[-1] % bins_a_position
    padded = ops.pad(values, ((0, 0), (0, 0), (0, missing)))
    positions = padded.shape[-1] // bins_a_position
    return ops.sum(ops.reshape(padded, (-1, values.shape[1], positions, bins_a_position)), axis=-1)
