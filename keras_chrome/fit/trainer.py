"""Training steps, compiled by XLA."""

import math
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_chrome.fit.augmentation import Augmentation
from keras_chrome.fit.optimizer import build_optimizer
from keras_chrome.fit.recipes import Recipe
from keras_chrome.layers.implementation import recurrence_in_use
from keras_chrome.models.sharding import split_batch
from keras_chrome.models.task import CLASSIFICATION, Task

# Python looks at the training this many times an epoch: often enough for a progress bar.
_REPORTS_AN_EPOCH = 20


class ShardedTrainer(keras.Model):
    """Trains on shards of each batch side by side, one XLA program a shard.

    Gradients are averaged over the shards before the optimizer clips and applies them, so a step
    is the same as on the whole batch. What training changes beside weights goes into each shard and
    comes out of it, so that none waits for another: a shard draws its dropout from the random state
    that follows the one before, and batch normalization, which normalizes each shard by itself,
    takes the mean of what the shards have made of its moving statistics.

    Args:
        trainee: Model from signal to logit `(batch, 1)`, whose last layer is `logit`.
        augmentation: What alters each batch; None for batches as they are.
        regression_weight: Weight of the loss of a second linear layer, on what `logit` reads. It
            is trained towards the logarithm of the expression, and is no part of `trainee`.
        num_epigenomes: Where each is to have a bias of its own, which is added to the logit and is
            no part of `trainee`, their number; else 0. A vector added to the gene embedding would
            be no more than that: what follows is linear.
    """

    def __init__(
        self,
        trainee: keras.Model,
        *,
        augmentation: Augmentation | None = None,
        regression_weight: float = 0.0,
        num_epigenomes: int = 0,
    ) -> None:
        inputs, outputs = [trainee.input], [trainee.output]
        if num_epigenomes:
            inputs.append(keras.Input((num_epigenomes,), name="epigenome"))
            bias = keras.layers.Dense(
                1,
                use_bias=False,
                kernel_initializer="zeros",
                dtype="float32",
                name="bias_of_epigenome",
            )
            outputs = [trainee.output + bias(inputs[1])]
        if regression_weight:
            head = keras.layers.Dense(1, dtype="float32", name="expression")
            outputs.append(head(tf.nest.flatten(trainee.get_layer("logit").input)[0]))
        super().__init__(inputs if num_epigenomes else trainee.input, outputs)
        self.trainee = trainee
        self.augmentation = augmentation
        self.regression_weight = regression_weight
        self.knows_epigenomes = bool(num_epigenomes)
        self.mean_loss = keras.metrics.Mean("loss")
        # XLA cannot compile cuDNN.
        is_cudnn = recurrence_in_use() == "stock" and tf.config.list_physical_devices("GPU")
        self._gradients = tf.function(
            self._loss_and_gradients, jit_compile=not is_cudnn, autograph=False
        )

    @property
    def metrics(self) -> list[keras.Metric]:
        """The mean loss of the epoch so far."""
        return [self.mean_loss]

    def train_step(self, data: tuple[tf.Tensor, ...]) -> dict[str, tf.Tensor]:
        """Train on a batch of static size.

        Args:
            data: Signal `(batch, bins, marks)`, target `(batch, 1)`; where there is a
                `regression_weight` the logarithm of the expression `(batch, 1)`, NaN if unknown;
                and where there is a bias of each epigenome what it is made of,
                `(batch, epigenomes)`.
        """
        if self.augmentation is not None:
            data = self.augmentation(self.optimizer.iterations, *data)
        shards = list(zip(*map(split_batch, data), strict=True))
        scale = 1.0 / len(shards)
        losses, gradients = zip(*self._of_shards(shards), strict=True)
        self.optimizer.apply(
            [scale * tf.add_n(parts) for parts in zip(*gradients, strict=True)],
            self.trainable_variables,
        )
        self.mean_loss.update_state(scale * tf.add_n(losses))
        return {"loss": self.mean_loss.result()}

    def _of_shards(
        self, shards: Sequence[tuple[tf.Tensor, ...]]
    ) -> list[tuple[tf.Tensor, list[tf.Tensor]]]:
        """The loss and gradients of each shard."""
        variables = self.non_trainable_variables
        answers, states = [], []
        for i, shard in enumerate(shards):
            state = [_of_shard(variable, i) for variable in variables]
            loss, gradients, state = self._gradients(state, *shard)
            answers.append((loss, gradients))
            states.append(state)
        for variable, *values in zip(variables, *states, strict=True):
            is_random = not variable.dtype.startswith("float")
            variable.assign(values[-1] if is_random else tf.add_n(values) / len(values))
        return answers

    def compile_step(self, data: tuple[tf.Tensor, ...]) -> float:
        """Let XLA compile the gradients for batches of this shape; the seconds it takes."""
        started = time.perf_counter()
        state = [variable.value for variable in self.non_trainable_variables]
        self._gradients(state, *(split_batch(part)[0] for part in data))
        return time.perf_counter() - started

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save what is trained, without what only training needs: any process can load it."""
        keras.Model(self.trainee.input, self.trainee.output).save(*args, **kwargs)

    def _loss_and_gradients(
        self,
        state: list[tf.Tensor],
        signal: tf.Tensor,
        target: tf.Tensor,
        *others: tf.Tensor,
    ) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        weights = [variable.value for variable in self.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            inputs = [signal, others[-1]] if self.knows_epigenomes else signal
            outputs, state = self.stateless_call(weights, state, inputs, training=True)
            logit, *expression = tf.nest.flatten(outputs)
            loss = self.compute_loss(y=target, y_pred=logit)
            if expression:
                loss += self.regression_weight * regression_loss(others[0], expression[0])
            # Float16 gradients underflow unless the loss is scaled; `apply` scales them back.
            scaled = self.optimizer.scale_loss(loss)
        return loss, tape.gradient(scaled, weights), state


def _of_shard(variable: keras.Variable, shard: int) -> tf.Tensor:
    """What training changes beside weights, as a shard finds it."""
    if variable.dtype.startswith("float"):
        return variable.value
    # The state of a `keras.random.SeedGenerator`, whose second number counts what was drawn.
    return variable + tf.constant([0, shard], variable.dtype)


def regression_loss(measured: tf.Tensor, predicted: tf.Tensor) -> tf.Tensor:
    """Mean Huber loss with its bend at 1, in which a gene of unknown (NaN) expression counts 0.

    Args:
        measured: float32 `(batch, 1)`, NaN where unknown.
        predicted: float32 `(batch, 1)`.
    """
    error = tf.where(tf.math.is_finite(measured), predicted - measured, 0.0)
    size = tf.abs(error)
    return tf.reduce_mean(tf.where(size <= 1, size * size / 2, size - 0.5))


def compiled_trainer(
    trainee: keras.Model,
    recipe: Recipe,
    *,
    steps: int,
    seed: int = 0,
    num_epigenomes: int = 0,
    task: Task = CLASSIFICATION,
) -> ShardedTrainer:
    """A trainer of `trainee`'s weights, ready to `fit`; `steps` are those of an epoch."""
    augmentation = None
    if recipe.augments:
        transform = trainee.get_layer("signal_transform").transform
        augmentation = Augmentation(recipe, transform, seed)
    trainer = ShardedTrainer(
        trainee,
        augmentation=augmentation,
        regression_weight=recipe.regression_weight,
        num_epigenomes=num_epigenomes,
    )
    variables = trainer.trainable_variables
    trainer.compile(
        build_optimizer(recipe, num_steps=recipe.epochs * steps, variables=variables),
        task.loss(),
        steps_per_execution=math.ceil(steps / _REPORTS_AN_EPOCH),
        jit_compile=False,
    )
    trainer.optimizer.build(variables)
    return trainer
