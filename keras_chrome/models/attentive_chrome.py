"""AttentiveChrome, the paper's LSTM-alpha,beta."""

from collections.abc import Sequence

import keras

from keras_chrome.layers import (
    AttentionPooling,
    BidirectionalLSTM,
    MarkwiseBidirectionalLSTM,
    SignalTransform,
)


def attentive_chrome(
    *,
    marks: Sequence[str],
    num_bins: int = 100,
    transform: str = "log1p",
    signal_mean: Sequence[float] | None = None,
    signal_variance: Sequence[float] | None = None,
    bin_units: int = 32,
    mark_units: int = 16,
    mark_weights: str = "separate",
    dropout: float = 0.0,
    name: str = "attentive_chrome",
) -> keras.Model:
    """Predict high or low expression with attention over bins and over marks.

    One bidirectional LSTM a mark reads the bins; attention alpha over the bins sums them to a mark
    embedding. A bidirectional LSTM reads the mark embeddings; attention beta over the marks sums
    them to the gene embedding, from which a linear layer predicts.

    The paper's softmax over two classes is a sigmoid here: with two classes they are the same
    model, with one weight vector less.

    Args:
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        transform: `"log1p"` or `"none"`, see `SignalTransform`.
        signal_mean: Mean of log(1 + signal) a mark, for `"log1p"`.
        signal_variance: Its variance.
        bin_units: Hidden size d of one direction of the bin-level LSTMs.
        mark_units: Hidden size d' of one direction of the mark-level LSTM.
        mark_weights: `"separate"`, one bin-level LSTM a mark, or `"shared"`, one for all marks.
        dropout: Rate of dropout on the mark embeddings and the gene embedding.
        name: Name of the model.

    Returns:
        A functional model from signal `(batch, bins, marks)`, as measured, to a dict of float32:
        `probability` of high expression `(batch,)`, `alpha` `(batch, marks, bins)`, `beta`
        `(batch, marks)`.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """
    # === Layers ===
    signal_transform = SignalTransform(
        marks, transform, signal_mean, signal_variance, name="signal_transform"
    )
    bin_lstm = MarkwiseBidirectionalLSTM(bin_units, mark_weights, name="bin_lstm")
    bin_attention = AttentionPooling(name="bin_attention")
    mark_dropout = keras.layers.Dropout(dropout, name="mark_dropout")
    mark_lstm = BidirectionalLSTM(mark_units, name="mark_lstm")
    mark_attention = AttentionPooling(name="mark_attention")
    gene_dropout = keras.layers.Dropout(dropout, name="gene_dropout")
    # Under mixed precision a float16 head ties probabilities, which biases the AUROC.
    logit_head = keras.layers.Dense(1, dtype="float32", name="logit")

    # === Functional Model ===
    signal = keras.Input((num_bins, len(marks)), name="signal", dtype="float32")
    mark_embeddings, alpha = bin_attention(bin_lstm(signal_transform(signal)))
    gene_embedding, beta = mark_attention(mark_lstm(mark_dropout(mark_embeddings)))
    logit = logit_head(gene_dropout(gene_embedding))
    probability = keras.ops.squeeze(keras.ops.sigmoid(logit), axis=-1)
    return keras.Model(
        signal, {"probability": probability, "alpha": alpha, "beta": beta}, name=name
    )
