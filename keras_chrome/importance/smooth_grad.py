"""SmoothGrad: saliency averaged over noisy copies of the signal."""

from collections.abc import Iterator

import numpy as np

from keras_chrome.errors import InputError
from keras_chrome.importance.batches import answers_in_batches
from keras_chrome.importance.network import (
    Model,
    gradient_with_respect_to,
    require_network,
    to_measured,
    to_transformed,
)
from keras_chrome.importance.registry import check_wrt
from keras_chrome.importance.saliency import visualized_gradient


def smooth_grad(
    model: Model,
    signal: np.ndarray,
    *,
    wrt: str = "signal",
    samples: int = 25,
    noise: float = 0.2,
    signed: bool = False,
    seed: int = 0,
    batch_size: int = 512,
) -> np.ndarray:
    """Saliency without the jitter of a single gradient. Needs the extra `explain`.

    tf-keras-vis takes the gradients; the noise is ours, for two reasons. It would draw a batch's
    noise from NumPy's global state, and a gene's result would depend on the batch it is in. And it
    would add the noise to the signal as measured, where it makes reads negative, of which there is
    no logarithm: where the model takes log(1 + signal), we add it to that. A noisy log(1 + signal)
    may be negative; with respect to the signal, the gradient there is larger than anywhere a
    signal can be.

    Args:
        model: From `keras_chrome.load_model`; a baseline has no gradient.
        signal: float32 `(genes, bins, marks)`, as measured.
        wrt: With respect to what, as for `saliency`; with `"transformed"` the gradient at each
            noisy copy is that with respect to the copy's own log(1 + signal).
        samples: Noisy copies to average over.
        noise: Standard deviation of the noise, as a share of the gene's range (greatest less
            smallest value over bins and marks).
        signed: Whether to keep the sign of the average.
        seed: Seeds the noise.
        batch_size: Genes a batch; the result does not depend on it.

    Returns:
        Magnitude of the average gradient, or that average itself if `signed`, float32
        `(genes, bins, marks)`, in the units of `saliency`.

    Raises:
        InputError: If the model is a baseline, `wrt` is unknown, or there is no sample.

    Reference: Smilkov et al., SmoothGrad: removing noise by adding noise, 2017.
    """
    network = require_network(model, "smooth_grad")
    check_wrt(wrt)
    if samples < 1:
        raise InputError(f"Expected at least 1. Received: samples={samples}")
    transformed = to_transformed(network, signal)
    deviation = noise * np.ptp(transformed, axis=(1, 2), keepdims=True)

    def noisy() -> Iterator[np.ndarray]:
        generator = np.random.default_rng(seed)
        for _ in range(samples):
            draws = generator.standard_normal(signal.shape, np.float32)
            yield to_measured(network, transformed + deviation * draws)

    mean = np.zeros(signal.shape, np.float32)
    answers_in_turn = answers_in_batches(
        visualized_gradient(network),
        noisy(),
        num_versions=samples,
        batch_size=batch_size,
        title="smooth_grad",
    )
    for answers, copy in zip(answers_in_turn, noisy(), strict=True):
        mean += gradient_with_respect_to(wrt, network, answers["gradient"], copy) / samples
    return mean if signed else np.abs(mean)
