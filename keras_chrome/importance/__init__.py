"""Which bins of which marks a model's answer rests on: one method a file, and their registry.

Importing this package imports no TensorFlow; the methods do so when one is asked for.
"""

from keras_chrome.importance.registry import (
    METHODS,
    Method,
    compute_importance,
    importance_method,
    method_of_label,
    methods_of,
    units_of,
    with_respect_to,
)

__all__ = [
    "METHODS",
    "Method",
    "compute_importance",
    "importance_method",
    "method_of_label",
    "methods_of",
    "units_of",
    "with_respect_to",
]
