"""Class optimization."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_chrome.errors import InputError
from keras_chrome.importance.class_optimization import (
    L2,
    RECIPES,
    Recipe,
    TotalVariation,
    class_optimization,
    optimize_class,
)
from keras_chrome.models import logit_model


def test_raises_the_logit_less_its_penalties(model: keras.Model, signal: np.ndarray) -> None:
    recipe = Recipe(steps=400, learning_rate=0.02)

    def goal(genes: np.ndarray) -> np.ndarray:
        penalty = L2(recipe.l2)(genes) + TotalVariation(recipe.total_variation)(genes)
        return (logit_model(model)(genes)[:, 0] - penalty).numpy()

    optimized = optimize_class(model, recipe=recipe)[np.newaxis]
    empty = np.zeros((1, 8, 2), np.float32)
    assert optimized.shape == empty.shape
    assert (optimized >= 0).all()
    assert logit_model(model)(optimized) > logit_model(model)(empty)
    assert goal(optimized) > goal(np.concatenate([signal, empty, 0.9 * optimized])).max()


def test_finds_the_optimum_of_a_linear_model(
    linear_model: keras.Model, linear_weights: np.ndarray
) -> None:
    # The logit less l2 x |signal|^2 is highest at weights / (2 x l2), no signal being negative.
    recipe = Recipe(l2=0.1, total_variation=0.0, learning_rate=0.05, steps=100)
    optimized = optimize_class(linear_model, recipe=recipe)
    np.testing.assert_allclose(optimized, np.maximum(linear_weights, 0) / 0.2, atol=0.05)


@pytest.mark.parametrize(("total_variation", "variation"), [(0.0, 7.5), (0.2, 5.5)])
def test_total_variation_lowers_the_highest_bins_of_a_ramp(
    total_variation: float, variation: float, linear_model: keras.Model
) -> None:
    # Without it the marks rise to 3.5 and 4. What lowers the last bin's step lowers the sum by
    # 0.2 a unit, and no other bin: by 0.2 / (2 x l2) = 1 in each mark.
    recipe = Recipe(l2=0.1, total_variation=total_variation, learning_rate=0.05, steps=100)
    optimized = optimize_class(linear_model, recipe=recipe)
    assert np.abs(np.diff(optimized, axis=0)).sum() == pytest.approx(variation, abs=0.15)


def test_the_published_recipe(
    model: keras.Model, signal: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = RECIPES["published"]
    assert published == Recipe(
        "log_probability", l2=0.009, total_variation=0, steps=1000, learning_rate=0.1, highest=1
    )
    monkeypatch.setitem(RECIPES, "published", replace(published, steps=20))
    first, again = (class_optimization(model, signal, recipe="published") for _ in range(2))
    assert first.shape == signal.shape
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], first[-1])
    assert 0 <= first.min() < first.max() <= 1


def test_regularizers_by_hand() -> None:
    signal = np.array([[[1, 5], [3, 4], [0, 4]]], np.float32)
    np.testing.assert_allclose(TotalVariation(0.5)(signal), [0.5 * (2 + 3 + 1 + 0)])
    np.testing.assert_allclose(L2(0.1)(signal), [0.1 * (1 + 25 + 9 + 16 + 0 + 16)])


def test_unknown_recipe_and_score_list_the_known(model: keras.Model) -> None:
    with pytest.raises(InputError, match=r"published.*smooth.*recipe='sharp'"):
        optimize_class(model, recipe="sharp")
    with pytest.raises(InputError, match=r"log_probability.*score='loss'"):
        Recipe(score="loss")
    with pytest.raises(InputError, match="steps=0"):
        Recipe(steps=0)
