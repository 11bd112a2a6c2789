"""AttentiveChrome, the paper's LSTM-alpha,beta."""

from typing import Any

from keras import ops
from keras.layers import Dropout

from keras_chrome.errors import InputError
from keras_chrome.layers import AttentionPooling, AttentiveBidirectionalLSTM, BidirectionalLSTM
from keras_chrome.models.head import answer


def attentive_chrome(
    signal: Any,
    *,
    bin_units: int = 32,
    mark_units: int = 16,
    mark_weights: str = "separate",
    lstm_reads: str = "own",
    dropout: float = 0.0,
) -> dict[str, Any]:
    """Predict high or low expression with attention over bins and over marks.

    One bidirectional LSTM a mark reads the bins; attention alpha over the bins sums them to a mark
    embedding. A bidirectional LSTM reads the mark embeddings; attention beta over the marks sums
    them to the gene embedding, from which a linear layer predicts.

    Args:
        signal: Symbolic tensor `(batch, bins, marks)`, transformed.
        bin_units: Hidden size d of one direction of the bin-level LSTMs.
        mark_units: Hidden size d' of one direction of the mark-level LSTM.
        mark_weights: `"separate"`, one bin-level LSTM a mark, or `"shared"`, one for all marks.
        lstm_reads: What the LSTM of a mark reads of each bin: `"own"`, its mark's signal, as in the
            paper, or `"all"` marks' signals, so that it knows what its mark stands beside. Its
            alpha then is of bins in which it has seen all marks.
        dropout: Rate of dropout on the mark embeddings and the gene embedding.

    Returns:
        `probability` `(batch,)`, `alpha` `(batch, marks, bins)`, `beta` `(batch, marks)`.

    Raises:
        InputError: If one LSTM is shared by all marks and would read the same for each.

    Reference: Singh et al., Attend and Predict, NeurIPS 2017, section 3.
    """
    if lstm_reads == "all":
        if mark_weights == "shared":
            raise InputError(
                "Expected an LSTM a mark where each reads all marks. Received: "
                "mark_weights='shared', lstm_reads='all'"
            )
        # All marks are the channels of each: (batch, bins, marks, marks).
        signal = ops.repeat(signal[:, :, None], signal.shape[-1], axis=2)

    # === Layers ===
    bin_encoder = AttentiveBidirectionalLSTM(bin_units, mark_weights, name="bin_encoder")
    mark_dropout = Dropout(dropout, name="mark_dropout")
    mark_lstm = BidirectionalLSTM(mark_units, name="mark_lstm")
    mark_attention = AttentionPooling(name="mark_attention")
    gene_dropout = Dropout(dropout, name="gene_dropout")

    # === Functional Model ===
    mark_embeddings, alpha = bin_encoder(signal)
    gene_embedding, beta = mark_attention(mark_lstm(mark_dropout(mark_embeddings)))
    return answer(gene_dropout(gene_embedding), alpha=alpha, beta=beta)
