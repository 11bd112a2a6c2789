"""ContextChrome: attention over bins and marks that sees all marks at once, bin by bin."""

from collections.abc import Sequence
from typing import Any, NamedTuple

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


def context_chrome(
    signal: Any,
    *,
    units: int = 32,
    context_units: int = 64,
    filter_bins: int = 10,
    bins_a_position: int = 2,
    dilations: Sequence[int] = (1, 2, 4),
    heads: int = 4,
    dropout: float = 0.1,
) -> dict[str, Any]:
    """Predict with attention over bins and over marks, both of which see all marks.

    As in AttentiveChrome alpha sums the states of each mark to its embedding, and beta sums these
    to the gene embedding, from which a linear layer predicts. What a state is made of is ours, see
    `attention_in_context`.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        units: Size of a mark's states.
        context_units: Size of the context's.
        filter_bins: Width of the first convolutions' filters in bins.
        bins_a_position: Bins to a state.
        dilations: Of the convolutions, five positions wide, of the context's residual blocks.
        heads: Of the attention by which marks see each other before beta is chosen.
        dropout: Rate of dropout on the gene embedding.

    Returns:
        `probability` `(batch,)`, `alpha` `(batch, marks, bins)` and `beta` `(batch, marks)`. Bins
        of one position share alike.

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
    gene_embedding = ops.einsum("bm,bmu->bu", attention.beta, attention.mark_embeddings)
    gene_embedding = Dropout(dropout, name="gene_dropout")(gene_embedding)
    return answer(gene_embedding, alpha=attention.alpha, beta=attention.beta)


class Attention(NamedTuple):
    """Symbolic tensors: what a model sees, and how much each of it weighs."""

    states: Any  # (batch, positions, marks, units)
    alpha: Any  # (batch, marks, bins)
    beta: Any  # (batch, marks)
    mark_embeddings: Any  # (batch, marks, units), the states that alpha sums


def attention_in_context(
    signal: Any,
    *,
    units: int,
    context_units: int,
    filter_bins: int,
    bins_a_position: int,
    dilations: Sequence[int],
    heads: int,
) -> Attention:
    """Attention over the bins of each mark, and over the marks, that sees all marks bin by bin.

    A convolution reads all marks together, and residual blocks widen its view to 3.3 kb on either
    side: this is the context, of one state for every two bins. Beside it each mark is a stream of
    its own: a convolution over its own signal, to which the context is added, and one residual
    block, which the streams share. Alpha sums the states of a stream; beta is chosen once the sums
    have seen each other.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        units: As all others of `context_chrome`.
        context_units: Likewise.
        filter_bins: Likewise.
        bins_a_position: Likewise.
        dilations: Likewise.
        heads: Likewise.
    """
    num_bins = signal.shape[1]
    # === Layers ===
    joint_convolution = Conv1D(
        context_units, filter_bins, bins_a_position, padding="same", name="joint_convolution"
    )
    context_norm = _norm("context_norm")
    to_streams = Dense(units, name="to_streams")
    own_convolution = MarkwiseConvolution(
        units, filter_bins, bins_a_position, name="own_convolution"
    )
    places = PlaceEmbedding(name="places")
    state_norm = _norm("state_norm")
    bin_attention = AttentionPooling(name="bin_attention")
    mark_norm = LayerNormalization(epsilon=1e-3, name="mark_norm")
    among_marks = MultiHeadAttention(heads, units // heads, name="among_marks")
    mark_attention = AttentionPooling(name="mark_attention")
    over_bins = SpreadOverBins(num_bins, bins_a_position, name="over_bins")

    # === Functional Model ===
    context = joint_convolution(signal)[:, :, None]  # as of one mark
    for i, dilation in enumerate(dilations, start=1):
        context += _residual(context, dilation, f"context_{i}")
    states = places(own_convolution(signal) + to_streams(_gelu(context_norm(context))))
    states = state_norm(states + _residual(states, 1, "stream"))
    mark_embeddings, alpha = bin_attention(states)
    normed = mark_norm(mark_embeddings)
    _, beta = mark_attention(mark_embeddings + among_marks(normed, normed))
    return Attention(states, over_bins(alpha), beta, mark_embeddings)


def _residual(states: Any, dilation: int, name: str) -> Any:
    """What a block adds to states `(batch, positions, marks, units)`; marks share its weights."""
    units = states.shape[-1]
    narrow = Conv2D(
        units // 2, (5, 1), dilation_rate=(dilation, 1), padding="same", name=f"{name}_narrow"
    )
    widen = Dense(units, name=f"{name}_widen")
    seen = narrow(_gelu(_norm(f"{name}_norm_1")(states)))
    return widen(_gelu(_norm(f"{name}_norm_2")(seen)))


def _norm(name: str) -> BatchNormalization:
    # A training is some thousand steps: Keras's momentum of 0.99 would lag behind.
    return BatchNormalization(momentum=0.9, name=name)


def _gelu(values: Any) -> Any:
    return ops.gelu(values, approximate=True)
