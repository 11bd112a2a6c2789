"""The variants by name."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_chrome.errors import InputError
from keras_chrome.models.task import TASKS

if TYPE_CHECKING:
    import keras

# Each variant's function, as module:function. A name rather than the function itself, so that
# `--help` can list the variants without importing TensorFlow. A variant takes the transformed
# signal and its own options, and returns the outputs of the model.
VARIANTS = {
    "attentive_chrome": "keras_chrome.models.attentive_chrome:attentive_chrome",
    "lstm_alpha": "keras_chrome.models.recurrent:lstm_alpha",
    "lstm_attn": "keras_chrome.models.recurrent:lstm_attn",
    "lstm": "keras_chrome.models.recurrent:lstm",
    "deep_chrome": "keras_chrome.models.convolutional:deep_chrome",
    "cnn_attn": "keras_chrome.models.convolutional:cnn_attn",
    "cnn_alpha_beta": "keras_chrome.models.convolutional:cnn_alpha_beta",
    "context_chrome": "keras_chrome.models.context_chrome:context_chrome",
    "additive_chrome": "keras_chrome.models.additive_chrome:additive_chrome",
}
"""Every variant by name, and the function that builds it."""

_EMPTY = "empty"  # The argument of variants that ask for the transformed signal of no signal.

BANKS = {
    "attentive_chrome": "keras_chrome.models.bank:attentive_chrome",
    "lstm_alpha": "keras_chrome.models.bank:lstm_alpha",
    "lstm_attn": "keras_chrome.models.bank:lstm_attn",
    "lstm": "keras_chrome.models.bank:lstm",
}
"""The variants that can be trained in a bank, each with its function likewise."""


def build_model(
    variant: str,
    *,
    marks: Sequence[str],
    num_bins: int = 100,
    transform: str = "log1p",
    signal_mean: Sequence[float] | None = None,
    signal_variance: Sequence[float] | None = None,
    task: str = "classification",
    **options: Any,
) -> keras.Model:
    """Build a variant by its name.

    Args:
        variant: A name in `VARIANTS`.
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        transform: `"log1p"` or `"none"`, see `SignalTransform`.
        signal_mean: Mean of log(1 + signal) a mark, for `"log1p"`.
        signal_variance: Its variance.
        task: `"classification"`, or `"regression"`, of log2(expression + 1).
        **options: The variant's own options.

    Returns:
        A functional model from the signal `(batch, bins, marks)`, as measured, to a dict of
        float32: `probability` of high expression `(batch,)`, and where the variant has them
        `alpha` `(batch, marks, bins)` and `beta` `(batch, marks)`. Its layer `logit` gives the
        logit of high expression, `(batch, 1)`. Of regression `expression` `(batch,)` stands in the
        place of `probability`, and is what the layer `logit` gives.

    Raises:
        InputError: If the variant is unknown, or has no such option.

    Example:
        >>> model = build_model("attentive_chrome", marks=("H3K4me3", "H3K27me3"), num_bins=40)
    """
    if variant not in VARIANTS:
        raise InputError(f"Expected one of {sorted(VARIANTS)}. Received: model={variant!r}")
    variant_function = _function(VARIANTS[variant])
    known = option_names(variant)
    if unknown := {name: value for name, value in options.items() if name not in known}:
        raise InputError(
            f"Expected options of {variant} ({', '.join(known)}). Received: "
            + ", ".join(f"{name}={value!r}" for name, value in unknown.items())
        )

    import keras

    from keras_chrome.layers import SignalTransform

    signal = keras.Input((num_bins, len(marks)), name="signal", dtype="float32")
    signal_transform = SignalTransform(
        marks, transform, signal_mean, signal_variance, name="signal_transform"
    )
    if _EMPTY in inspect.signature(variant_function).parameters:
        options[_EMPTY] = signal_transform(keras.ops.zeros_like(signal))
    outputs = variant_function(signal_transform(signal), **options)
    return TASKS[task].answering(keras.Model(signal, outputs, name=variant))


def build_bank(
    variant: str, num_models: int, *, num_marks: int, num_bins: int, **options: Any
) -> keras.Model:
    """Build a bank: several untrained models of a variant as one model, side by side.

    Args:
        variant: A name in `BANKS`.
        num_models: Number of models.
        num_marks: Number of marks of each.
        num_bins: Number of bins of a gene region.
        **options: The variant's own options, the same for all.

    Returns:
        A functional model from the signals, transformed, `(batch, bins, models * marks)`, to the
        logits `(batch, models)`. Each of its weights has the values of the first model's weight
        first, then the second's.

    Raises:
        InputError: If the variant cannot be trained in a bank.
    """
    if variant not in BANKS:
        raise InputError(f"Expected one of {sorted(BANKS)}. Received: model={variant!r}")
    import keras

    signal = keras.Input((num_bins, num_models * num_marks), name="signal")
    gene_embeddings = _function(BANKS[variant])(signal, num_models, **options)
    logit = keras.layers.EinsumDense("bki,kio->bko", (num_models, 1), bias_axes="ko", name="logit")(
        gene_embeddings
    )
    return keras.Model(signal, logit[..., 0], name=f"bank_of_{variant}")


def option_names(variant: str) -> list[str]:
    """The names of a variant's own options."""
    _, *names = inspect.signature(_function(VARIANTS[variant])).parameters
    return [name for name in names if name != _EMPTY]


def default_option(variant: str, name: str) -> Any:
    """What one of a variant's own options is if it is left out.

    Args:
        variant: A name in `VARIANTS`.
        name: The option's.
    """
    return inspect.signature(_function(VARIANTS[variant])).parameters[name].default


def logit_model(model: keras.Model) -> keras.Model:
    """The same layers and weights, from signal to logit `(batch, 1)`.

    Training and saliency want the score before the sigmoid: its gradient does not vanish where
    the model is certain.
    """
    import keras

    return keras.Model(model.input, logit_output(model), name=f"{model.name}_logit")


def logit_output(model: keras.Model, layer: str = "logit") -> Any:
    """The symbolic logit `(batch, 1)` of a model, or of the part of it that ends in a layer."""
    output = model.get_layer(layer).output
    return output[0] if isinstance(output, list) else output


def _function(path: str) -> Any:
    module, function = path.split(":")
    return getattr(import_module(module), function)
