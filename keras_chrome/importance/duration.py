"""How long importance methods will take, before they start."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from keras_chrome.importance.class_optimization import Recipe, optimize_class
from keras_chrome.importance.network import Model
from keras_chrome.importance.registry import GRADIENT_PASSES, method_of_label
from keras_chrome.models.prediction import batch_predictor, predict_batches
from keras_chrome.tables import format_duration, wrapped

_BATCH_SIZE = 512
_TRIED_STEPS = 10


def estimated_s(labels: Iterable[str], model: Model, signal: np.ndarray) -> dict[str, float]:
    """Estimate how long methods will take with their defaults, from the time of a first batch.

    What it measures is the model forward, compiled and then run; the registry says how often each
    method needs that. Other work on the machine, or genes whose paths need more steps, make it
    longer.

    Args:
        labels: Names in `METHODS`, or labels of `with_respect_to`.
        model: From `keras_chrome.load_model`.
        signal: float32 `(genes, bins, marks)`, as measured.

    Returns:
        Seconds by label.
    """
    batch = signal[:_BATCH_SIZE]
    if isinstance(model, keras.Model):
        predictor = batch_predictor(model)
        first_s, batch_s = (_timed(predict_batches, predictor, batch, len(batch)) for _ in range(2))
        compile_s = max(first_s - batch_s, 0.0)
    else:
        compile_s, batch_s = 0.0, _timed(model, batch)
    _, num_bins, num_marks = signal.shape
    # A batch that is not full takes as long.
    num_batches = -(-len(signal) // len(batch))
    seconds = {}
    for label in labels:
        if label == "class_optimization":
            optimize_class(model, recipe=Recipe(steps=1))  # It compiles.
            tried_s = _timed(optimize_class, model, recipe=Recipe(steps=_TRIED_STEPS))
            seconds[label] = tried_s / _TRIED_STEPS * Recipe().steps
        else:
            method = method_of_label(label)
            # The model itself has been compiled by now; a gradient takes as much more to compile
            # as to compute.
            compilations = 0 if method.outputs else GRADIENT_PASSES if method.needs_gradient else 1
            passes = method.passes(num_bins, num_marks) * num_batches
            seconds[label] = compilations * compile_s + passes * batch_s
    return seconds


def estimate(labels: Iterable[str], model: Model, signal: np.ndarray) -> str:
    """What `estimated_s` says, in a line to print before the methods start."""
    seconds = estimated_s(labels, model, signal)
    of_methods = ", ".join(f"{label} {format_duration(s)}" for label, s in seconds.items())
    total = format_duration(sum(seconds.values()))
    num_genes = f"{len(signal):,} gene{'s' if len(signal) > 1 else ''}"
    return wrapped(f"{num_genes}, about {total}: {of_methods}")


def _timed(function: Callable[..., Any], *arguments: Any, **options: Any) -> float:
    started = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - started
