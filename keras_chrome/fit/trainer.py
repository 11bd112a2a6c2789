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

    Over several devices each is given the whole batch and trains on its share of the shards: a step
    is the same as on one machine with as many cores as all of them.

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
        shards = list(zip(*(split_batch(part, self.num_replicas) for part in data), strict=True))
        scale = 1.0 / len(shards)
        (loss, *gradients), state = self._of_shards(shards)
        # Every replica applies the whole gradient, and Keras the sum of what they apply.
        share = scale / self.num_replicas
        self.optimizer.apply([share * part for part in gradients], self.trainable_variables)
        for variable, value in zip(self.non_trainable_variables, state, strict=True):
            self._assign(variable, value)
        self.mean_loss.update_state(scale * loss)
        loss = self.mean_loss.result()
        # Of several machines Keras takes the mean over a first axis.
        is_multiworker = isinstance(
            self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy
        )
        return {"loss": loss[tf.newaxis] if is_multiworker else loss}

    @property
    def num_replicas(self) -> int:
        """Number of devices that train together."""
        return int(self.distribute_strategy.num_replicas_in_sync)

    def _of_shards(
        self, shards: Sequence[tuple[tf.Tensor, ...]]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """The sums of the loss and gradients over the shards of all replicas, and the state then.

        Args:
            shards: All of them, of which this replica computes its own.
        """
        variables = self.non_trainable_variables
        num_own = len(shards) // self.num_replicas
        first = num_own * _replica_id()
        answers, states = [], []
        for i in range(first, first + num_own):
            state = [_of_shard(variable, i) for variable in variables]
            loss, gradients, state = self._gradients(state, *shards[i])
            answers.append((loss, *gradients))
            states.append(state)
        sums = [tf.add_n(parts) for parts in zip(*answers, strict=True)]
        of_variables = list(zip(*states, strict=True))
        is_mean = [variable.dtype.startswith("float") for variable in variables]
        means = [tf.add_n(v) for v, is_one in zip(of_variables, is_mean, strict=True) if is_one]
        if self.num_replicas > 1:
            reduced = tf.distribute.get_replica_context().all_reduce("sum", [*sums, *means])
            sums, means = reduced[: len(sums)], reduced[len(sums) :]
        of_all = iter(means)
        left = len(shards) - first - num_own
        return sums, [
            next(of_all) / len(shards) if is_one else _of_shard(values[-1], left)
            for values, is_one in zip(of_variables, is_mean, strict=True)
        ]

    def _assign(self, variable: keras.Variable, value: tf.Tensor) -> None:
        if not tf.distribute.has_strategy():
            variable.assign(value)
            return
        tf.distribute.get_replica_context().merge_call(
            lambda strategy, values: strategy.extended.update(
                variable.value, lambda own, new: own.assign(new), args=(values,)
            ),
            args=(value,),
        )

    def _maybe_symbolic_build(self, *_: Any, **__: Any) -> None:
        """It is built, and Keras 3.15 would take what several machines read for a tensor."""

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
            # Keras divides it by the number of replicas, whose gradients it would sum up.
            loss = self.compute_loss(y=target, y_pred=logit) * self.num_replicas
            if expression:
                loss += self.regression_weight * regression_loss(others[0], expression[0])
            # Float16 gradients underflow unless the loss is scaled; `apply` scales them back.
            scaled = self.optimizer.scale_loss(loss)
        return loss, tape.gradient(scaled, weights), state


def _replica_id() -> int:
    """Which of the replicas this is, known when its step is compiled."""
    context = tf.distribute.get_replica_context()
    return int(tf.get_static_value(context.replica_id_in_sync_group))


def _of_shard(variable: keras.Variable | tf.Tensor, shard: int) -> tf.Tensor:
    """What training changes beside weights, as it is so many shards later."""
    if keras.backend.standardize_dtype(variable.dtype).startswith("float"):
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
    optimizer = build_optimizer(
        recipe,
        num_steps=recipe.epochs * steps,
        variables=variables,
        num_replicas=trainer.num_replicas,
    )
    if any(layer.compute_dtype == "float16" for layer in trainee.layers):
        # Keras does it for a trainer of that precision; ours is none, whatever it trains.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    trainer.compile(
        optimizer,
        task.loss(),
        steps_per_execution=_steps_a_report(steps, exact=tf.distribute.has_strategy()),
        jit_compile=False,
    )
    trainer.optimizer.build(variables)
    return trainer


def _steps_a_report(steps: int, *, exact: bool) -> int:
    """Steps between two looks of Python; `exact` where they have to divide an epoch's."""
    most = math.ceil(steps / _REPORTS_AN_EPOCH)
    return max(n for n in range(1, most + 1) if steps % n == 0) if exact else most
