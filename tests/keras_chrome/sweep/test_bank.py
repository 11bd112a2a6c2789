"""Models trained in a bank against the same models trained alone."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from keras_chrome.errors import InputError
from keras_chrome.fit.recipes import Recipe
from keras_chrome.fit.trainer import compiled_trainer
from keras_chrome.models import build_model, logit_model
from keras_chrome.models.registry import BANKS, build_bank
from keras_chrome.sweep.bank import Bank

MARKS, BINS, BATCH, STEPS = 3, 8, 4, 90
PLAIN = Recipe(epochs=1, batch_size=BATCH, learning_rate=2e-3, clip_norm=0.05)
RICH = dataclasses.replace(
    PLAIN, weight_decay=0.5, schedule="one_cycle", warmup=0.3, ema=0.9, learning_rate=5e-3
)


def untrained(variant: str, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    names = [f"mark {i}" for i in range(MARKS)]
    return build_model(variant, marks=names, num_bins=BINS, transform="none", bin_units=4)


def genes(seed: int, num_genes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=(num_genes, BINS, MARKS)).astype(np.float32)
    return signal, expit(10 * signal[:, :, 0].mean(axis=1)).astype(np.float32)


class TrainedAlone:
    """Trains one model after the other as `fit` does, compiled once for all of them."""

    def __init__(self, variant: str, recipe: Recipe) -> None:
        self.model = untrained(variant, seed=0)
        self.trainer = compiled_trainer(logit_model(self.model), recipe, steps=STEPS)

    def loss(
        self, weights: list[np.ndarray], signal: np.ndarray, target: np.ndarray, rows: np.ndarray
    ) -> float:
        """Train from these weights; the mean loss."""
        self.model.set_weights(weights)
        for variable in self.trainer.optimizer.variables:
            if variable.path.rsplit("/")[-1] != "learning_rate":
                variable.assign(np.zeros(variable.shape, variable.dtype))
        batches = tf.data.Dataset.from_tensor_slices((signal[rows], target[rows][..., np.newaxis]))
        return self.trainer.fit(batches, verbose=0, shuffle=False).history["loss"][0]


@pytest.mark.parametrize("variant", sorted(BANKS))
def test_a_bank_answers_as_its_models(variant: str) -> None:
    models = [untrained(variant, seed) for seed in range(3)]
    bank = build_bank(variant, 3, num_marks=MARKS, num_bins=BINS, bin_units=4)
    of_models = zip(*(model.get_weights() for model in models), strict=True)
    bank.set_weights(
        [np.stack(w).reshape(v.shape) for w, v in zip(of_models, bank.weights, strict=True)]
    )
    signals = np.stack([genes(seed, 5)[0] for seed in range(3)])
    side_by_side = signals.transpose(1, 2, 0, 3).reshape(5, BINS, 3 * MARKS)
    expected = [logit_model(m)(s)[:, 0] for m, s in zip(models, signals, strict=True)]
    np.testing.assert_allclose(bank(side_by_side), np.transpose(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "recipe"),
    [
        ("lstm_attn", PLAIN),
        ("lstm_attn", RICH),
        pytest.param("attentive_chrome", RICH, marks=pytest.mark.slow),
    ],
    ids=["plain", "rich", "attentive_chrome"],
)
def test_each_model_trains_as_if_alone(variant: str, recipe: Recipe) -> None:
    sizes = (12, 30, 21)  # training genes of each model
    rng = np.random.default_rng(0)
    bank = Bank(
        variant,
        3,
        num_marks=MARKS,
        num_bins=BINS,
        num_train=max(sizes),
        num_valid=9,
        recipe=recipe,
        options={"bin_units": 4},
    )
    rows = np.stack([rng.integers(0, size, (STEPS, BATCH)) for size in sizes], axis=1)
    valid_signal, _ = genes(9, 9)
    alone = TrainedAlone(variant, recipe)
    models = []
    for place, size in enumerate(sizes):
        before = untrained(variant, seed=place).get_weights()
        signal, target = genes(place, size)
        bank.put(
            place,
            before,
            train_signal=signal,
            train_target=target,
            valid_signal=valid_signal,
            num_steps=STEPS,
        )
        models.append((before, signal, target))
    # In two goes, the second longer than one call's steps.
    losses = bank.train(rows[5:], bank.train(rows[:5], np.zeros(3, np.float32)))
    predicted = bank.predict_valid()
    for place, (before, signal, target) in enumerate(models):
        loss = alone.loss(before, signal, target, rows[:, place])
        in_bank = bank.weights(place, [w.shape for w in before])
        for ours, theirs, was in zip(in_bank, alone.model.get_weights(), before, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
            assert np.abs(theirs - was).max() > 1e-3
        assert losses[place] / STEPS == pytest.approx(loss, abs=1e-5)
        np.testing.assert_allclose(
            predicted[place, :9], alone.model(valid_signal)["probability"], atol=1e-5
        )


def test_a_place_taken_anew_forgets_the_model_before() -> None:
    signal, target = genes(0, 12)
    rows = np.random.default_rng(0).integers(0, 12, (8, 1, BATCH))
    bank = Bank(
        "lstm",
        1,
        num_marks=MARKS,
        num_bins=BINS,
        num_train=20,
        num_valid=12,
        recipe=dataclasses.replace(RICH, clip_norm=0),
        options={"bin_units": 4},
    )
    weights = untrained("lstm", seed=0).get_weights()
    shapes = [w.shape for w in weights]
    trained = []
    for _ in range(2):
        bank.put(
            0,
            weights,
            train_signal=signal,
            train_target=target,
            valid_signal=signal,
            num_steps=8,
        )
        for ours, before in zip(bank.weights(0, shapes), weights, strict=True):
            np.testing.assert_array_equal(ours, before)
        bank.train(rows, np.zeros(1, np.float32))
        trained.append(bank.weights(0, shapes))
    for first, second in zip(*trained, strict=True):
        np.testing.assert_array_equal(first, second)


def trained_among(num_places: int, place: int, *, at_once: int) -> list[bytes]:
    """The bits of what becomes of a model in a place of a bank, others in the other places."""
    rng = np.random.default_rng(num_places)
    bank = Bank(
        "lstm",
        num_places,
        num_marks=MARKS,
        num_bins=BINS,
        num_train=20 + num_places,
        num_valid=12,
        recipe=RICH,
        options={"bin_units": 4},
    )
    for other in range(num_places):
        model = untrained("lstm", seed=0 if other == place else 1 + other)
        signal, target = genes(0 if other == place else 1 + other, 20)
        bank.put(
            other,
            model.get_weights(),
            train_signal=signal,
            train_target=target,
            valid_signal=genes(9, 12)[0],
            num_steps=STEPS,
        )
    rows = rng.integers(0, 20, (STEPS, num_places, BATCH))
    rows[:, place] = np.random.default_rng(0).integers(0, 20, (STEPS, BATCH))
    loss = np.zeros(num_places, np.float32)
    for start in range(0, STEPS, at_once):
        loss = bank.train(rows[start : start + at_once], loss)
    weights = bank.weights(place, [w.shape for w in model.get_weights()])
    arrays = [*weights, loss[place], bank.predict_valid()[place]]
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize(("num_places", "place", "at_once"), [(2, 1, 5), (3, 2, 64), (5, 0, 7)])
def test_a_model_comes_out_the_same_bit_for_bit_in_any_company(
    num_places: int, place: int, at_once: int
) -> None:
    """A sweep that goes on trains those that are left with fewer others than before."""
    assert trained_among(num_places, place, at_once=at_once) == trained_among(1, 0, at_once=STEPS)


def test_a_variant_without_a_bank_is_refused() -> None:
    with pytest.raises(InputError, match=r"'lstm_attn'\]\. Received: model='deep_chrome'"):
        build_bank("deep_chrome", 2, num_marks=MARKS, num_bins=BINS)
