"""The optimizer of a recipe, and its learning rate step by step."""

import math
from typing import Any

import keras
from keras import ops

from keras_chrome.fit.recipes import Recipe

# Of one_cycle: the first rate is so much below the greatest, and the last below the first.
_FIRST_BELOW, _LAST_BELOW = 25.0, 1e4


def build_optimizer(
    recipe: Recipe, *, num_steps: int, variables: list[keras.Variable], num_replicas: int = 1
) -> keras.optimizers.Optimizer:
    """Adam as a recipe wants it, with a place for its state.

    Args:
        recipe: The recipe.
        num_steps: Steps of the whole training.
        variables: What is trained. Those that decay are the matrices, which Keras's layers and
            ours call kernels.
        num_replicas: Devices, each of which applies its part of the gradient.
    """
    rate: Any = recipe.learning_rate
    if recipe.schedule != "constant":
        rate = Schedule(recipe.schedule, rate, num_steps=num_steps, warmup=recipe.warmup)
    optimizer = keras.optimizers.Adam(
        rate,
        global_clipnorm=recipe.clip_norm / num_replicas or None,
        weight_decay=recipe.weight_decay or None,
        **({"use_ema": True, "ema_momentum": recipe.ema} if recipe.ema else {}),
    )
    optimizer.exclude_from_weight_decay([v for v in variables if not is_matrix(v)])
    return optimizer


def is_matrix(variable: keras.Variable) -> bool:
    """Whether weight decay pulls at it."""
    return "kernel" in variable.name


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises in the first steps and falls in the others.

    Args:
        kind: `cosine` or `one_cycle`.
        greatest: The greatest rate.
        num_steps: Steps of the whole training.
        warmup: Share of them in which the rate rises.
    """

    def __init__(self, kind: str, greatest: float, *, num_steps: int, warmup: float) -> None:
        super().__init__()
        self.kind = kind
        self.greatest = greatest
        self.num_steps = num_steps
        self.warmup = warmup

    def __call__(self, step: Any) -> Any:
        """The rate of a step, counted from 0."""
        return self.greatest * share_of_rate(self.kind, step, self.num_steps, self.warmup)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the schedule."""
        names = ("kind", "greatest", "num_steps", "warmup")
        return {name: getattr(self, name) for name in names}


def share_of_rate(kind: str, step: Any, num_steps: Any, warmup: float) -> Any:
    """The learning rate of a step as a share of the greatest.

    `cosine` rises on a straight line from 0, which it leaves out, and falls along half a cosine
    to 0. `one_cycle` rises along half a cosine from 1/25 and falls along another to 1/250,000; its
    steps are those of PyTorch's `OneCycleLR`.

    Args:
        kind: `constant`, `cosine` or `one_cycle`.
        step: Number of the step, from 0; a number or a tensor.
        num_steps: Steps of the whole training; likewise.
        warmup: Share of them in which the rate rises.

    Reference: Smith and Topin, Super-Convergence, arXiv:1708.07120.
    """
    step, num_steps = (ops.cast(value, "float32") for value in (step, num_steps))
    if kind == "constant":
        return ops.ones_like(step)
    rising_steps = warmup * num_steps
    if kind == "cosine":
        fallen = (step - rising_steps) / (num_steps - rising_steps)
        rising = (step + 1) / ops.maximum(rising_steps, 1.0)
        return ops.where(step < rising_steps, ops.minimum(rising, 1.0), _half_cosine(1, 0, fallen))
    top = rising_steps - 1
    first, last = 1 / _FIRST_BELOW, 1 / (_FIRST_BELOW * _LAST_BELOW)
    rising = _half_cosine(first, 1, step / ops.maximum(top, 1e-7))
    falling = _half_cosine(1, last, (step - top) / (num_steps - 1 - top))
    return ops.where(step <= top, rising, falling)


def _half_cosine(start: float, end: float, passed: Any) -> Any:
    """From start to end, of which a share has passed."""
    return end + (start - end) / 2 * (1 + ops.cos(math.pi * passed))
