"""One training step against the same by hand."""

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit

from keras_chrome.fit.recipes import PLAIN
from keras_chrome.fit.trainer import ShardedTrainer, compiled_trainer, regression_loss
from keras_chrome.models import build_model, logit_model

MARKS = ("H3K4me3", "H3K27me3")
BATCH = 32


def trainee() -> keras.Model:
    keras.utils.set_random_seed(0)
    return logit_model(build_model("lstm_attn", marks=MARKS, num_bins=6, bin_units=3))


def batch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signal, soft targets, and expression that nobody knows of every fifth gene."""
    rng = np.random.default_rng(0)
    signal = rng.poisson(3, (BATCH, 6, 2)).astype(np.float32)
    log_expression = rng.normal(scale=2, size=(BATCH, 1)).astype(np.float32)
    log_expression[::5] = np.nan
    return signal, rng.uniform(size=(BATCH, 1)).astype(np.float32), log_expression


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_a_second_loss_pulls_at_a_head_on_what_the_logit_reads(
    monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    model = trainee()
    signal, target, log_expression = batch()
    embedding = keras.Model(model.input, model.get_layer("logit").input)(signal).numpy()
    probability = expit(model(signal).numpy())
    trainer = ShardedTrainer(model, regression_weight=0.5)
    kernel, bias = (w.numpy() for w in trainer.get_layer("expression").weights)

    error = np.nan_to_num(embedding @ kernel + bias - log_expression)
    huber = np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 0.5)
    assert (np.abs(error) > 1).any()
    assert (np.abs(error) < 1).any()
    entropy = -(target * np.log(probability) + (1 - target) * np.log(1 - probability))
    loss = entropy.mean() + 0.5 * huber.mean()
    slope = 0.5 * np.clip(error, -1, 1) / BATCH

    trainer.compile(
        keras.optimizers.SGD(1.0),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=False,
    )
    step = tf.function(trainer.train_step)
    logs = step(tuple(tf.constant(part) for part in (signal, target, log_expression)))
    assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
    after = [w.numpy() for w in trainer.get_layer("expression").weights]
    np.testing.assert_allclose(after[0], kernel - embedding.T @ slope, atol=1e-6)
    np.testing.assert_allclose(after[1], bias - slope.sum(axis=0), atol=1e-6)
    of_logit = model.get_layer("logit").bias.numpy()
    np.testing.assert_allclose(of_logit, -(probability - target).mean(axis=0), atol=1e-6)


def test_the_head_is_no_part_of_what_is_trained(tmp_path: Path) -> None:
    model = trainee()
    before = len(model.weights)
    trainer = ShardedTrainer(model, regression_weight=0.5)
    assert len(model.weights) == before
    assert len(trainer.weights) == before + 2
    trainer.save(tmp_path / "model.keras")
    saved = keras.models.load_model(tmp_path / "model.keras")
    assert [w.shape for w in saved.weights] == [w.shape for w in model.weights]


def test_the_second_loss_bends_at_one_and_leaves_out_the_unknown() -> None:
    measured = tf.constant([[0.0], [0.0], [np.nan], [1.0]])
    predicted = tf.constant([[0.5], [-3.0], [7.0], [1.0]])
    assert float(regression_loss(measured, predicted)) == pytest.approx((0.125 + 2.5) / 4)


def test_a_step_trains_on_the_altered_batch() -> None:
    """Genes whose bins are emptied leave nothing but the targets, here mixed."""
    model = trainee()
    recipe = dataclasses.replace(PLAIN, mixup=0.3, empty_bins=0.999999, learning_rate=1e-12)
    trainer = compiled_trainer(model, recipe, steps=1, seed=3)
    signal, target, _ = (tf.constant(part) for part in batch())
    loss = float(tf.function(trainer.train_step)((signal, target))["loss"])
    probability = expit(float(model(tf.zeros((1, 6, 2)))[0, 0]))
    assert trainer.augmentation is not None
    _, mixed = trainer.augmentation(0, signal, target)
    share = float(tf.reduce_mean(mixed))
    expected = -(share * np.log(probability) + (1 - share) * np.log(1 - probability))
    assert loss == pytest.approx(expected, rel=1e-5)
    assert abs(share - float(tf.reduce_mean(target))) > 1e-3


def test_a_plain_recipe_alters_nothing() -> None:
    trainer = compiled_trainer(trainee(), PLAIN, steps=1)
    assert trainer.augmentation is None
    assert not trainer.regression_weight
    assert [layer.name for layer in trainer.layers] == [layer.name for layer in trainee().layers]


def test_every_part_of_a_recipe_makes_another_training() -> None:
    parts: dict[str, Any] = {
        "learning_rate": 0.02,
        "clip_norm": 0.01,
        "weight_decay": 0.5,
        "schedule": "one_cycle",
        "regression_weight": 0.5,
        "mixup": 0.3,
        "gain": 0.1,
        "shift": 2,
        "empty_bins": 0.1,
    }
    trained = []
    for options in ({}, *({name: value} for name, value in parts.items())):
        model = trainee()
        recipe = dataclasses.replace(PLAIN, **options)
        trainer = compiled_trainer(model, recipe, steps=2)
        examples = tuple(tf.constant(part) for part in batch())
        step = tf.function(trainer.train_step)
        for _ in range(2):
            step(examples if recipe.regression_weight else examples[:2])
        trained.append(np.concatenate([weight.numpy().ravel() for weight in model.weights]))
    distance = np.abs(np.stack(trained)[:, np.newaxis] - np.stack(trained)).max(axis=-1)
    assert (distance + np.eye(len(trained)) > 1e-5).all()


@pytest.mark.parametrize("cores", [1, 2])
def test_moving_statistics_are_the_mean_of_the_shards(
    monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    signal = keras.Input((6, 2))
    normalized = keras.layers.BatchNormalization(momentum=0.9, name="norm")(signal)
    flat = keras.layers.Flatten()(normalized)
    logit = keras.layers.Dense(1, name="logit")(keras.layers.Dropout(0.5)(flat))
    trainer = ShardedTrainer(keras.Model(signal, logit))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    trainer.compile(keras.optimizers.SGD(0.0), loss, jit_compile=False)
    genes, target, _ = batch()
    trainer.compile_step((tf.constant(genes), tf.constant(target)))
    step = tf.function(trainer.train_step)
    for _ in range(2):
        step((tf.constant(genes), tf.constant(target)))
    shards = np.split(genes, cores)
    mean = np.mean([shard.mean(axis=(0, 1)) for shard in shards], axis=0)
    variance = np.mean([shard.var(axis=(0, 1)) for shard in shards], axis=0)
    norm = trainer.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean.numpy(), 0.19 * mean, rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance.numpy(), 0.81 + 0.19 * variance, rtol=1e-4)
