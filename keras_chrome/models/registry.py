"""The variants by name."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_chrome.errors import InputError

if TYPE_CHECKING:
    import keras

# Each variant's builder, as module:function. A name rather than the function itself, so that
# `--help` can list the variants without importing TensorFlow.
VARIANTS = {"attentive_chrome": "keras_chrome.models.attentive_chrome:attentive_chrome"}


def build_model(
    variant: str, *, marks: Sequence[str], num_bins: int = 100, **options: Any
) -> "keras.Model":
    """Build a variant by its name.

    Args:
        variant: A name in `VARIANTS`.
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        **options: The variant's own arguments.

    Returns:
        A functional model from the signal `(batch, bins, marks)` to a dict: `probability`
        `(batch,)`, and where the variant has them `alpha` `(batch, marks, bins)` and `beta`
        `(batch, marks)`. Its layer `logit` gives the logit of high expression, `(batch, 1)`.

    Raises:
        InputError: If the variant is unknown.

    Example:
        >>> model = build_model("attentive_chrome", marks=("H3K4me3", "H3K27me3"), num_bins=40)
    """
    if variant not in VARIANTS:
        raise InputError(f"Expected one of {sorted(VARIANTS)}. Received: model={variant!r}")
    module, function = VARIANTS[variant].split(":")
    builder = getattr(import_module(module), function)
    return builder(marks=tuple(marks), num_bins=num_bins, **options)


def logit_model(model: "keras.Model") -> "keras.Model":
    """The same layers and weights, from signal to logit `(batch, 1)`.

    Training and saliency want the score before the sigmoid: its gradient does not vanish where
    the model is certain.
    """
    import keras

    return keras.Model(model.input, model.get_layer("logit").output, name=f"{model.name}_logit")
