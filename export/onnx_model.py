"""An ONNX model, two files: writing them, and checking what was written."""

from pathlib import Path

import keras
import numpy as np
import onnx

from export.checks import ExportError, check_answers, keras_outputs
from export.fresh_process import FreshProcess
from export.onnx_graph import METADATA_KEY, onnx_graph
from export.signatures import answering_functions
from keras_chrome.baselines import Baseline
from keras_chrome.models.task import task_of

ALL_FILE = "model.onnx"
ANSWER_FILE = "predict.onnx"


def write(
    model: keras.Model | Baseline, model_dir: Path, name: str, description: str, signal: np.ndarray
) -> None:
    """Write `model.onnx` with all outputs and `predict.onnx` with the answer alone.

    Args:
        model: The model.
        model_dir: An empty folder.
        name: Name of the model; the graphs do not say it.
        description: Becomes the metadata `keras_chrome` of both files.
        signal: Genes; not needed.
    """
    if isinstance(model, Baseline):
        # Late: networks do without skl2onnx and scikit-learn.
        from export.baseline_graph import baseline_graph

        content = baseline_graph(model, description).SerializeToString()
        for file in (ALL_FILE, ANSWER_FILE):
            (model_dir / file).write_bytes(content)
        return
    everything, answer = answering_functions(model)
    for file, function in ((ALL_FILE, everything), (ANSWER_FILE, answer)):
        graph = onnx_graph(function, model.input, model.output, description)
        (model_dir / file).write_bytes(graph.SerializeToString())


def check(
    model: keras.Model | Baseline,
    model_dir: Path,
    description: str,
    signal: np.ndarray,
    process: FreshProcess,
) -> None:
    """Hold what `write` has written against the standard, and ask it in a process of its own.

    Raises:
        ExportError: If a file is not made of standard operations, has lost its description, or
            answers otherwise than the Keras model.
        RuntimeError: If ONNX Runtime cannot load it or does not answer.
    """
    for file in (ALL_FILE, ANSWER_FILE):
        try:
            onnx.checker.check_model(str(model_dir / file), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            reason = " ".join(str(error).split())
            raise ExportError(
                f"Expected standard operations of ONNX. Received: {file} ({reason}). This is a "
                "fault of the export: report it"
            ) from error
    answers = process.answers(model_dir, {"signal": signal})
    is_baseline = isinstance(model, Baseline)
    outputs = model(signal) if is_baseline else keras_outputs(model, signal)
    output = task_of(outputs).output
    expected = {f"model.{key}": values for key, values in outputs.items()}
    check_answers({**expected, f"predict.{output}": outputs[output]}, answers)
    for file in ("model", "predict"):
        told = answers.get(f"{file}.metadata.{METADATA_KEY}", np.array(b""))
        if told.tolist() != description.encode():
            raise ExportError(f"Expected the description of the model. Received: {told}")
