"""The paper's recurrent variants with less structure: one LSTM for all marks, or no beta."""

from typing import Any

from keras.layers import Concatenate, Dense, Dropout, Flatten, RepeatVector

from keras_chrome.layers import AttentionPooling, AttentiveBidirectionalLSTM, BidirectionalLSTM
from keras_chrome.models.head import answer


def lstm(signal: Any, *, bin_units: int = 32, dropout: float = 0.0) -> dict[str, Any]:
    """Predict with one bidirectional LSTM over the bins, all marks as its channels.

    The gene embedding is the last state of either direction.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        bin_units: Hidden size d of one direction.
        dropout: Rate of dropout on the gene embedding.

    Returns:
        `probability` `(batch,)`.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 5, LSTM.
    """
    # === Layers ===
    bin_lstm = BidirectionalLSTM(bin_units, name="bin_lstm")
    last_states = Concatenate(name="last_states")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    hidden = bin_lstm(signal)
    gene_embedding = last_states([hidden[:, -1, :bin_units], hidden[:, 0, bin_units:]])
    return answer(gene_dropout(gene_embedding))


def lstm_attn(signal: Any, *, bin_units: int = 32, dropout: float = 0.0) -> dict[str, Any]:
    """Predict with one bidirectional LSTM over the bins and one attention on it.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        bin_units: Hidden size d of one direction.
        dropout: Rate of dropout on the gene embedding.

    Returns:
        `probability` `(batch,)` and `alpha` `(batch, marks, bins)`, which is the same for every
        mark: the variant does not tell them apart.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 5, LSTM-Attn.
    """
    # === Layers ===
    bin_lstm = BidirectionalLSTM(bin_units, name="bin_lstm")
    bin_attention = AttentionPooling(name="bin_attention")
    for_each_mark = RepeatVector(signal.shape[-1], dtype="float32", name="for_each_mark")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    gene_embedding, alpha = bin_attention(bin_lstm(signal))
    return answer(gene_dropout(gene_embedding), alpha=for_each_mark(alpha))


def lstm_alpha(
    signal: Any,
    *,
    bin_units: int = 32,
    mlp_units: int = 32,
    mark_weights: str = "separate",
    dropout: float = 0.0,
) -> dict[str, Any]:
    """Predict with a bidirectional LSTM and attention a mark, and a perceptron over the marks.

    The mark embeddings are concatenated and go through a perceptron of two layers, in place of
    AttentiveChrome's mark-level LSTM and attention.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        bin_units: Hidden size d of one direction of the bin-level LSTMs.
        mlp_units: Size of the perceptron's hidden layer, which the paper does not state.
        mark_weights: `"separate"`, one bin-level LSTM a mark, or `"shared"`, one for all marks.
        dropout: Rate of dropout on the mark embeddings and the gene embedding.

    Returns:
        `probability` `(batch,)` and `alpha` `(batch, marks, bins)`.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 5, LSTM-alpha.
    """
    # === Layers ===
    bin_encoder = AttentiveBidirectionalLSTM(bin_units, mark_weights, name="bin_encoder")
    mark_dropout = Dropout(dropout, name="mark_dropout")
    concatenated_marks = Flatten(name="concatenated_marks")
    mlp_hidden = Dense(mlp_units, activation="relu", name="mlp_hidden")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    mark_embeddings, alpha = bin_encoder(signal)
    gene_embedding = mlp_hidden(concatenated_marks(mark_dropout(mark_embeddings)))
    return answer(gene_dropout(gene_embedding), alpha=alpha)
