"""The published weights in our layout, against a forward pass written out in NumPy."""

import dataclasses

import numpy as np
import pytest

from keras_chrome.import_weights.attentive_chrome import PublishedWeights, attentive_chrome_arrays
from keras_chrome.import_weights.checkpoint import CheckpointError, read_state_dict


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _lstm(x, kernel, recurrent_kernel, bias):
    """A Keras LSTM over (batch, steps, inputs), with gates in the order i, f, c, o."""
    h = c = np.zeros((len(x), recurrent_kernel.shape[0]))
    outputs = []
    for step in range(x.shape[1]):
        gates = x[:, step] @ kernel + h @ recurrent_kernel + bias
        i, f, g, o = np.split(gates, 4, axis=-1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def _read(x, kernel, recurrent_kernel, bias, context):
    """Reads a sequence in both directions and attends to it: the summary and the weights."""
    forward = _lstm(x, kernel[0], recurrent_kernel[0], bias[0])
    reverse = _lstm(x[:, ::-1], kernel[1], recurrent_kernel[1], bias[1])[:, ::-1]
    h = np.concatenate([forward, reverse], axis=-1)
    score = np.exp(h @ context)
    weight = score / score.sum(axis=1, keepdims=True)
    return (weight[..., None] * h).sum(axis=1), weight


def _attentive_chrome(weights: PublishedWeights, signal: np.ndarray):
    """Logit (batch,), alpha (batch, marks, bins), beta (batch, marks) for (batch, bins, marks)."""
    embeddings, alphas = [], []
    for mark in range(weights.num_marks):
        embedding, alpha = _read(
            signal[:, :, mark, None],
            weights.bin_kernel[mark],
            weights.bin_recurrent_kernel[mark],
            weights.bin_bias[mark],
            weights.bin_context[mark],
        )
        embeddings.append(embedding)
        alphas.append(alpha)
    summary, beta = _read(
        np.stack(embeddings, axis=1),
        weights.mark_kernel,
        weights.mark_recurrent_kernel,
        weights.mark_bias,
        weights.mark_context,
    )
    logit = summary @ weights.output_kernel[:, 0] + weights.output_bias[0]
    return logit, np.stack(alphas, axis=1), beta


def _reader(rng, module: str, num_inputs: int, units: int) -> dict[str, np.ndarray]:
    shapes = {f"{module}.bin_attention.bin_context_vector": (2 * units, 1)}
    for end in ("l0", "l0_reverse"):
        shapes[f"{module}.rnn.weight_ih_{end}"] = (4 * units, num_inputs)
        shapes[f"{module}.rnn.weight_hh_{end}"] = (4 * units, units)
        shapes[f"{module}.rnn.bias_ih_{end}"] = (4 * units,)
        shapes[f"{module}.rnn.bias_hh_{end}"] = (4 * units,)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def _state_dict(num_marks: int = 5, bin_units: int = 3, mark_units: int = 2):
    rng = np.random.default_rng(0)
    state_dict = {}
    for mark in range(num_marks):
        state_dict |= _reader(rng, f"rnn_hms.{mark}", 1, bin_units)
    state_dict |= _reader(rng, "hm_level_rnn_1", 2 * bin_units, mark_units)
    state_dict["fdiff1_1.weight"] = rng.normal(size=(1, 2 * mark_units)).astype(np.float32)
    state_dict["fdiff1_1.bias"] = rng.normal(size=1).astype(np.float32)
    return state_dict


@pytest.mark.parametrize(
    ("num_marks", "bin_units", "mark_units"), [(5, 32, 16), (1, 3, 2), (12, 4, 5)]
)
def test_sizes_are_read_off_the_tensors(num_marks, bin_units, mark_units):
    weights = attentive_chrome_arrays(_state_dict(num_marks, bin_units, mark_units))
    assert (weights.num_marks, weights.bin_units, weights.mark_units) == (
        num_marks,
        bin_units,
        mark_units,
    )
    assert {name: array.shape for name, array in dataclasses.asdict(weights).items()} == {
        "bin_kernel": (num_marks, 2, 1, 4 * bin_units),
        "bin_recurrent_kernel": (num_marks, 2, bin_units, 4 * bin_units),
        "bin_bias": (num_marks, 2, 4 * bin_units),
        "bin_context": (num_marks, 2 * bin_units),
        "mark_kernel": (2, 2 * bin_units, 4 * mark_units),
        "mark_recurrent_kernel": (2, mark_units, 4 * mark_units),
        "mark_bias": (2, 4 * mark_units),
        "mark_context": (2 * mark_units,),
        "output_kernel": (2 * mark_units, 1),
        "output_bias": (1,),
    }


def test_marks_keep_their_numbers_and_biases_are_summed():
    state_dict = _state_dict(num_marks=11)
    weights = attentive_chrome_arrays(dict(reversed(state_dict.items())))
    np.testing.assert_array_equal(
        weights.bin_recurrent_kernel[10, 1], state_dict["rnn_hms.10.rnn.weight_hh_l0_reverse"].T
    )
    np.testing.assert_array_equal(
        weights.bin_bias[2, 0],
        state_dict["rnn_hms.2.rnn.bias_ih_l0"] + state_dict["rnn_hms.2.rnn.bias_hh_l0"],
    )


def test_arrays_are_float32_and_do_not_alias_the_state_dict():
    state_dict = {name: a.astype(np.float64) for name, a in _state_dict().items()}
    for tensors in (state_dict, _state_dict()):
        weights = attentive_chrome_arrays(tensors)
        for name, array in vars(weights).items():
            assert array.dtype == np.float32, name
            assert not any(np.shares_memory(array, tensor) for tensor in tensors.values()), name


def _without(name):
    return lambda tensors: tensors.pop(name)


def _with(name, array):
    return lambda tensors: tensors.update({name: array})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.clear(), r"tensor rnn_hms\.0\.rnn\.weight_hh_l0 of shape .* none"),
        (_without("fdiff1_1.bias"), r"Expected the 56 tensors.*: fdiff1_1\.bias \(1,\) is missing"),
        (_without("hm_level_rnn_1.rnn.weight_hh_l0"), r"tensor hm_level_rnn_1\.rnn\.weight_hh_l0"),
        (_with("rnn_hms.0.rnn.weight_ih_l1", np.ones(1)), "'rnn_hms.0.rnn.weight_ih_l1' is not"),
        (_with("a\nb", np.ones(1)), r"'a\\nb' is not known"),
        (_with("rnn_hms.7.rnn.bias_ih_l0", np.ones(12)), r"rnn_hms\.5\.\S+ \(6, 1\) is missing"),
        (_with("fdiff1_1.weight", np.ones((1, 6))), r"shape \(1, 6\) instead of \(1, 4\)"),
        (_with("fdiff1_1.weight", np.ones((1, 4), int)), "dtype int64 instead of floating point"),
        (_with("fdiff1_1.bias", np.array([np.nan])), "holds NaN or infinity"),
        (_with("rnn_hms.0.rnn.weight_hh_l0", np.ones((12, 4))), r"Received: shape=\(12, 4\)"),
        (_with("rnn_hms.0.rnn.weight_hh_l0", np.ones((0, 0))), r"Received: shape=\(0, 0\)"),
        (_with("rnn_hms.0.rnn.weight_hh_l0", np.ones((16, 4))), "; and .* more"),
    ],
)
def test_other_tensors_than_attentive_chrome_s_are_refused(change, message):
    tensors = _state_dict()
    change(tensors)
    with pytest.raises(CheckpointError, match=message) as caught:
        attentive_chrome_arrays(tensors)
    assert "\n" not in str(caught.value)


@pytest.mark.real_data
def test_the_published_weights_reproduce_pytorch_s_answers(real_data):
    state_dict = read_state_dict(real_data / "weights" / "E003_attchrome_avgAUC_model.pt")
    golden = np.load(real_data / "weights" / "E003_toy_golden.npz")
    weights = attentive_chrome_arrays(state_dict)
    logit, alpha, beta = _attentive_chrome(weights, golden["signal"])
    np.testing.assert_allclose(logit, golden["logit"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(alpha, golden["alpha"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(beta, golden["beta"], rtol=0, atol=1e-5)
