"""A SavedModel for TensorFlow Serving: writing it, and checking what was written."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from export.checks import check_operations, check_parity
from export.description import SIDECAR_FILE
from export.fresh_process import FreshProcess
from export.signatures import build_servable
from export.warmup import write_warmup


def write(
    model: keras.Model, model_dir: Path, name: str, description: str, signal: np.ndarray
) -> None:
    """Write a model with its sidecar and its warm-up requests.

    Args:
        model: The model.
        model_dir: An empty folder.
        name: Name under which the model is served.
        description: Contents of the sidecar.
        signal: Genes to warm up with, `(n, bins, marks)`.
    """
    servable = build_servable(model, description)
    tf.saved_model.save(servable.module, str(model_dir), servable.signatures)
    sidecar = model_dir / SIDECAR_FILE
    sidecar.parent.mkdir(exist_ok=True)
    sidecar.write_text(description)
    warmup = {key: ("signal", signal[:1]) for key in servable.signatures if key != "describe"}
    write_warmup(model_dir, name, {**warmup, "describe": ("query", _query(signal)[:1])})


def check(
    model: keras.Model,
    model_dir: Path,
    description: str,
    signal: np.ndarray,
    process: FreshProcess,
) -> None:
    """Ask what `write` has written, in a process without our code.

    Raises:
        ExportError: If it has other operations than exports have, or answers otherwise than the
            Keras model.
        RuntimeError: If it cannot be loaded there or does not answer.
    """
    check_operations(model_dir)
    answers = process.answers(model_dir, {"signal": signal, "query": _query(signal)})
    check_parity(model, signal, description, answers)


def _query(signal: np.ndarray) -> np.ndarray:
    return np.zeros(len(signal), np.float32)
