"""A model whose attention is taken away or mixed up, all else as it was trained."""

from collections.abc import Collection
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_chrome.layers import AttentionPooling, AttentiveBidirectionalLSTM

LAYERS = {"alpha": ("bin_encoder", "bin_attention"), "beta": ("mark_attention",)}
"""The layers that each attention may be in."""


class _UniformAttention(AttentionPooling):
    """Attends equally to all."""

    def attend(self, inputs: Any) -> Any:
        weights = super().attend(inputs)
        return ops.full_like(weights, 1 / weights.shape[1])


class _PermutedAttention(AttentionPooling):
    """Attends to others than it would: its weights change places, for all genes in one way."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.order = self.add_weight(
            name="order",
            shape=(input_shape[1],),
            dtype="int32",
            initializer="zeros",
            trainable=False,
        )

    def attend(self, inputs: Any) -> Any:
        return tf.gather(super().attend(inputs), self.order, axis=1)


def uniform_attention(model: keras.Model, names: Collection[str]) -> keras.Model:
    """A copy of a model that attends equally to all bins, marks, or both.

    Args:
        model: From `keras_chrome.load_model`.
        names: `alpha`, `beta` or both, as the model has them.
    """
    return _with_attention(model, names, _UniformAttention)


def permuted_attention(model: keras.Model, names: Collection[str]) -> keras.Model:
    """A copy of a model whose attention weights change places, as `permute` says."""
    return _with_attention(model, names, _PermutedAttention)


def permute(model: keras.Model, names: Collection[str], *, seed: int) -> None:
    """Draw new places for the attention weights of a `permuted_attention` model."""
    rng = np.random.default_rng(seed)
    for layer in _attentive_layers(model, names):
        attention = layer.attention if isinstance(layer, _AlteredEncoder) else layer
        attention.order.assign(rng.permutation(attention.order.shape[0]))


class _AlteredEncoder(AttentiveBidirectionalLSTM):
    """An encoder whose attention is another one, computed from the hidden states."""

    def __init__(self, attention: AttentionPooling, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention

    def call(self, inputs: Any) -> tuple[Any, Any]:
        context, weights = self.attention(self.lstm(inputs))
        return context, weights


def _with_attention(
    model: keras.Model, names: Collection[str], attention_class: type[AttentionPooling]
) -> keras.Model:
    altered = _attentive_layers(model, names)

    def clone(layer: Any) -> Any:
        if layer not in altered:
            return type(layer).from_config(layer.get_config())
        if isinstance(layer, AttentiveBidirectionalLSTM):
            attention = attention_class(name="attention", dtype=layer.dtype_policy)
            return _AlteredEncoder(attention, **layer.get_config())
        return attention_class.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        values = layer.get_weights()
        own = copy.get_layer(layer.name)
        own.set_weights([*values, *own.get_weights()[len(values) :]])
    return copy


def _attentive_layers(model: keras.Model, names: Collection[str]) -> list[Any]:
    """The layers of a model that compute the attention of these names."""
    wanted = {name for attention in names for name in LAYERS[attention]}
    return [layer for layer in model.layers if layer.name in wanted]
