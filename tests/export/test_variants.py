"""Every variant exports, and answers as its Keras model does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from export import export_run
from keras_chrome.models import VARIANTS
from keras_chrome.run_directory import Run

# What keeps a variant whose filters are wider than the tests' eight bins small.
SIZES = {"deep_chrome": {"filter_bins": 3, "pool_bins": 2}}


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_saved_model_parity(
    variant: str, make_run: Callable[..., Run], tmp_path: Path, signal: np.ndarray
) -> None:
    run = make_run(tmp_path / "run", variant, **SIZES.get(variant, {}))
    model_dir = export_run(run.path, tmp_path / "models", variant)
    signatures = tf.saved_model.load(str(model_dir)).signatures
    expected = run.load_model()(signal, training=False)
    received = signatures["serving_default"](signal=tf.constant(signal))
    assert set(received) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(received[name], values, atol=1e-5)
