"""Expected gradients: integrated gradients from many genes instead of one baseline."""

import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import (
    Model,
    logit_gradient,
    require_network,
    to_measured,
    to_transformed,
    to_transformed_gradient,
)


def expected_gradients(
    model: Model,
    signal: np.ndarray,
    *,
    baselines: np.ndarray,
    draws: int = 100,
    seed: int = 0,
    batch_size: int = 512,
) -> np.ndarray:
    """What each bin adds to the logit, compared with genes at large.

    Integrated gradients ask what the signal adds to an empty region, which no model was trained
    on. Here each draw takes one of the `baselines` and one point on the way from it to the gene,
    straight in the scale that the network computes in, see `integrated_gradients`.

    Args:
        model: From `keras_chrome.load_model`; a baseline model has no gradient.
        signal: float32 `(genes, bins, marks)`, as measured.
        baselines: Training genes, float32 `(others, bins, marks)`, as measured.
        draws: Points to average over, for each gene its own. They lie one in each of as many equal
            parts of the way, which makes the error smaller than points anywhere on it.
        seed: Seeds the draws.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        float32 `(genes, bins, marks)`, in logit. A gene's sum is, but for the error of the draws,
        its logit less the mean logit of the baselines.

    Raises:
        InputError: If the model is a baseline, or there is no draw or no other gene.

    Reference: Erion et al., Improving performance of deep learning models with axiomatic
    attribution priors and expected gradients, Nature Machine Intelligence 2021.
    """
    require_network(model, "expected_gradients")
    if draws < 1 or not len(baselines):
        raise InputError(
            "Expected at least one draw and one baseline gene. Received: "
            f"draws={draws}, baselines of shape {baselines.shape}"
        )
    starts = to_transformed(model, baselines)
    end = to_transformed(model, signal)

    def way_and_point(draw: int) -> tuple[np.ndarray, np.ndarray]:
        generator = np.random.default_rng([seed, draw])
        start = starts[generator.integers(len(starts), size=len(end))]
        part = (draw + generator.random((len(end), 1, 1), np.float32)) / draws
        way = end - start
        return way, start + part * way

    mean = np.zeros(signal.shape, np.float32)
    gradients = answers_in_batches(
        logit_gradient(model),
        (to_measured(model, way_and_point(draw)[1]) for draw in range(draws)),
        num_versions=draws,
        batch_size=batch_size,
        title="expected_gradients",
    )
    for draw, answers in enumerate(gradients):
        way, point = way_and_point(draw)
        gradient = to_transformed_gradient(model, answers["gradient"], to_measured(model, point))
        mean += way * gradient / draws
    return mean
