"""Training several models at once, each as it would be trained alone.

A bank has *places*. A model in a place has its own genes, order of genes, optimizer state and
number of steps, and no number of it depends on the other places. All places take their steps
together, in one XLA program a CPU core: what one model alone leaves of a core, eight share.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_chrome.fit.optimizer import is_matrix, share_of_rate
from keras_chrome.fit.recipes import Recipe
from keras_chrome.models.registry import build_bank
from keras_chrome.models.sharding import num_programs

# Adam's, as Keras has them.
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-7
# Steps that one call makes at most: Python looks at the training in between.
_STEPS_A_CALL = 64
_FEWEST_IN_PROGRAM = 2
_PREDICTED_AT_ONCE = 128


class Bank:
    """Places for models of one variant and shape, and their training.

    Args:
        variant: A name in `keras_chrome.models.registry.BANKS`.
        num_places: Number of models trained at once.
        num_marks: Number of marks of each.
        num_bins: Number of bins of a gene region.
        num_train: Most training genes of a model.
        num_valid: Most validation genes of a model.
        recipe: How each is trained. A second loss and altered genes are not for a bank.
        options: The variant's own options.
    """

    def __init__(
        self,
        variant: str,
        num_places: int,
        *,
        num_marks: int,
        num_bins: int,
        num_train: int,
        num_valid: int,
        recipe: Recipe,
        options: Mapping[str, Any],
    ) -> None:
        num_parts = min(num_programs(), num_places)
        # XLA rounds alike for two models side by side and for more, but not for one: with an idle
        # place in the end a model comes out the same, however many others are trained with it.
        in_part = max(_FEWEST_IN_PROGRAM, math.ceil(num_places / num_parts))
        self._parts = [
            _Part(
                build_bank(variant, in_part, num_marks=num_marks, num_bins=num_bins, **options),
                in_part,
                num_train=num_train,
                num_valid=num_valid,
                recipe=recipe,
            )
            for _ in range(num_parts)
        ]
        places = [(part, place) for part in self._parts for place in range(in_part)]
        self._part_of = places[:num_places]
        self._num_idle = len(places) - num_places
        self.batch_size = recipe.batch_size

    def put(
        self,
        place: int,
        weights: Sequence[np.ndarray],
        *,
        train_signal: np.ndarray,
        train_target: np.ndarray,
        valid_signal: np.ndarray,
        num_steps: int,
    ) -> None:
        """Begin the training of a model.

        Args:
            place: Place to put it in; what was there is gone.
            weights: The untrained model's, from its `get_weights`.
            train_signal: float32 `(genes, bins, marks)`, transformed.
            train_target: `(genes,)`, probability of high expression, such as the label.
            valid_signal: float32 `(genes, bins, marks)`, transformed.
            num_steps: Steps of the whole training, which a schedule shares out.
        """
        part, place = self._part_of[place]
        theta = np.concatenate([weight.ravel() for weight in weights])
        for variable in (part.theta, part.kept):
            variable[place].assign(theta)
        for variable in (part.moment_1, part.moment_2, part.steps):
            variable[place].assign(tf.zeros(variable.shape[1:]))
        part.num_steps[place].assign(num_steps)
        for variable, values in (
            (part.train_signal, train_signal),
            (part.train_target, train_target.astype(np.float32)),
            (part.valid_signal, valid_signal),
        ):
            variable[place].assign(_padded(values, variable.shape[1]))

    def weights(self, place: int, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
        """What is kept of a model now, for its `set_weights`; `shapes` are its weights'.

        These are the weights, or where the recipe has an average of them, that.
        """
        part, place = self._part_of[place]
        sizes = [int(np.prod(shape)) for shape in shapes]
        split = np.split(part.kept[place].numpy(), np.cumsum(sizes)[:-1])
        return [weight.reshape(shape) for weight, shape in zip(split, shapes, strict=True)]

    def train(self, rows: np.ndarray, loss: np.ndarray) -> np.ndarray:
        """Train every place some steps.

        Args:
            rows: int `(steps, places, batch)`, positions among the training genes.
            loss: float32 `(places,)`, sums of losses so far. They grow step by step, so that it
                makes no difference after which ones others want to be looked at.

        Returns:
            The sums after the steps.
        """
        rows = np.pad(rows, [(0, 0), (0, self._num_idle), (0, 0)])
        of_parts = np.split(rows, len(self._parts), axis=1)
        loss_of_parts = np.split(np.pad(loss, (0, self._num_idle)), len(self._parts))
        losses = [tf.constant(of_part, tf.float32) for of_part in loss_of_parts]
        for start in range(0, len(rows), _STEPS_A_CALL):
            chunk = [part[start : start + _STEPS_A_CALL] for part in of_parts]
            # As a tensor: each number in Python would be compiled anew.
            num_steps = tf.constant(len(chunk[0]))
            chunk = [tf.constant(_padded(part, _STEPS_A_CALL), tf.int32) for part in chunk]
            losses = self._advance(chunk, losses, num_steps)
        return np.concatenate([of_part.numpy() for of_part in losses])[: len(loss)]

    def predict_valid(self) -> np.ndarray:
        """Probabilities of all validation genes, `(places, num_valid)`; rows may be longer."""
        num_valid = self._parts[0].valid_signal.shape[1]
        logit = [
            np.concatenate([of_part.numpy() for of_part in self._predict(start)], axis=1)
            for start in tf.range(0, num_valid, _PREDICTED_AT_ONCE)
        ]
        return np.asarray(tf.sigmoid(np.concatenate(logit).T))[: len(self._part_of)]

    @tf.function(autograph=False)
    def _advance(
        self, rows: list[tf.Tensor], losses: list[tf.Tensor], steps: tf.Tensor
    ) -> list[tf.Tensor]:
        of_parts = zip(self._parts, rows, losses, strict=True)
        return [part.advance(r, loss, steps) for part, r, loss in of_parts]

    @tf.function(autograph=False)
    def _predict(self, start: tf.Tensor) -> list[tf.Tensor]:
        return [part.predict(start) for part in self._parts]


class _Part:
    """The places that share one XLA program."""

    def __init__(
        self,
        model: Any,
        num_places: int,
        *,
        num_train: int,
        num_valid: int,
        recipe: Recipe,
    ) -> None:
        self.model = model
        self.num_places = num_places
        self.recipe = recipe
        bins, marks = model.input_shape[1], model.input_shape[2] // num_places
        valid = -(-num_valid // _PREDICTED_AT_ONCE) * _PREDICTED_AT_ONCE

        def variable(*shape: int) -> tf.Variable:
            return tf.Variable(tf.zeros((num_places, *shape)), trainable=False)

        # All weights of a model side by side, (places, weights): the optimizer sees one array.
        num_weights = model.count_params() // num_places
        self.theta, self.moment_1, self.moment_2 = (variable(num_weights) for _ in range(3))
        # What is validated: the average of the weights, if there is one.
        self.kept = variable(num_weights) if recipe.ema else self.theta
        sizes = [v.shape.num_elements() // num_places for v in model.weights]
        self.decay = np.repeat([is_matrix(v) for v in model.weights], sizes) * recipe.weight_decay
        # Made so far, and of the whole training.
        self.steps, self.num_steps = variable(), variable()
        self.train_signal = variable(num_train, bins, marks)
        self.train_target = variable(num_train)
        self.valid_signal = variable(valid, bins, marks)

    @tf.function(jit_compile=True, autograph=False)
    def advance(self, rows: tf.Tensor, loss: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
        """Make `steps` steps on rows (steps, places, batch), and add to `loss` (places,)."""
        signal, target = self.train_signal.value(), self.train_target.value()

        recipe = self.recipe
        variables = [self.theta, self.moment_1, self.moment_2, *([self.kept] * bool(recipe.ema))]

        def step(t: Any, loss: Any, theta: Any, moment_1: Any, moment_2: Any, *kept: Any) -> Any:
            of_step, gradient = self._gradient(
                theta,
                tf.gather(signal, rows[t], batch_dims=1),
                tf.gather(target, rows[t], batch_dims=1),
            )
            before = self.steps + tf.cast(t, tf.float32)
            made = before + 1
            rate = recipe.learning_rate * share_of_rate(
                recipe.schedule, before, self.num_steps.value(), recipe.warmup
            )
            if recipe.weight_decay:
                theta -= theta * self.decay * rate[:, tf.newaxis]
            moment_1 += (gradient - moment_1) * (1 - _BETA_1)
            moment_2 += (gradient * gradient - moment_2) * (1 - _BETA_2)
            rate *= tf.sqrt(1 - _BETA_2**made) / (1 - _BETA_1**made)
            theta -= rate[:, tf.newaxis] * moment_1 / (tf.sqrt(moment_2) + _EPSILON)
            # As Keras does it: the first step's weights begin the average.
            share = tf.where(before == 0, 0.0, recipe.ema)[:, tf.newaxis]
            kept = tuple(share * average + (1 - share) * theta for average in kept)
            return t + 1, loss + of_step, theta, moment_1, moment_2, *kept

        _, loss, *after = tf.while_loop(
            lambda t, *_: t < steps,
            step,
            (0, loss, *(variable.value() for variable in variables)),
        )
        for variable, value in zip(variables, after, strict=True):
            variable.assign(value)
        self.steps.assign_add(tf.fill((self.num_places,), tf.cast(steps, tf.float32)))
        return loss

    def _gradient(
        self, theta: tf.Tensor, signal: tf.Tensor, target: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss (places,) of a batch and its gradient, clipped; signal (places, batch, ...)."""
        with tf.GradientTape() as tape:
            tape.watch(theta)
            logit = self._logit(theta, signal)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.transpose(target), logit)
            loss = tf.reduce_mean(losses, axis=0)
            total = tf.reduce_sum(loss)
        gradient = tape.gradient(total, theta)
        if limit := self.recipe.clip_norm:
            norm = tf.norm(gradient, axis=1, keepdims=True)
            gradient *= limit / tf.maximum(norm, limit)
        return loss, gradient

    @tf.function(jit_compile=True, autograph=False)
    def predict(self, start: tf.Tensor) -> tf.Tensor:
        """Logits (genes, places) of some validation genes."""
        shape = self.valid_signal.shape
        genes = tf.slice(
            self.valid_signal, (0, start, 0, 0), (shape[0], _PREDICTED_AT_ONCE, *shape[2:])
        )
        return self._logit(self.kept.value(), genes)

    def _logit(self, theta: tf.Tensor, signal: tf.Tensor) -> tf.Tensor:
        """Logits (batch, places) with weights `theta`; signal (places, batch, bins, marks)."""
        places, batch, bins, marks = signal.shape
        side_by_side = tf.reshape(tf.transpose(signal, (1, 2, 0, 3)), (batch, bins, places * marks))
        sizes = [variable.shape.num_elements() // places for variable in self.model.weights]
        weights = [
            tf.reshape(columns, variable.shape)
            for columns, variable in zip(
                tf.split(theta, sizes, axis=1), self.model.weights, strict=True
            )
        ]
        logit, _ = self.model.stateless_call(weights, [], side_by_side)
        return logit


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    """Values with zeros behind, up to a length."""
    padded = np.zeros((length, *values.shape[1:]), values.dtype)
    padded[: len(values)] = values
    return padded
