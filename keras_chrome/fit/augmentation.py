"""Training genes as they might have been measured: altered anew in every step."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_chrome.fit.recipes import Recipe

# What a random number is for: each is drawn from the seed, the step and this.
_SHIFT, _EMPTY, _GAIN, _MIXUP_1, _MIXUP_2, _MARKS = range(6)


@dataclass(frozen=True)
class Augmentation:
    """Alters a batch; what it draws depends on the seed and the step alone.

    In this order: a gene region is shifted by whole bins, and its end repeated; bins of a mark are
    emptied, and marks as a whole; each mark of a gene is multiplied by a factor, as if it had been
    sequenced to another depth; genes are mixed by twos, after the model's transform, and so are
    their targets.

    Attributes:
        recipe: How much of each.
        transform: The model's: `log1p` or `none`.
        seed: Of the training.
    """

    recipe: Recipe
    transform: str
    seed: int

    def __call__(
        self, step: tf.Tensor, signal: tf.Tensor, *targets: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Alter a batch.

        Args:
            step: Number of the step in the training.
            signal: float32 `(batch, bins, marks)`, as measured.
            *targets: Each `(batch, 1)`.

        Returns:
            The signal and each of the targets, of the same shapes.
        """
        recipe = self.recipe
        batch, _, marks = signal.shape
        if recipe.shift:
            bins = self._draw(
                tf.random.stateless_uniform,
                step,
                _SHIFT,
                (batch,),
                minval=-recipe.shift,
                maxval=recipe.shift + 1,
                dtype=tf.int32,
            )
            signal = shifted(signal, bins)
        if recipe.empty_bins:
            drawn = self._draw(tf.random.stateless_uniform, step, _EMPTY, signal.shape)
            signal = tf.where(drawn < recipe.empty_bins, 0.0, signal)
        if recipe.mark_dropout:
            drawn = self._draw(tf.random.stateless_uniform, step, _MARKS, (batch, 1, marks))
            signal = tf.where(drawn < recipe.mark_dropout, 0.0, signal)
        if recipe.gain:
            drawn = self._draw(tf.random.stateless_normal, step, _GAIN, (batch, 1, marks))
            signal *= tf.exp(recipe.gain * drawn)
        if recipe.mixup:
            share = self._shares(step, batch)
            signal = mixed_signal(signal, share, self.transform)
            targets = tuple(mixed(target, share) for target in targets)
        return signal, *targets

    def _shares(self, step: tf.Tensor, batch: int) -> tf.Tensor:
        """Beta(mixup, mixup), float32 `(batch, 1)`."""
        # Two gamma variables are small together now and then: too small for float32.
        a, b = (
            self._draw(
                tf.random.stateless_gamma,
                step,
                what,
                (batch, 1),
                alpha=tf.constant(self.recipe.mixup, tf.float64),
                dtype=tf.float64,
            )
            for what in (_MIXUP_1, _MIXUP_2)
        )
        return tf.cast(tf.math.divide_no_nan(a, a + b), tf.float32)

    def _draw(
        self, sample: Any, step: tf.Tensor, what: int, shape: Any, **arguments: Any
    ) -> tf.Tensor:
        seed = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(step, tf.int64)])
        seed = tf.random.experimental.stateless_fold_in(seed, what)
        return sample(shape, seed, **arguments)


def shifted(signal: tf.Tensor, bins: tf.Tensor) -> tf.Tensor:
    """Shift gene regions towards their ends.

    Args:
        signal: `(batch, bins, marks)`.
        bins: int32 `(batch,)`, by how many bins, negative towards the beginning. What has no
            signal then has that of the nearest bin that does.
    """
    positions = tf.range(signal.shape[1])[tf.newaxis] - bins[:, tf.newaxis]
    return tf.gather(signal, tf.clip_by_value(positions, 0, signal.shape[1] - 1), batch_dims=1)


def mixed(values: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """`share` `(batch, ...)` of each gene of a batch, the rest of the next one."""
    return share * values + (1 - share) * tf.roll(values, -1, axis=0)


def mixed_signal(signal: tf.Tensor, share: tf.Tensor, transform: str) -> tf.Tensor:
    """Signal as measured that the model's transform makes a mixture of transformed signals.

    Args:
        signal: float32 `(batch, bins, marks)`, as measured.
        share: `(batch, 1)`, of each gene; the rest is of the next one.
        transform: `log1p` or `none`; standardising changes no mixture.
    """
    share = share[..., tf.newaxis]
    if transform == "none":
        return mixed(signal, share)
    return tf.math.expm1(mixed(tf.math.log1p(signal), share))
