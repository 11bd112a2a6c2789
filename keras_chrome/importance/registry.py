"""The importance methods by name."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from keras_chrome.errors import InputError

if TYPE_CHECKING:
    import numpy as np

# Each method's function, as module:function. A name rather than the function itself, so that
# `--help` can list the methods without importing TensorFlow.
METHODS = {
    "alpha": "keras_chrome.importance.alpha:alpha",
    "alpha_beta": "keras_chrome.importance.alpha_beta:alpha_beta",
    "saliency": "keras_chrome.importance.saliency:saliency",
    "smooth_grad": "keras_chrome.importance.smooth_grad:smooth_grad",
    "class_optimization": "keras_chrome.importance.class_optimization:class_optimization",
    "gradient_x_input": "keras_chrome.importance.gradient_x_input:gradient_x_input",
    "integrated_gradients": "keras_chrome.importance.integrated_gradients:integrated_gradients",
    "expected_gradients": "keras_chrome.importance.expected_gradients:expected_gradients",
    "occlusion": "keras_chrome.importance.occlusion:occlusion",
    "mark_occlusion": "keras_chrome.importance.occlusion:mark_occlusion",
}


def importance_method(name: str) -> "Callable[..., np.ndarray]":
    """The function of a method.

    Args:
        name: A name in `METHODS`.

    Returns:
        A function `(model, signal, **options)`: from a model of `keras_chrome.load_model` and the
        signal as measured, float32 `(genes, bins, marks)`, to the importance, float32 of the same
        shape. What its numbers mean, and its options, the function's own docstring says.

    Raises:
        InputError: If the method is unknown.

    Example:
        >>> importance = importance_method("integrated_gradients")(model, signal, steps=100)
    """
    if name not in METHODS:
        raise InputError(f"Expected one of {sorted(METHODS)}. Received: method={name!r}")
    module, function = METHODS[name].split(":")
    return getattr(import_module(module), function)
