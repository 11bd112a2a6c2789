"""Occlusion: what the answer loses when part of the signal is taken away."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from keras_chrome.errors import InputError
from keras_chrome.importance.network import Model
from keras_chrome.importance.scores import model_scores


def occlusion(
    model: Model,
    signal: np.ndarray,
    *,
    window_bins: int = 1,
    stride_bins: int | None = None,
    marks_together: bool = False,
    value: ArrayLike | Literal["mean"] = 0.0,
    batch_size: int = 512,
) -> np.ndarray:
    """Take a window of bins away, see how far the logit falls, and go on to the next.

    It needs no gradient, so every model has it, and it asks a question that can be put to the
    experiment: what if this mark were not there? It takes a prediction of all genes for each
    window and mark.

    Args:
        model: From `keras_chrome.load_model`, a network or a baseline; or any function from
            signal to a dict with `probability` `(genes,)`.
        signal: float32 `(genes, bins, marks)`, as measured.
        window_bins: Width of a window.
        stride_bins: From one window to the next; the window's width if None. The last window ends
            with the region.
        marks_together: Whether to occlude all marks at once, instead of one at a time; they then
            all have the same importance.
        value: Signal to occlude with, as measured: a number, one a mark, or `"mean"`, the mean of
            each mark over these genes and bins.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        float32 `(genes, bins, marks)`: how much the logit falls when the bin's window is occluded;
        the mean over its windows if they overlap. Negative where the signal speaks for low
        expression. What is the logit of a baseline, `Scores` says.

    Raises:
        InputError: If the windows do not fit the region or leave bins out.

    Reference: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014,
    section 4.2.
    """
    _, num_bins, num_marks = signal.shape
    stride_bins = window_bins if stride_bins is None else stride_bins
    if not 1 <= stride_bins <= window_bins <= num_bins:
        raise InputError(
            f"Expected 1 <= stride_bins <= window_bins <= {num_bins}, the bins of a region. "
            f"Received: window_bins={window_bins}, stride_bins={stride_bins}"
        )
    last = num_bins - window_bins
    windows = [slice(s, s + window_bins) for s in sorted({*range(0, last, stride_bins), last})]
    marks = [slice(None)] if marks_together else [slice(m, m + 1) for m in range(num_marks)]
    places = [(slice(None), window, mark) for window in windows for mark in marks]
    fill = signal.mean(axis=(0, 1)) if isinstance(value, str) else value
    fill = np.broadcast_to(np.asarray(fill, np.float32), (num_marks,))

    def versions() -> Iterator[np.ndarray]:
        yield signal
        for place in places:
            occluded = signal.copy()
            occluded[place] = fill[place[-1]]
            yield occluded

    scores = model_scores(
        model,
        versions(),
        num_versions=1 + len(places),
        title="occlusion",
        batch_size=batch_size,
    )
    whole = next(scores).logit
    fall = np.zeros(signal.shape, np.float32)
    times = np.zeros((num_bins, num_marks), np.float32)
    for place, score in zip(places, scores, strict=True):
        fall[place] += (whole - score.logit)[:, np.newaxis, np.newaxis]
        times[place[1:]] += 1
    return fall / times


def mark_occlusion(
    model: Model,
    signal: np.ndarray,
    *,
    value: ArrayLike | Literal["mean"] = 0.0,
    batch_size: int = 512,
) -> np.ndarray:
    """Take each mark away altogether: `occlusion` whose window is the region.

    Returns:
        float32 `(genes, bins, marks)`, the same in all bins of a mark.
    """
    return occlusion(model, signal, window_bins=signal.shape[1], value=value, batch_size=batch_size)
