"""AdditiveChrome: marks mixed bin by bin, and an answer that is the sum of what bins contribute."""

from collections.abc import Sequence
from typing import Any

from keras import ops
from keras.layers import (
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    LayerNormalization,
    MultiHeadAttention,
)

from keras_chrome.layers import (
    AttentionPooling,
    MarkwiseConvolution,
    PlaceEmbedding,
    SpreadOverBins,
)
from keras_chrome.models.head import answer


def additive_chrome(
    signal: Any,
    *,
    units: int = 32,
    narrow_units: int = 16,
    filter_bins: int = 10,
    bins_a_position: int = 2,
    dilations: Sequence[int] = (1, 2, 4),
    heads: int = 4,
    dropout: float = 0.1,
) -> dict[str, Any]:
    """Predict with attention over bins and over marks, by a sum over both.

    Each mark is a stream of its own, of one state for every two bins: a convolution over its own
    signal, and one over the signal of all marks, so that a stream knows what lies beside it.
    Residual blocks, which the streams share, widen its view to 3.3 kb on either side. As in
    AttentiveChrome, alpha sums the states of a stream, and beta, which sees all streams, sums the
    streams. What is summed goes through nothing more than a linear layer:

        logit = sum over marks and bins of beta x alpha x value,  value = w . state + b

    so that the map of `contribution` = beta x alpha x value is the very sum that is decided by.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        units: Size of a state.
        narrow_units: Size of a state within a residual block.
        filter_bins: Width of the first convolutions' filters in bins.
        bins_a_position: Bins to a state.
        dilations: Of the residual blocks' convolutions of five positions, one a block.
        heads: Of the attention by which marks see each other before beta is chosen.
        dropout: Rate of dropout on the gene embedding.

    Returns:
        `probability` `(batch,)`, `alpha` `(batch, marks, bins)`, `beta` `(batch, marks)`, and
        `contribution` `(batch, marks, bins)` to the logit. Bins of one position share alike.

    Not in the paper.
    """
    num_bins = signal.shape[1]
    # === Layers ===
    own_convolution = MarkwiseConvolution(
        units, filter_bins, bins_a_position, name="own_convolution"
    )
    joint_convolution = Conv1D(
        units, filter_bins, bins_a_position, padding="same", name="joint_convolution"
    )
    context = Dense(units, name="context")
    places = PlaceEmbedding(name="places")
    state_norm = _norm("state_norm")
    bin_attention = AttentionPooling(name="bin_attention")
    mark_norm = LayerNormalization(epsilon=1e-3, name="mark_norm")
    among_marks = MultiHeadAttention(heads, units // heads, name="among_marks")
    mark_attention = AttentionPooling(name="mark_attention")
    over_bins = SpreadOverBins(num_bins, bins_a_position, name="over_bins")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    of_all_marks = context(_gelu(joint_convolution(signal)))
    states = places(own_convolution(signal) + of_all_marks[:, :, None])
    for i, dilation in enumerate(dilations, start=1):
        states += _residual(states, narrow_units, dilation, f"block_{i}")
    states = state_norm(states)
    mark_embeddings, alpha = bin_attention(states)
    normed = mark_norm(mark_embeddings)
    _, beta = mark_attention(mark_embeddings + among_marks(normed, normed))
    gene_embedding = ops.einsum("bm,bmu->bu", beta, mark_embeddings)
    outputs = answer(gene_dropout(gene_embedding), alpha=alpha, beta=beta, states=states)
    of_bins = {name: over_bins(outputs[name]) for name in ("alpha", "contribution")}
    return outputs | of_bins


def _residual(states: Any, narrow_units: int, dilation: int, name: str) -> Any:
    """What a block adds to states `(batch, positions, marks, units)`; streams share its weights."""
    narrow = Conv2D(
        narrow_units, (5, 1), dilation_rate=(dilation, 1), padding="same", name=f"{name}_narrow"
    )
    widen = Dense(states.shape[-1], name=f"{name}_widen")
    seen = narrow(_gelu(_norm(f"{name}_norm_1")(states)))
    return widen(_gelu(_norm(f"{name}_norm_2")(seen)))


def _norm(name: str) -> BatchNormalization:
    # The noise of a batch's statistics is worth 0.001 of AUROC beside a normalisation of layers. A
    # training is some thousand steps: Keras's momentum of 0.99 would lag behind.
    return BatchNormalization(momentum=0.9, name=name)


def _gelu(values: Any) -> Any:
    return ops.gelu(values, approximate=True)
