"""What becomes of a prediction when the bins that a method points at go first, or come first."""

from typing import NamedTuple

import keras
import numpy as np
from scipy.integrate import trapezoid

from keras_chrome.importance.batches import answers_in_batches

FRACTIONS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
"""Shares of all bins of all marks of a gene."""


class Curves(NamedTuple):
    """Probabilities of high expression while a gene's bins go or come.

    Attributes:
        deletion: float32 `(fractions, genes)`: with the foremost bins emptied.
        insertion: float32 `(fractions, genes)`: with the foremost bins only.
    """

    deletion: np.ndarray
    insertion: np.ndarray

    def areas(self) -> tuple[np.ndarray, np.ndarray]:
        """The mean probability along either curve, `(genes,)`."""
        deletion, insertion = (trapezoid(curve, FRACTIONS, axis=0) for curve in self)
        return deletion, insertion


def deletion_curves(
    model: keras.Model,
    signal: np.ndarray,
    importance: np.ndarray,
    *,
    seed: int = 0,
    batch_size: int = 512,
) -> Curves:
    """Empty a gene's bins, or fill an empty gene, in the order of their importance.

    An emptied bin has no reads, which is common in the data, too.

    Args:
        model: From `keras_chrome.load_model`, a network.
        signal: float32 `(genes, bins, marks)`, as measured.
        importance: Likewise; bins of all marks are ordered together, the greatest first.
        seed: Seeds the order of bins that are equally important.
        batch_size: Genes a batch; the result does not depend on it.

    Reference: Samek et al., Evaluating the visualization of what a deep neural network has
    learned, 2016; Petsiuk et al., RISE, BMVC 2018.
    """
    num_places = int(np.prod(signal.shape[1:]))
    rank = _ranks(importance, seed).reshape(signal.shape)
    counts = [round(fraction * num_places) for fraction in FRACTIONS]
    versions = [(count, is_kept) for is_kept in (False, True) for count in counts]
    answers = answers_in_batches(
        model,
        (np.where((rank < count) == is_kept, signal, 0) for count, is_kept in versions),
        num_versions=len(versions),
        batch_size=batch_size,
        title="deletion and insertion",
    )
    probability = np.stack([answer["probability"] for answer in answers])
    return Curves(*np.split(probability, 2))


def _ranks(importance: np.ndarray, seed: int) -> np.ndarray:
    """The rank of each place of each gene, 0 for the most important, `(genes, places)`."""
    flat = importance.reshape(len(importance), -1)
    # The same for every method: where two agree, so do their curves.
    tie_break = np.broadcast_to(np.random.default_rng(seed).random(flat.shape[1]), flat.shape)
    order = np.lexsort((tie_break, -flat))
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(flat.shape[1])[np.newaxis], axis=1)
    return rank
