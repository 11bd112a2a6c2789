"""Several models of one variant as one model, side by side.

The marks of all models are the marks of one markwise LSTM, and what reads the marks has one set
of weights a model: a bank of eight models of five marks steps eighty LSTMs together. Each weight
of the bank is that of its models, one after the other, so that models go in and out by a reshape.
"""

from typing import Any

from keras import ops
from keras.layers import EinsumDense

from keras_chrome.layers import (
    AttentionPooling,
    AttentiveBidirectionalLSTM,
    MarkwiseBidirectionalLSTM,
)


def attentive_chrome(
    signal: Any, num_models: int, *, bin_units: int = 32, mark_units: int = 16
) -> Any:
    """Models of `models.attentive_chrome`."""
    embeddings, _ = AttentiveBidirectionalLSTM(bin_units, name="bin_encoder")(signal)
    embeddings = ops.transpose(_by_model(embeddings, num_models), (0, 2, 1, 3))
    hidden = MarkwiseBidirectionalLSTM(mark_units, name="mark_lstm")(embeddings)
    return AttentionPooling(name="mark_attention")(hidden)[0]


def lstm_alpha(signal: Any, num_models: int, *, bin_units: int = 32, mlp_units: int = 32) -> Any:
    """Models of `models.recurrent.lstm_alpha`."""
    embeddings, _ = AttentiveBidirectionalLSTM(bin_units, name="bin_encoder")(signal)
    marks = embeddings.shape[1] // num_models
    concatenated = ops.reshape(embeddings, (-1, num_models, marks * 2 * bin_units))
    return EinsumDense(
        "bki,kio->bko",
        (num_models, mlp_units),
        bias_axes="ko",
        activation="relu",
        name="mlp_hidden",
    )(concatenated)


def lstm_attn(signal: Any, num_models: int, *, bin_units: int = 32) -> Any:
    """Models of `models.recurrent.lstm_attn`."""
    hidden = MarkwiseBidirectionalLSTM(bin_units, name="bin_lstm")(_channels(signal, num_models))
    return AttentionPooling(name="bin_attention")(hidden)[0]


def lstm(signal: Any, num_models: int, *, bin_units: int = 32) -> Any:
    """Models of `models.recurrent.lstm`."""
    hidden = MarkwiseBidirectionalLSTM(bin_units, name="bin_lstm")(_channels(signal, num_models))
    return ops.concatenate([hidden[:, -1, :, :bin_units], hidden[:, 0, :, bin_units:]], axis=-1)


def _by_model(embeddings: Any, num_models: int) -> Any:
    """(batch, models * marks, units) -> (batch, models, marks, units)."""
    marks, units = embeddings.shape[1:]
    return ops.reshape(embeddings, (-1, num_models, marks // num_models, units))


def _channels(signal: Any, num_models: int) -> Any:
    """(batch, bins, models * marks) -> (batch, bins, models, marks)."""
    bins, marks = signal.shape[1:]
    return ops.reshape(signal, (-1, bins, num_models, marks // num_models))
