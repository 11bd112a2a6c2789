"""Class optimization: the signal that the model would call high, through tf-keras-vis."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_chrome.errors import InputError
from keras_chrome.importance.network import Model, require_network
from keras_chrome.importance.saliency import visualizable


@dataclass(frozen=True)
class Recipe:
    """What to maximise, and how.

    Attributes:
        score: What to raise: `"logit"`, or `"log_probability"` of high expression.
        l2: Weight of the squared norm of the signal, which is subtracted from the score.
        total_variation: Weight of the signal's total variation along the bins, likewise: a larger
            one makes marks smoother, since it costs to go up and down between bins.
        steps: Number of steps.
        learning_rate: RMSprop's, in signal as measured.
        highest: Greatest signal of the result; None for no limit.
        seed: Seeds the start, uniform in [0, 1).

    Raises:
        InputError: If the score is unknown, or there is no step.
    """

    score: str = "logit"
    l2: float = 0.009
    total_variation: float = 0.01
    steps: int = 1000
    learning_rate: float = 0.1
    highest: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.score not in _SCORES:
            raise InputError(f"Expected one of {sorted(_SCORES)}. Received: score={self.score!r}")
        if self.steps < 1:
            raise InputError(f"Expected at least 1. Received: steps={self.steps}")


_SCORES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "logit": tf.identity,
    "log_probability": tf.math.log_sigmoid,
}

# `published` is what the authors' code for DeepChrome does, whose class optimization the paper
# compares attention with.
RECIPES = {
    "smooth": Recipe(),
    "published": Recipe(score="log_probability", total_variation=0.0, highest=1.0),
}


def class_optimization(
    model: Model, signal: np.ndarray, *, recipe: str | Recipe = "smooth"
) -> np.ndarray:
    """One importance for the class, the same for every gene: see `optimize_class`.

    Args:
        model: From `keras_chrome.load_model`; a baseline has no gradient.
        signal: float32 `(genes, bins, marks)`; only its shape matters.
        recipe: A name in `RECIPES`, or one's own.

    Returns:
        float32 `(genes, bins, marks)`, in signal as measured.

    Raises:
        InputError: If the recipe is unknown, or the model is a baseline.
    """
    return np.broadcast_to(optimize_class(model, recipe=recipe), signal.shape)


def optimize_class(model: Model, *, recipe: str | Recipe = "smooth") -> np.ndarray:
    """Look for the signal to which the model gives the highest score. Needs the extra `explain`.

    Every step keeps the signal from becoming negative, since there are no negative reads; the
    authors' code does so only at the end. It also divides the result by its maximum, which we
    leave to those who want that.

    Args:
        model: From `keras_chrome.load_model`; a baseline has no gradient.
        recipe: A name in `RECIPES`: `"smooth"`, or `"published"`; or one's own.

    Returns:
        float32 `(bins, marks)`, as measured, not negative.

    Raises:
        InputError: If the recipe is unknown, or the model is a baseline.

    Reference: Simonyan et al., Deep Inside Convolutional Networks, 2013, section 2; Singh et al.,
    DeepChrome, Bioinformatics 2016, with an L2 weight of 0.009.
    """
    require_network(model, "class_optimization")
    if isinstance(recipe, str):
        if recipe not in RECIPES:
            raise InputError(f"Expected one of {sorted(RECIPES)}. Received: recipe={recipe!r}")
        recipe = RECIPES[recipe]

    from tf_keras_vis.activation_maximization import ActivationMaximization

    compiled = _compiled(model)
    visualizer = ActivationMaximization(
        visualizable(model), model_modifier=lambda _: compiled, clone=False
    )
    shape = compiled.inputs[0].shape[1:]
    start = np.random.default_rng(recipe.seed).random((1, *shape), np.float32)
    # Its defaults shake and turn the signal as if it were a picture.
    optimized: np.ndarray = visualizer(
        _SCORES[recipe.score],
        start,
        input_range=(0.0, recipe.highest),
        input_modifiers=[tf.nn.relu],
        regularizers=[L2(recipe.l2), TotalVariation(recipe.total_variation)],
        steps=recipe.steps,
        optimizer=keras.optimizers.RMSprop(recipe.learning_rate, rho=0.99),
    ).numpy()[0]
    return optimized


@dataclass(frozen=True)
class TotalVariation:
    """Total variation along the bins, each mark by itself, as tf-keras-vis calls a regularizer."""

    weight: float
    name: str = "total_variation"

    def __call__(self, signal: tf.Tensor) -> tf.Tensor:
        """The weighted sum of the steps up and down, `(batch,)`."""
        steps = signal[:, 1:] - signal[:, :-1]
        return self.weight * tf.reduce_sum(tf.abs(steps), axis=(1, 2))


@dataclass(frozen=True)
class L2:
    """Squared norm, as tf-keras-vis calls a regularizer; its own takes the root, and the mean."""

    weight: float
    name: str = "l2"

    def __call__(self, signal: tf.Tensor) -> tf.Tensor:
        """The weighted sum of squares, `(batch,)`."""
        return self.weight * tf.reduce_sum(tf.square(signal), axis=(1, 2))


@functools.lru_cache(maxsize=8)
def _compiled(model: keras.Model) -> "_Compiled":
    return _Compiled(visualizable(model))


class _Compiled:
    """A model as tf-keras-vis uses one, compiled: it is called once a step, outside any graph."""

    def __init__(self, model: keras.Model) -> None:
        self.inputs, self.outputs, self.layers = model.inputs, model.outputs, model.layers
        self._call = tf.function(model, jit_compile=True, autograph=False)

    def __call__(self, inputs: list[tf.Tensor], training: bool) -> Any:
        return self._call(inputs, training=training)
