"""Learning rates, weight decay and averages of weights, by hand."""

import keras
import numpy as np
import pytest

from keras_chrome.fit.optimizer import Schedule, build_optimizer, is_matrix, share_of_rate
from keras_chrome.fit.recipes import Recipe
from keras_chrome.models import VARIANTS, build_model


def rates(kind: str, num_steps: int, warmup: float) -> np.ndarray:
    return np.array(share_of_rate(kind, np.arange(num_steps), num_steps, warmup))


def test_one_cycle_rises_and_falls_along_cosines() -> None:
    found = rates("one_cycle", 100, 0.21)
    # Step 20 is the last of 21 that rise, step 10 half way up; 99 the last that fall.
    first, last = 1 / 25, 1 / 250_000
    assert found[[0, 10, 20, 99]] == pytest.approx([first, (1 + first) / 2, 1, last], rel=1e-4)
    assert found[40] == pytest.approx(last + (1 - last) / 2 * (1 + np.cos(np.pi * 20 / 79)))
    assert (np.diff(found[:21]) > 0).all()
    assert (np.diff(found[20:]) < 0).all()


def test_cosine_rises_straight_and_falls_to_nothing() -> None:
    found = rates("cosine", 100, 0.2)
    assert found[[0, 9, 19, 20, 60]] == pytest.approx([0.05, 0.5, 1, 1, 0.5])
    assert found[99] == pytest.approx((1 + np.cos(np.pi * 79 / 80)) / 2, abs=1e-6)


@pytest.mark.parametrize("kind", ["cosine", "one_cycle"])
@pytest.mark.parametrize(("num_steps", "warmup"), [(100, 0.0), (3, 0.15), (1, 0.5)])
def test_rates_are_shares_however_few_the_steps(kind: str, num_steps: int, warmup: float) -> None:
    found = rates(kind, num_steps, warmup)
    assert np.isfinite(found).all()
    assert (found > 0).all()
    assert found.max() <= 1
    assert found.max() >= 0.5 or num_steps == 1


def test_a_constant_rate_is_constant_and_a_schedule_scales_its_greatest() -> None:
    assert rates("constant", 5, 0.15).tolist() == [1.0] * 5
    schedule = Schedule("cosine", 3e-3, num_steps=100, warmup=0.2)
    assert float(schedule(9)) == pytest.approx(1.5e-3)
    assert float(Schedule(**schedule.get_config())(60)) == pytest.approx(1.5e-3)


def test_a_step_decays_matrices_and_averages_weights() -> None:
    dense = keras.layers.Dense(1)
    dense.build((None, 2))
    dense.set_weights([np.array([[1.0], [-2.0]]), np.array([3.0])])
    recipe = Recipe(learning_rate=0.1, clip_norm=0, weight_decay=0.5, ema=0.75)
    optimizer = build_optimizer(recipe, num_steps=9, variables=dense.weights)
    optimizer.build(dense.weights)
    kernel, bias, mean = np.array([1.0, -2.0]), 3.0, None
    for _ in range(3):
        optimizer.apply([np.full((2, 1), 0.3), np.array([0.3])])
        # Under a gradient that never changes, Adam's step is its rate.
        kernel = kernel - 0.1 * 0.5 * kernel - 0.1
        bias = bias - 0.1
        now = np.append(kernel, bias)
        mean = now if mean is None else 0.75 * mean + 0.25 * now
    found = [dense.kernel.numpy()[:, 0], dense.bias.numpy()]
    np.testing.assert_allclose(np.concatenate(found), now, atol=1e-5)
    optimizer.finalize_variable_values(dense.weights)
    found = [dense.kernel.numpy()[:, 0], dense.bias.numpy()]
    np.testing.assert_allclose(np.concatenate(found), mean, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_matrices_decay_and_biases_and_context_vectors_do_not(variant: str) -> None:
    model = build_model(variant, marks=("a", "b"), num_bins=20)
    decayed = [variable for variable in model.trainable_variables if is_matrix(variable)]
    assert any("logit" in variable.path for variable in decayed)
    for variable in decayed:
        assert len(variable.shape) >= 2
        assert "bias" not in variable.path
        assert "context_vector" not in variable.path
