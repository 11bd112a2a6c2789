"""Exported models as servers run them: a SavedModel in TensorFlow, and a file in ONNX Runtime."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import onnxruntime
from keras_sides import random_model
from random_genes import RandomGenes
from sides import Setting, Steps

from export import onnx_model, saved_model
from serving.stand_in.servable import Servable

_Answer = Callable[[np.ndarray], Mapping[str, np.ndarray] | list[np.ndarray]]


class Exported:
    """A model that was exported; it answers, and is not trained."""

    def prediction(self, setting: Setting) -> Steps:
        """All answers for one batch."""
        signal = RandomGenes(setting).signal[: setting.batch]
        with TemporaryDirectory() as folder:
            answer = self.load(random_model(setting), Path(folder), signal)
        return Steps(lambda: answer(signal))

    def load(self, model: keras.Model, folder: Path, signal: np.ndarray) -> _Answer:
        """Export a model, and load what was written."""
        raise NotImplementedError


class SavedModel(Exported):
    """A session of TensorFlow, as TensorFlow Serving has one."""

    def load(self, model: keras.Model, folder: Path, signal: np.ndarray) -> _Answer:
        """Write and load the SavedModel."""
        saved_model.write(model, folder, "model", "{}", signal)
        servable = Servable("model", 1, folder)
        return lambda genes: servable.predict("serving_default", {"signal": genes})


class OnnxRuntime(Exported):
    """ONNX Runtime as it comes."""

    def load(self, model: keras.Model, folder: Path, signal: np.ndarray) -> _Answer:
        """Write and load `model.onnx`."""
        onnx_model.write(model, folder, "model", "{}", signal)
        session: Any = onnxruntime.InferenceSession(
            folder / onnx_model.ALL_FILE, providers=["CPUExecutionProvider"]
        )
        return lambda genes: session.run(None, {"signal": genes})
