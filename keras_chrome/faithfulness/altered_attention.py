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


class _AlteredAttention(AttentionPooling):
    """Attends equally to all, or to others than it would: weights that change places."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.order = self.add_weight(
            name="order",
            shape=(input_shape[1],),
            dtype="int32",
            initializer=lambda shape, dtype: ops.arange(shape[0], dtype=dtype),
            trainable=False,
        )
        self.is_uniform = self.add_weight(
            name="is_uniform", shape=(), dtype="bool", initializer="zeros", trainable=False
        )

    def attend(self, inputs: Any) -> Any:
        weights = tf.gather(super().attend(inputs), self.order, axis=1)
        return ops.where(self.is_uniform, ops.full_like(weights, 1 / weights.shape[1]), weights)


class _AlteredEncoder(AttentiveBidirectionalLSTM):
    """An encoder whose attention is another one, computed from the hidden states."""

    def __init__(self, attention: AttentionPooling, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.attention = attention

    def call(self, inputs: Any) -> tuple[Any, Any]:
        context, weights = self.attention(self.lstm(inputs))
        return context, weights


def alterable_copy(model: keras.Model) -> keras.Model:
    """A copy of a model, as it is until `alter` alters its attention.

    What is altered are weights, so that the copy is compiled once.

    Args:
        model: From `keras_chrome.load_model`.
    """
    attentive = _attentive_layers(model, LAYERS)

    def clone(layer: Any) -> Any:
        if layer not in attentive:
            return type(layer).from_config(layer.get_config())
        if isinstance(layer, AttentiveBidirectionalLSTM):
            attention = _AlteredAttention(name="attention", dtype=layer.dtype_policy)
            return _AlteredEncoder(attention, **layer.get_config())
        return _AlteredAttention.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    take_weights(copy, model)
    return copy


def take_weights(copy: keras.Model, model: keras.Model) -> None:
    """Give an `alterable_copy` the weights that its model has now.

    Args:
        copy: The copy.
        model: The model that it is a copy of.
    """
    for layer in model.layers:
        values = layer.get_weights()
        own = copy.get_layer(layer.name)
        own.set_weights([*values, *own.get_weights()[len(values) :]])


def alter(copy: keras.Model, names: Collection[str], *, seed: int | None = None) -> None:
    """Alter the attention of an `alterable_copy`; what is not named is as it was trained.

    Args:
        copy: The copy.
        names: `alpha`, `beta` or both, as the model has them.
        seed: Seeds the new places of the attention weights, one way for all genes; equal weights
            if None.
    """
    rng = np.random.default_rng(seed)
    altered = _attentive_layers(copy, names)
    for layer in _attentive_layers(copy, LAYERS):
        attention = layer.attention if isinstance(layer, _AlteredEncoder) else layer
        is_altered, num = layer in altered, attention.order.shape[0]
        attention.is_uniform.assign(is_altered and seed is None)
        is_permuted = is_altered and seed is not None
        attention.order.assign(rng.permutation(num) if is_permuted else np.arange(num))


def _attentive_layers(model: keras.Model, names: Collection[str]) -> list[Any]:
    """The layers of a model that compute the attention of these names."""
    wanted = {name for attention in names for name in LAYERS[attention]}
    # In an ensemble a layer's name begins with its member's.
    return [layer for layer in model.layers if layer.name.rpartition(".")[2] in wanted]
