"""An ensemble with baselines among its members."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_chrome.models.registry import logit_output
from keras_chrome.models.task import task_of

if TYPE_CHECKING:
    import keras

    from keras_chrome.baselines import Baseline


class MixedEnsemble:
    """Networks and baselines that answer together as baselines do: without a gradient.

    Args:
        members: From `keras_chrome.load_model`.
        weights: Not negative, one a member; they sum to one.
    """

    def __init__(self, members: Sequence[keras.Model | Baseline], weights: Sequence[float]) -> None:
        self.members = tuple(members)
        self.weights = tuple(weights)

    def __call__(self, signal: np.ndarray) -> dict[str, np.ndarray]:
        """Predict genes.

        Args:
            signal: Float `(genes, bins, marks)`, as measured.

        Returns:
            What `combined` makes of the members' answers, float32; alpha and beta are the
            networks', if they have them.

        Raises:
            InputError: If a member's answer is not finite, or a baseline refuses the signal.
        """
        from keras_chrome.models.ensemble import combined

        answers = [member_answers(member, signal) for member in self.members]
        together = combined(answers, self.weights)
        return {name: np.asarray(values) for name, values in together.items()}


def member_answers(model: keras.Model | Baseline, signal: np.ndarray) -> dict[str, np.ndarray]:
    """What a model answers of genes, on the scale on which an ensemble averages.

    Args:
        model: From `keras_chrome.load_model`, a network or a baseline.
        signal: Float `(genes, bins, marks)`, as measured.

    Returns:
        `logit` `(genes, 1)`, a network's own or the `log_odds` of a baseline's probability, of
        regression its expression, and all that the model answers itself.

    Raises:
        InputError: As calling a `MixedEnsemble` does.
    """
    import keras

    from keras_chrome.models.prediction import answer_all

    if isinstance(model, keras.Model):
        return answer_all(_with_logit(model), signal)
    answers = answer_all(model, signal)
    task = task_of(answers)
    return {"logit": task.logit_of(answers[task.output])[:, np.newaxis], **answers}


# What is asked of a member again is the same object, so that it is compiled once.
@functools.lru_cache(maxsize=16)
def _with_logit(model: keras.Model) -> keras.Model:
    """The same layers and weights, which answer `logit` `(batch, 1)` beside the rest."""
    import keras

    return keras.Model(model.input, {"logit": logit_output(model), **model.output})
