"""What an exported model must hold before anybody may serve it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from export.allowed_operations import OPERATIONS, RESTORING, SAVING
from export.signatures import DESCRIPTION_KEY
from keras_chrome.errors import InputError
from keras_chrome.models import logit_model
from keras_chrome.models.task import task_of

_TOLERANCE = 1e-5


class ExportError(InputError):
    """A model that must not be served: other machines could not run it, or it answers wrongly."""


def check_operations(model_dir: Path) -> None:
    """Refuse a SavedModel that is made of more than exports are made of.

    A server knows what is in `export.allowed_operations` to reach nothing but the model itself.
    Each of them runs on a CPU, in every build of TensorFlow.

    Raises:
        ExportError: If another operation is there, or something needs a GPU or XLA.
    """
    saved_model = saved_model_pb2.SavedModel.FromString((model_dir / "saved_model.pb").read_bytes())
    faults = sorted({fault for graph in saved_model.meta_graphs for fault in _faults(graph)})
    if faults:
        raise ExportError(
            "Expected operations that a server lets in and every TensorFlow runs on a CPU. "
            f"Received: {', '.join(faults)}. Build the model without cuDNN and without "
            "jit_compile; an operation that does nothing but compute may be added to "
            "allowed_operations.py of export and of serving"
        )


def _faults(meta_graph: tf.compat.v1.MetaGraphDef) -> Iterator[str]:
    graph = meta_graph.graph_def
    nodes: list[node_def_pb2.NodeDef] = list(graph.node)
    for function in graph.library.function:
        nodes.extend(function.node_def)
        if function.attr["_XlaMustCompile"].b:
            yield f"_XlaMustCompile of {function.signature.name}"
    for node in nodes:
        if node.attr["_XlaMustCompile"].b:
            yield f"_XlaMustCompile of {node.name}"
        if "GPU" in node.device:
            yield f"device {node.device}"
    yield from {node.op for node in nodes} - OPERATIONS - SAVING - {RESTORING}


def check_parity(
    model: keras.Model,
    signal: np.ndarray,
    description: str,
    answers: Mapping[str, np.ndarray],
) -> dict[str, float]:
    """Compare what a SavedModel answered with what the Keras model does.

    Args:
        model: The model that was exported.
        signal: Float32 array `(n, bins, marks)`, n > 1.
        description: What `describe` must answer.
        answers: What each signature answered for all n genes and for the first alone, as
            `FreshProcess.answers` gives it.

    Returns:
        What `check_answers` does.

    Raises:
        ExportError: As `check_answers` does, and if the description is another.
    """
    outputs = keras_outputs(model, signal)
    output = task_of(outputs).output
    expected = {
        **{f"serving_default.{key}": values for key, values in outputs.items()},
        f"predict.{output}": outputs[output],
        f"saliency.{output}": outputs[output],
        "saliency.gradient": _gradient_of_logit(model, signal),
    }
    differences = check_answers(expected, answers)
    for num_genes in (len(signal), 1):
        answer = answers.get(f"describe.{DESCRIPTION_KEY}.{num_genes}", np.array([]))
        if answer.tolist() != [description.encode()] * num_genes:
            raise ExportError(f"Expected the description of the model. Received: describe={answer}")
    return differences


def check_answers(
    expected: Mapping[str, np.ndarray], answers: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Compare what an exported model answered with what the Keras model does.

    Args:
        expected: What the Keras model answers to n > 1 genes, by `signature.output`.
        answers: What the exported model answered to all n genes and to the first alone, as
            `FreshProcess.answers` gives it.

    Returns:
        The largest absolute difference of each output, by `signature.output`; of the gradient, and
        of contributions and expression above one, relative to the largest value.

    Raises:
        ExportError: If a difference is larger than 1e-5, or an output is missing or not finite.
    """
    differences: dict[str, float] = {}
    for name, values in expected.items():
        # Attention and probabilities are at most one; gradients, contributions and expression may
        # be anything.
        least = 1e-30 if name == "saliency.gradient" else 1.0
        scale = max(least, np.abs(values).max())
        for num_genes in (len(values), 1):
            # A missing output or one of another shape fails here as a difference would.
            got = answers.get(f"{name}.{num_genes}", np.array(np.nan))
            difference = float(np.abs(got - values[:num_genes]).max() / scale)
            if got.shape != values[:num_genes].shape or not difference <= _TOLERANCE:
                raise ExportError(
                    f"Expected the export to answer as the Keras model, to {_TOLERANCE:g}. "
                    f"Received: {name} of shape {got.shape}, difference {difference:g}. Are the "
                    "weights of the run finite?"
                )
            differences[name] = max(difference, differences.get(name, 0.0))
    return differences


def keras_outputs(model: keras.Model, signal: np.ndarray) -> dict[str, np.ndarray]:
    """What the Keras model answers on the CPU, where a server may run too."""
    with tf.device("/CPU:0"):
        return {k: np.asarray(v) for k, v in model(signal, training=False).items()}


def _gradient_of_logit(model: keras.Model, signal: np.ndarray) -> np.ndarray:
    with tf.device("/CPU:0"):
        watched = tf.constant(signal)
        with tf.GradientTape() as tape:
            tape.watch(watched)
            logit = logit_model(model)(watched, training=False)
        return np.asarray(tape.gradient(logit, watched))
