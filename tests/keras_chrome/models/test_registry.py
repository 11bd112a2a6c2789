"""What every variant must do."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_chrome.errors import InputError
from keras_chrome.models import VARIANTS, build_model, logit_model

MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
# A row a variant: options that make it tiny.
TINY: dict[str, dict[str, object]] = {
    "attentive_chrome": {"bin_units": 4, "mark_units": 3},
    "lstm_alpha": {"bin_units": 4, "mlp_units": 16},
    "lstm_attn": {"bin_units": 4},
    "lstm": {"bin_units": 4},
    "deep_chrome": {"filters": 8, "filter_bins": 3, "pool_bins": 2, "dense_units": (16, 16)},
    "cnn_attn": {"filters": 8, "filter_bins": 3, "dense_units": (16, 16)},
    "cnn_alpha_beta": {"filters": 8, "filter_bins": 3, "mark_filters": 16},
    "context_chrome": {"units": 8, "context_units": 6, "filter_bins": 3, "heads": 2},
    "additive_chrome": {"units": 8, "context_units": 6, "filter_bins": 3, "heads": 2},
}
OPTIONS: list[dict[str, object]] = [{}, {"transform": "none", "dropout": 0.3}]


@pytest.fixture(params=sorted(VARIANTS))
def variant(request: pytest.FixtureRequest) -> str:
    return request.param


def tiny(variant: str, marks: tuple[str, ...] = MARKS, **options: object) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(variant, marks=marks, num_bins=8, **TINY[variant], **options)


def random_signal(genes: int, marks: int = 5) -> np.ndarray:
    return np.random.default_rng(1).poisson(3, (genes, 8, marks)).astype(np.float32)


@pytest.mark.parametrize("marks", [MARKS[:1], MARKS[:3], MARKS])
def test_shapes_and_ranges(variant: str, marks: tuple[str, ...]) -> None:
    answer = tiny(variant, marks)(random_signal(6, len(marks)))
    probability = answer["probability"].numpy()
    assert probability.shape == (6,)
    assert probability.dtype == np.float32
    assert ((probability > 0) & (probability < 1)).all()
    for name, shape in (("alpha", (6, len(marks), 8)), ("beta", (6, len(marks)))):
        if name in answer:
            assert answer[name].shape == shape
            np.testing.assert_allclose(np.sum(answer[name], axis=-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("options", OPTIONS)
def test_config_and_keras_file_round_trip(
    variant: str, options: dict[str, object], tmp_path: Path
) -> None:
    model = tiny(variant, **options)
    signal = random_signal(5)
    clone = keras.Model.from_config(model.get_config())
    clone.set_weights(model.get_weights())
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    expected = model(signal)
    for answer in (clone(signal), loaded(signal)):
        for name, values in expected.items():
            np.testing.assert_allclose(answer[name], values, atol=1e-6)
    assert loaded.get_layer("signal_transform").marks == MARKS


def test_a_gene_does_not_depend_on_its_batch(variant: str) -> None:
    model = tiny(variant)
    signal = random_signal(7)
    alone = [model(signal[i : i + 1]) for i in range(7)]
    for name, values in model(signal).items():
        np.testing.assert_allclose(np.concatenate([a[name] for a in alone]), values, atol=1e-6)


def test_overfits_32_genes(variant: str) -> None:
    model = tiny(variant, dropout=0.0)
    signal = random_signal(32)
    label = np.random.default_rng(2).integers(0, 2, (32, 1)).astype(np.float32)
    trainee, loss_of = logit_model(model), keras.losses.BinaryCrossentropy(from_logits=True)
    weights, optimizer = trainee.trainable_variables, keras.optimizers.Adam(0.02)
    optimizer.build(weights)

    # As in `fit`: XLA for the gradients, without the optimizer.
    @tf.function(jit_compile=True, autograph=False)
    def gradients() -> tuple[list[tf.Tensor], tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = loss_of(label, trainee(signal, training=True))
        is_high = trainee(signal, training=False) > 0
        return tape.gradient(loss, weights), tf.reduce_all(is_high == (label > 0.5))

    @tf.function(autograph=False)
    def apply(of_weights: list[tf.Tensor]) -> None:
        optimizer.apply(of_weights, weights)

    for _ in range(400):
        of_weights, is_right = gradients()
        if is_right:
            break
        apply(of_weights)
    probability = model(signal)["probability"].numpy()
    assert ((probability > 0.5) == label[:, 0]).all()


def test_logit_is_that_of_the_probability(variant: str) -> None:
    model = tiny(variant)
    signal = random_signal(5)
    logit = logit_model(model)(signal)
    np.testing.assert_allclose(model(signal)["probability"], tf.sigmoid(logit)[:, 0], atol=1e-6)


@pytest.mark.parametrize(("policy", "atol"), [("mixed_float16", 5e-3), ("mixed_bfloat16", 4e-2)])
def test_all_outputs_are_float32_under_mixed_precision(
    variant: str, policy: str, atol: float
) -> None:
    model = tiny(variant)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        half = tiny(variant)
    finally:
        keras.config.set_dtype_policy(before)
    assert {output.dtype for output in half.output.values()} == {"float32"}
    half.set_weights(model.get_weights())
    signal = random_signal(5)
    expected = model(signal)
    for name, values in half(signal).items():
        assert values.dtype == tf.float32
        np.testing.assert_allclose(values, expected[name], atol=atol)


@pytest.mark.parametrize("variant", ["attentive_chrome", "lstm_alpha"])
def test_shared_mark_weights_are_one_set(variant: str) -> None:
    separate, shared = (tiny(variant, mark_weights=w) for w in ("separate", "shared"))
    for weight in ("kernel", "recurrent_kernel", "bias"):
        shapes = [
            getattr(m.get_layer("bin_encoder").lstm, weight).shape for m in (separate, shared)
        ]
        assert shapes[0] == (5, *shapes[1][1:])
        assert shapes[1][0] == 1


def test_an_lstm_reads_its_own_mark_or_all() -> None:
    signal = random_signal(3)
    other = signal.copy()
    other[:, :, 1] += 2  # of the second mark alone
    for lstm_reads, is_unmoved in (("own", True), ("all", False)):
        model = tiny("attentive_chrome", lstm_reads=lstm_reads)
        alpha, moved = (np.asarray(model(s)["alpha"])[:, 0] for s in (signal, other))
        assert np.array_equal(alpha, moved) == is_unmoved


def test_marks_that_share_an_lstm_cannot_each_read_all() -> None:
    with pytest.raises(InputError, match="mark_weights='shared', lstm_reads='all'"):
        tiny("attentive_chrome", mark_weights="shared", lstm_reads="all")


def test_an_option_of_another_variant_is_refused() -> None:
    with pytest.raises(InputError, match=r"options of lstm \(bin_units, .*mark_weights='shared'"):
        build_model("lstm", marks=MARKS, mark_weights="shared")


def test_unknown_variant_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"attentive_chrome.*model='deepchrome9'"):
        build_model("deepchrome9", marks=MARKS)


def test_paper_sizes_have_the_published_number_of_parameters() -> None:
    # The published checkpoint counts two biases an LSTM where Keras has one: 55,681 tensors'
    # elements less 5 x 2 x 128 at bin level and 2 x 64 at mark level.
    model = build_model("attentive_chrome", marks=MARKS)
    assert model.count_params() == 55_681 - 5 * 2 * 128 - 2 * 64
