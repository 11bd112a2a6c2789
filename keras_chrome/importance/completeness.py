"""Whether an importance in logit adds up to the logit."""

from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import ArrayLike

from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import logit_answer


class Completeness(NamedTuple):
    """How near the importance of each gene comes to what it should add up to.

    Attributes:
        attributed: Sum of the importance, float32 `(genes,)`.
        difference: Logit less that of the baseline, float32 `(genes,)`.
    """

    attributed: np.ndarray
    difference: np.ndarray

    @property
    def total_error(self) -> float:
        """The errors of all genes together, as a share of their differences together."""
        error = np.abs(self.attributed - self.difference)
        return float(error.sum() / np.abs(self.difference).sum())


def completeness(
    model: keras.Model,
    signal: np.ndarray,
    importance: np.ndarray,
    baselines: ArrayLike = 0.0,
    *,
    batch_size: int = 512,
) -> Completeness:
    """Compare the sums of integrated or expected gradients with the logits.

    Args:
        model: The model that `importance` is of.
        signal: The signal that it is of, float32 `(genes, bins, marks)`, as measured.
        importance: Of `integrated_gradients` or `expected_gradients`, same shape.
        baselines: The `baseline` of the one or the `baselines` of the other.
        batch_size: Genes a batch.
    """
    baselines = np.asarray(baselines, np.float32)
    if baselines.ndim < 3:
        baselines = np.broadcast_to(baselines, (1, *signal.shape[1:]))
    both = np.concatenate([signal, baselines])
    (answers,) = answers_in_batches(
        logit_answer(model), [both], batch_size=batch_size, title="completeness"
    )
    logit, baseline_logit = np.split(answers["logit"][:, 0], [len(signal)])
    return Completeness(importance.sum(axis=(1, 2)), logit - baseline_logit.mean())
