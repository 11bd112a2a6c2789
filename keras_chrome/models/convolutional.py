"""The paper's convolutional variants: DeepChrome, and convolutions with attention."""

from collections.abc import Sequence
from typing import Any

from keras.layers import (
    Conv1D,
    Dense,
    DepthwiseConv1D,
    Dropout,
    Flatten,
    MaxPooling1D,
    RepeatVector,
    Reshape,
)

from keras_chrome.layers import AttentionPooling
from keras_chrome.models.head import answer


def deep_chrome(
    signal: Any,
    *,
    filters: int = 50,
    filter_bins: int = 10,
    pool_bins: int = 5,
    dense_units: Sequence[int] = (625, 125),
    dropout: float = 0.5,
) -> dict[str, Any]:
    """Predict with a convolution over the bins, max-pooling and a perceptron.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        filters: Number of filters, each over all marks.
        filter_bins: Width of a filter in bins.
        pool_bins: Width and stride of the max-pooling in bins.
        dense_units: Sizes of the perceptron's hidden layers.
        dropout: Rate of dropout on what is pooled.

    Returns:
        `probability` `(batch,)`.

    Reference: Singh et al., DeepChrome, Bioinformatics 2016, section 3; the variant CNN of Singh
    et al., Attend and Predict, NeurIPS 2017, section 5.
    """
    # === Layers ===
    convolution = Conv1D(filters, filter_bins, activation="relu", name="convolution")
    pooling = MaxPooling1D(pool_bins, name="pooling")
    flatten = Flatten(name="flatten")
    pooled_dropout = Dropout(dropout, name="pooled_dropout")
    perceptron = [
        Dense(units, activation="relu", name=f"dense_{i}")
        for i, units in enumerate(dense_units, start=1)
    ]

    # === Functional Model ===
    gene_embedding = pooled_dropout(flatten(pooling(convolution(signal))))
    for layer in perceptron:
        gene_embedding = layer(gene_embedding)
    return answer(gene_embedding)


def cnn_attn(
    signal: Any, *, filters: int = 50, filter_bins: int = 10, dropout: float = 0.0
) -> dict[str, Any]:
    """Predict with a convolution over the bins and one attention on it, without pooling.

    Unlike DeepChrome's, the convolution is padded, so that alpha has a weight for each bin.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        filters: Number of filters, each over all marks.
        filter_bins: Width of a filter in bins.
        dropout: Rate of dropout on the gene embedding.

    Returns:
        `probability` `(batch,)` and `alpha` `(batch, marks, bins)`, which is the same for every
        mark: the variant does not tell them apart.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 5, CNN-Attn.
    """
    # === Layers ===
    convolution = Conv1D(
        filters, filter_bins, padding="same", activation="relu", name="convolution"
    )
    bin_attention = AttentionPooling(name="bin_attention")
    for_each_mark = RepeatVector(signal.shape[-1], dtype="float32", name="for_each_mark")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    gene_embedding, alpha = bin_attention(convolution(signal))
    return answer(gene_dropout(gene_embedding), alpha=for_each_mark(alpha))


def cnn_alpha_beta(
    signal: Any, *, filters: int = 50, filter_bins: int = 10, dropout: float = 0.0
) -> dict[str, Any]:
    """Predict with a convolution a mark, attention over its bins, and attention over the marks.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        filters: Number of filters of each mark.
        filter_bins: Width of a filter in bins.
        dropout: Rate of dropout on the mark embeddings and the gene embedding.

    Returns:
        `probability` `(batch,)`, `alpha` `(batch, marks, bins)`, `beta` `(batch, marks)`.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 5, CNN-alpha,beta.
    """
    _, num_bins, num_marks = signal.shape
    # === Layers ===
    convolution = DepthwiseConv1D(
        filter_bins,
        depth_multiplier=filters,
        padding="same",
        activation="relu",
        name="convolution",
    )
    # A depthwise convolution leaves the filters of a mark side by side.
    by_mark = Reshape((num_bins, num_marks, filters), name="by_mark")
    bin_attention = AttentionPooling(name="bin_attention")
    mark_dropout = Dropout(dropout, name="mark_dropout")
    mark_attention = AttentionPooling(name="mark_attention")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    mark_embeddings, alpha = bin_attention(by_mark(convolution(signal)))
    gene_embedding, beta = mark_attention(mark_dropout(mark_embeddings))
    return answer(gene_dropout(gene_embedding), alpha=alpha, beta=beta)
