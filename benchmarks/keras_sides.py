"""keras-chrome as it is, and its model with Keras's own LSTM layers."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from random_genes import RandomGenes
from sides import CLIP_NORM, LEARNING_RATE, NUM_GENES, Setting, Steps

from keras_chrome.fit.loop import epoch_of_batches
from keras_chrome.fit.recipes import Recipe
from keras_chrome.fit.trainer import compiled_trainer
from keras_chrome.layers.implementation import use_recurrence
from keras_chrome.models import build_model, logit_model
from keras_chrome.models.prediction import batch_predictor
from keras_chrome.sweep.bank import Bank

_BANK_STEPS = 20


class KerasChrome:
    """What `fit` and `predict` run."""

    recurrence = "fused"

    def training(self, setting: Setting) -> Steps:
        """Training steps, several an execution as in `fit`; of a bank as in `sweep --bank`."""
        if setting.bank > 1:
            return _bank_training(setting)
        trainer = self.trainer(logit_model(random_model(setting)), NUM_GENES // setting.batch)
        epoch = tf.Variable(0, dtype=tf.int64)
        genes = RandomGenes(setting)
        batches = iter(
            epoch_of_batches((genes.signal, genes.label), setting.batch, 0, epoch).repeat()
        )
        trainer.make_train_function()

        @use_recurrence(self.recurrence)
        def run() -> float:
            return float(trainer.train_function(batches)["loss"])

        return Steps(run, trainer.steps_per_execution)

    def trainer(self, trainee: keras.Model, steps: int) -> keras.Model:
        """A compiled model."""
        return compiled_trainer(
            trainee, Recipe(learning_rate=LEARNING_RATE, clip_norm=CLIP_NORM), steps=steps
        )

    def prediction(self, setting: Setting) -> Steps:
        """Predictions of a batch."""
        signal = RandomGenes(setting).signal[: setting.batch]
        predictor = self.predictor(random_model(setting))

        @use_recurrence(self.recurrence)
        def run() -> dict[str, np.ndarray]:
            return {name: answer.numpy() for name, answer in predictor(signal).items()}

        return Steps(run)

    def predictor(self, model: keras.Model) -> Callable[..., Any]:
        """A function from a batch to the model's answers."""
        return batch_predictor(model)

    def matrix_product(self, size: int) -> Steps:
        """TensorFlow's product."""
        matrix = tf.random.normal((size, size))
        return Steps(lambda: tf.matmul(matrix, matrix).numpy())


class StockKeras(KerasChrome):
    """The same model with one `keras.layers.LSTM` a mark and direction, trained by Keras."""

    recurrence = "stock"
    jit_compile = False

    def trainer(self, trainee: keras.Model, steps: int) -> keras.Model:
        """A model compiled as any Keras model."""
        ours = compiled_trainer(
            trainee, Recipe(learning_rate=LEARNING_RATE, clip_norm=CLIP_NORM), steps=steps
        )
        trainee.compile(
            keras.optimizers.Adam(LEARNING_RATE, global_clipnorm=CLIP_NORM),
            keras.losses.BinaryCrossentropy(from_logits=True),
            steps_per_execution=ours.steps_per_execution,
            jit_compile=self.jit_compile,
        )
        return trainee

    def predictor(self, model: keras.Model) -> Callable[..., Any]:
        """The model as one function."""
        return tf.function(
            lambda signal: model(signal, training=False), jit_compile=self.jit_compile
        )


class StockKerasXLA(StockKeras):
    """The same, compiled by XLA."""

    jit_compile = True


def _bank_training(setting: Setting) -> Steps:
    genes = RandomGenes(setting)
    bank = Bank(
        "attentive_chrome",
        setting.bank,
        num_marks=setting.marks,
        num_bins=setting.bins,
        num_train=len(genes),
        num_valid=1,
        recipe=Recipe(batch_size=setting.batch, learning_rate=LEARNING_RATE, clip_norm=CLIP_NORM),
        options={},
    )
    weights = random_model(setting).get_weights()
    for place in range(setting.bank):
        bank.put(
            place,
            weights,
            train_signal=genes.signal,
            train_target=genes.label,
            valid_signal=genes.signal[:1],
            num_steps=_BANK_STEPS,
        )
    shape = (_BANK_STEPS, setting.bank, setting.batch)
    rows = np.random.default_rng(0).integers(0, len(genes), shape)
    loss = np.zeros(setting.bank, np.float32)
    return Steps(lambda: bank.train(rows, loss), _BANK_STEPS)


def random_model(setting: Setting) -> keras.Model:
    """The variant of a setting, as it is before training."""
    return build_model(
        setting.variant,
        marks=[f"mark {j}" for j in range(setting.marks)],
        num_bins=setting.bins,
        transform="none",
    )
