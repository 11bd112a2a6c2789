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

    Reference: Singh et al., DeepChrome, Bioinformatics 2016; the variant CNN of Singh et al.,
    Attend and Predict, NeurIPS 2017, section 5.
    """
    # === Layers ===
    convolution = Conv1D(filters, filter_bins, activation="relu", name="convolution")
    pooling = MaxPooling1D(pool_bins, name="pooling")
    flatten = Flatten(name="flatten")
    pooled_dropout = Dropout(dropout, name="pooled_dropout")

    # === Functional Model ===
    gene_embedding = pooled_dropout(flatten(pooling(convolution(signal))))
    return answer(_perceptron(gene_embedding, dense_units))


def cnn_attn(
    signal: Any,
    *,
    filters: int = 50,
    filter_bins: int = 10,
    dense_units: Sequence[int] = (625, 125),
    dropout: float = 0.5,
) -> dict[str, Any]:
    """Predict with DeepChrome's network, in which attention alpha takes the max-pooling's place.

    As in the paper, one convolution reads all marks, one attention sums its bins to the gene
    embedding, and DeepChrome's dropout and perceptron follow. Ours is the padding: DeepChrome's
    convolution has `bins - filter_bins + 1` outputs, and here as many as bins, so that alpha has
    a weight for each. The paper gives no sizes; all are DeepChrome's.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        filters: Number of filters, each over all marks.
        filter_bins: Width of a filter in bins.
        dense_units: Sizes of the perceptron's hidden layers.
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
    gene_embedding = _perceptron(gene_dropout(gene_embedding), dense_units)
    return answer(gene_embedding, alpha=for_each_mark(alpha))


def cnn_alpha_beta(
    signal: Any,
    *,
    filters: int = 50,
    filter_bins: int = 10,
    mark_filters: int = 50,
    mark_filter_width: int | None = None,
    dropout: float = 0.0,
) -> dict[str, Any]:
    """Predict with AttentiveChrome's network, in which convolutions take the LSTMs' place.

    As in the paper, one convolution a mark reads the bins, and attention alpha sums them to a mark
    embedding; a second-level convolution reads the mark embeddings, and attention beta sums them
    to the gene embedding. The paper says no more. So the filters of the first level are
    DeepChrome's, padded as in `cnn_attn`; those of the second reach from every mark to every
    other, as AttentiveChrome's second LSTM does, since the order of the marks means nothing; and
    a linear layer predicts, as in AttentiveChrome, without DeepChrome's perceptron and dropout.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        filters: Number of filters of each mark, the size of a mark embedding.
        filter_bins: Their width in bins.
        mark_filters: Number of filters of the second level, the size of the gene embedding.
        mark_filter_width: Their width in marks; `2 * marks - 1` if None.
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
    mark_convolution = Conv1D(
        mark_filters,
        2 * num_marks - 1 if mark_filter_width is None else mark_filter_width,
        padding="same",
        activation="relu",
        name="mark_convolution",
    )
    mark_attention = AttentionPooling(name="mark_attention")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    mark_embeddings, alpha = bin_attention(by_mark(convolution(signal)))
    gene_embedding, beta = mark_attention(mark_convolution(mark_dropout(mark_embeddings)))
    return answer(gene_dropout(gene_embedding), alpha=alpha, beta=beta)


def _perceptron(embedding: Any, units: Sequence[int]) -> Any:
    """DeepChrome's hidden layers."""
    for i, size in enumerate(units, start=1):
        embedding = Dense(size, activation="relu", name=f"dense_{i}")(embedding)
    return embedding
