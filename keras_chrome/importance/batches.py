"""Several versions of many genes, through one compiled function, with one progress bar."""

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from keras_chrome.errors import InputError
from keras_chrome.models.prediction import batch_predictor, predict_batches


def answers_in_batches(
    function: Callable[..., dict[str, tf.Tensor]],
    versions: Iterable[np.ndarray],
    *,
    num_versions: int = 1,
    batch_size: int,
    title: str,
) -> Iterator[dict[str, np.ndarray]]:
    """Apply a function of a batch to all genes, once for each version of their signal.

    It is compiled once, and runs as `keras_chrome.models.prediction` runs a model. A terminal sees
    a progress bar.

    Args:
        function: A Keras model that answers a dict, or what is called like one.
        versions: Arrays `(genes, bins, marks)` of one shape, taken one at a time.
        num_versions: How many they are.
        batch_size: Genes a batch; the answers do not depend on it.
        title: What the progress bar says.

    Yields:
        The answers to a version, each `(genes, ...)`.

    Raises:
        InputError: If there is no gene.
    """
    predictor = batch_predictor(function)
    with tqdm(desc=title, unit="batch", disable=None) as bar:

        def counted(batch: tf.Tensor) -> dict[str, tf.Tensor]:
            answers = predictor(batch)
            bar.update()
            return answers

        for version in versions:
            if not len(version):
                raise InputError(f"Expected one gene or more. Received: shape={version.shape}")
            bar.total = num_versions * math.ceil(len(version) / batch_size)
            yield predict_batches(counted, np.asarray(version, np.float32), batch_size)
