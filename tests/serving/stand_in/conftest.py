"""Small SavedModels to serve: of numbers, and one that takes its time."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

MakeVersion = Callable[..., Path]


def save_function(path: Path, function: Callable[..., object], *specs: tf.TensorSpec) -> Path:
    """Save a function as the default signature of a SavedModel."""
    module = tf.Module()
    module.function = tf.function(function)
    concrete = module.function.get_concrete_function(*specs)
    tf.saved_model.save(module, str(path), concrete)
    return path


@pytest.fixture
def make_version() -> MakeVersion:
    """Saves a model that adds a number to x `(n, ...)`."""

    def make(path: Path, number: float) -> Path:
        spec = tf.TensorSpec(None, tf.float32, name="x")
        return save_function(path, lambda x: {"y": x + np.float32(number)}, spec)

    return make


@pytest.fixture(scope="session")
def slow_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`slow`: takes x `(n,)` seconds, about, and answers x."""

    def wait(x: tf.Tensor) -> dict[str, tf.Tensor]:
        matrix = tf.fill((256, 256), 1 / 256)
        rounds = tf.cast(tf.reduce_max(x) * 2000, tf.int32)

        def again(i: tf.Tensor, product: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, product @ matrix

        _, product = tf.while_loop(lambda i, _: i < rounds, again, (0, matrix))
        return {"y": x + 0 * product[0, 0]}

    folder = tmp_path_factory.mktemp("slow")
    save_function(folder / "slow/1", wait, tf.TensorSpec((None,), tf.float32, name="x"))
    return folder
