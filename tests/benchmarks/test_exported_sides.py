"""What is measured of exports answers as the model that was exported."""

from pathlib import Path

import keras
import numpy as np
import pytest
from exported_sides import Exported, OnnxRuntime, SavedModel
from keras_sides import random_model
from random_genes import RandomGenes
from sides import Setting


@pytest.mark.parametrize("side", [SavedModel, OnnxRuntime])
def test_exports_answer_as_the_model(side: type[Exported], tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    setting = Setting(batch=3, bins=8, variant="cnn_attn")
    model, signal = random_model(setting), RandomGenes(setting).signal[:3]
    expected = {name: values.numpy() for name, values in model(signal, training=False).items()}
    answer = side().load(model, tmp_path, signal)(signal)
    received = list(answer.values() if isinstance(answer, dict) else answer)
    assert len(received) == len(expected)
    for values in expected.values():
        assert any(r.shape == values.shape and np.allclose(r, values, atol=1e-5) for r in received)
