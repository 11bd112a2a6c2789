"""Attention pooling by hand."""

import numpy as np
import pytest

from keras_chrome.layers import AttentionPooling


def test_weights_and_sums_by_hand() -> None:
    layer = AttentionPooling()
    # One gene, two marks, two units; exp(score) is 1 and 3, so the weights are 1/4 and 3/4.
    hidden = np.array([[[0.0, 5.0], [np.log(3.0), 1.0]]], np.float32)
    layer.build(hidden.shape)
    layer.set_weights([np.array([1.0, 0.0])])
    gene_embedding, beta = layer(hidden)
    np.testing.assert_allclose(beta, [[0.25, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(gene_embedding, [[0.75 * np.log(3.0), 2.0]], rtol=1e-6)


def test_each_mark_has_its_own_context_vector() -> None:
    layer = AttentionPooling()
    hidden = np.random.default_rng(0).normal(size=(3, 8, 5, 4)).astype(np.float32)
    embeddings, alpha = layer(hidden)
    (context,) = layer.get_weights()
    assert context.shape == (5, 4)
    assert embeddings.shape == (3, 5, 4)
    assert alpha.shape == (3, 5, 8)
    scores = np.exp(hidden[1, :, 2] @ context[2])
    np.testing.assert_allclose(alpha[1, 2], scores / scores.sum(), rtol=1e-5)
    np.testing.assert_allclose(
        embeddings[1, 2], (scores / scores.sum()) @ hidden[1, :, 2], rtol=1e-4, atol=1e-6
    )


def test_weights_sum_to_one_in_float32_under_mixed_precision() -> None:
    layer = AttentionPooling(dtype="mixed_float16")
    hidden = 30 * np.random.default_rng(0).normal(size=(4, 100, 5, 64)).astype(np.float16)
    _, alpha = layer(hidden)
    assert alpha.dtype == "float32"
    np.testing.assert_allclose(np.sum(alpha, axis=-1), 1.0, rtol=1e-5)


def test_other_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match=r"input_shape=\(2, 3\)"):
        AttentionPooling().build((2, 3))
