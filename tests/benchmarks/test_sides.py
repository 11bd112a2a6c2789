"""The sides compute the same: a comparison of their speed is one of the same model."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome import load_model
from keras_chrome.import_weights import ImportConfig, import_weights
from keras_chrome.import_weights.attentive_chrome import PublishedWeights, attentive_chrome_arrays
from keras_chrome.models import logit_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install '.[bench]'")

from pytorch_models import OneRecurrence, ReferenceDesign  # noqa: E402
from pytorch_sides import to_arrays  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    # PyTorch looks for a GPU before its first gradient, and warns where there is none to be had.
    pytest.mark.filterwarnings("ignore:CUDA initialization:UserWarning"),
]

GENES, BINS, MARKS = 6, 20, ("H3K27me3", "H3K4me1", "H3K4me3")
# Where a layer keeps which of the weights.
LAYERS = {
    "bin_encoder": ("bin_kernel", "bin_recurrent_kernel", "bin_bias", "bin_context"),
    "mark_lstm": ("mark_kernel", "mark_recurrent_kernel", "mark_bias"),
    "mark_attention": ("mark_context",),
    "logit": ("output_kernel", "output_bias"),
}


@pytest.fixture(scope="module")
def signal() -> np.ndarray:
    return np.random.default_rng(0).poisson(2, (GENES, BINS, len(MARKS))).astype(np.float32)


@pytest.fixture(scope="module")
def reference() -> ReferenceDesign:
    torch.manual_seed(0)
    model = ReferenceDesign(len(MARKS))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)  # Attention as drawn is nearly even, and would hide a mistake.
    return model


@pytest.fixture(scope="module")
def weights(reference: ReferenceDesign) -> PublishedWeights:
    return attentive_chrome_arrays(to_arrays(reference))


@pytest.fixture(scope="module")
def ours(reference: ReferenceDesign, tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    path: Path = tmp_path_factory.mktemp("imported")
    torch.save(reference.state_dict(), path / "reference.pt")
    config = ImportConfig(run_dir=str(path / "run"), marks=MARKS, num_bins=BINS)
    import_weights(path / "reference.pt", config)
    return load_model(path / "run")


def test_one_recurrence_answers_as_the_reference(reference, weights, signal) -> None:
    one_recurrence = OneRecurrence.of(reference, weights)
    batch = torch.from_numpy(signal)
    with torch.no_grad():
        for got, expected in zip(one_recurrence(batch), reference(batch), strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


def test_keras_chrome_answers_as_the_reference(ours, reference, signal) -> None:
    with torch.no_grad():
        logit, alpha, beta = (answer.numpy() for answer in reference(torch.from_numpy(signal)))
    answers = ours(signal)
    np.testing.assert_allclose(logit_model(ours)(signal)[:, 0], logit, rtol=0, atol=1e-5)
    np.testing.assert_allclose(answers["alpha"], alpha, rtol=0, atol=1e-5)
    np.testing.assert_allclose(answers["beta"], beta, rtol=0, atol=1e-5)
    assert np.ptp(logit) > 0.01


def test_gradients_are_those_of_the_reference(ours, reference, signal) -> None:
    label = np.arange(GENES, dtype=np.float32) % 2
    reference.zero_grad()
    logit, *_ = reference(torch.from_numpy(signal))
    torch.nn.functional.binary_cross_entropy_with_logits(logit, torch.from_numpy(label)).backward()
    # PyTorch adds two biases, of the same gradient; their sum is ours twice.
    expected = dataclasses.asdict(
        attentive_chrome_arrays({n: p.grad.numpy() for n, p in reference.named_parameters()})
    )
    expected = {n: g / 2 if n in ("bin_bias", "mark_bias") else g for n, g in expected.items()}

    with tf.GradientTape() as tape:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(
            label[:, None], logit_model(ours)(signal, training=True)
        )
        loss = tf.reduce_mean(loss)
    layers = {
        layer: [variable.value for variable in ours.get_layer(layer).trainable_variables]
        for layer in LAYERS
    }
    for layer, gradients in tape.gradient(loss, layers).items():
        for name, gradient in zip(LAYERS[layer], gradients, strict=True):
            got = np.reshape(gradient, expected[name].shape)
            atol = 1e-4 * np.abs(expected[name]).max()
            np.testing.assert_allclose(got, expected[name], rtol=0, atol=atol, err_msg=name)
