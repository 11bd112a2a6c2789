"""The convolutional variants against numpy, layer by layer."""

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax

from keras_chrome.models import build_model

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
SIGNAL = np.random.default_rng(1).poisson(3, (8, len(MARKS))).astype(np.float32)


def built(variant: str, **options: object) -> keras.Model:
    """A variant of eight bins that takes the signal as it is, with biases that are not zero."""
    model = build_model(variant, marks=MARKS, num_bins=8, transform="none", **options)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.4, w.shape) for w in model.get_weights()])
    return model


def convolved(steps: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """ReLU of a convolution of `(steps, channels)`, as many steps after as before."""
    width = len(kernel)
    before = (width - 1) // 2
    padded = np.pad(steps, ((before, width - 1 - before), (0, 0)))
    windows = [padded[t : t + width] for t in range(len(steps))]
    return np.maximum(np.einsum("twc,wcf->tf", windows, kernel) + bias, 0)


def attended(steps: np.ndarray, context: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of `(steps, units)` and the weights of its steps."""
    weights = softmax(steps @ context)
    return weights @ steps, weights


@pytest.mark.parametrize("filter_bins", [3, 4])
def test_cnn_attn_is_deep_chrome_with_attention_for_pooling(filter_bins: int) -> None:
    model = built("cnn_attn", filters=6, filter_bins=filter_bins, dense_units=(7, 4))
    kernel, bias, context, *dense = model.get_weights()
    assert kernel.shape == (filter_bins, 5, 6)
    hidden, alpha = attended(convolved(SIGNAL, kernel, bias), context)
    for weights, offset in zip(dense[:-2:2], dense[1:-2:2], strict=True):
        hidden = np.maximum(hidden @ weights + offset, 0)
    assert hidden.shape == (4,)
    answer = model(SIGNAL[np.newaxis])
    np.testing.assert_allclose(
        answer["probability"], expit(hidden @ dense[-2] + dense[-1]), rtol=1e-4
    )
    np.testing.assert_allclose(answer["alpha"][0], [alpha] * 5, rtol=1e-4)


@pytest.mark.parametrize(("width", "built_width"), [(None, 9), (3, 3)])
def test_cnn_alpha_beta_has_a_convolution_over_the_mark_embeddings(
    width: int | None, built_width: int
) -> None:
    model = built(
        "cnn_alpha_beta", filters=6, filter_bins=4, mark_filters=3, mark_filter_width=width
    )
    kernel, bias, contexts, mark_kernel, mark_bias, mark_context, *logit = model.get_weights()
    assert mark_kernel.shape == (built_width, 6, 3)
    marks = [
        attended(convolved(SIGNAL[:, [j]], kernel[:, [j]], bias[6 * j : 6 * j + 6]), contexts[j])
        for j in range(5)
    ]
    embeddings = np.array([embedding for embedding, _ in marks])
    gene, beta = attended(convolved(embeddings, mark_kernel, mark_bias), mark_context)
    answer = model(SIGNAL[np.newaxis])
    np.testing.assert_allclose(answer["probability"], expit(gene @ logit[0] + logit[1]), rtol=1e-4)
    np.testing.assert_allclose(answer["alpha"][0], [alpha for _, alpha in marks], rtol=1e-4)
    np.testing.assert_allclose(answer["beta"][0], beta, rtol=1e-4)


@pytest.mark.parametrize(
    ("variant", "layers", "dropout"),
    [
        # 50 filters of 10 bins over 5 marks; 18 pools of 50 to 625, 125 and the logit.
        ("deep_chrome", [2_550, 900 * 625 + 625, 625 * 125 + 125, 126], 0.5),
        # The same filters; their context vector; one embedding of 50 to 625, 125 and the logit.
        ("cnn_attn", [2_550, 50, 50 * 625 + 625, 625 * 125 + 125, 126], 0.5),
        # 50 filters of 10 bins and a context vector a mark; 50 filters of 9 marks; beta; logit.
        ("cnn_alpha_beta", [5 * 550, 5 * 50, 9 * 50 * 50 + 50, 50, 51], 0.0),
    ],
)
def test_sizes_unless_told_otherwise(variant: str, layers: list[int], dropout: float) -> None:
    model = build_model(variant, marks=MARKS)
    assert [n for layer in model.layers if (n := layer.count_params())] == layers
    rates = {layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {dropout}
