"""What any model says of versions of genes, on one scale."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import keras
import numpy as np
from scipy.special import expit
from tqdm import tqdm

from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import Model, logit_answer
from keras_chrome.models.prediction import check_finite
from keras_chrome.statistics.log_odds import log_odds


class Scores(NamedTuple):
    """What a model says of genes, before it is turned into a call.

    Attributes:
        probability: float64 `(genes,)`, of high expression.
        logit: float64 `(genes,)`: a network's own; of another model, which has none, the
            `log_odds` of its probability; of regression the expression.
    """

    probability: np.ndarray
    logit: np.ndarray


def model_scores(
    model: Model,
    versions: Iterable[np.ndarray],
    *,
    num_versions: int,
    title: str,
    batch_size: int = 512,
) -> Iterator[Scores]:
    """Score all genes, once for each version of their signal.

    Args:
        model: From `keras_chrome.load_model`, a network or a baseline; or any function from
            signal to a dict with `probability` `(genes,)`.
        versions: As of `answers_in_batches`, as are the others.
        num_versions: Likewise.
        title: Likewise.
        batch_size: Likewise; a baseline answers all genes at once.

    Raises:
        InputError: If a score is not finite.
    """
    if isinstance(model, keras.Model):
        for answers in answers_in_batches(
            logit_answer(model),
            versions,
            num_versions=num_versions,
            batch_size=batch_size,
            title=title,
        ):
            logits = answers["logit"][:, 0].astype(np.float64)
            yield Scores(expit(logits), logits)
        return
    for version in tqdm(versions, title, num_versions, disable=None):
        answers = model(version)
        check_finite(answers, version)
        if "expression" in answers:  # of regression, which has it in the place of the logit
            scores = np.asarray(answers["expression"], np.float64)
            yield Scores(expit(scores), scores)
        else:
            probability = np.asarray(answers["probability"], np.float64)
            yield Scores(probability, log_odds(probability))
