"""What an exported model must hold before anybody may serve it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from export.signatures import DESCRIPTION_KEY
from keras_chrome.errors import InputError
from keras_chrome.models import logit_model

# Operations that only a GPU build or a compiler has; a TensorFlow Serving on a CPU has neither.
_FORBIDDEN_PREFIXES = ("Cudnn", "Xla")
_TOLERANCE = 1e-5


class ExportError(InputError):
    """A model that must not be served: other machines could not run it, or it answers wrongly."""


def check_portable(model_dir: Path) -> None:
    """Refuse a SavedModel that only a GPU or only XLA can run.

    Raises:
        ExportError: If an operation or a function of the graph needs either.
    """
    saved_model = saved_model_pb2.SavedModel.FromString((model_dir / "saved_model.pb").read_bytes())
    faults = sorted({fault for graph in saved_model.meta_graphs for fault in _faults(graph)})
    if faults:
        raise ExportError(
            "Expected operations that every TensorFlow runs on a CPU. Received: "
            f"{', '.join(faults)}. Build the model without cuDNN and without jit_compile"
        )


def _faults(meta_graph: tf.compat.v1.MetaGraphDef) -> Iterator[str]:
    graph = meta_graph.graph_def
    nodes: list[node_def_pb2.NodeDef] = list(graph.node)
    for function in graph.library.function:
        nodes.extend(function.node_def)
        if function.attr["_XlaMustCompile"].b:
            yield f"_XlaMustCompile of {function.signature.name}"
    for node in nodes:
        if node.op.startswith(_FORBIDDEN_PREFIXES):
            yield node.op
        if node.attr["_XlaMustCompile"].b:
            yield f"_XlaMustCompile of {node.name}"
        if "GPU" in node.device:
            yield f"device {node.device}"


def check_parity(
    model: keras.Model, model_dir: Path, signal: np.ndarray, description: str
) -> dict[str, float]:
    """Load a SavedModel and compare every signature with the Keras model.

    Args:
        model: The model that was exported.
        model_dir: The SavedModel.
        signal: Float32 array `(n, bins, marks)`, n > 1: compared at n genes and at one.
        description: What `describe` must answer.

    Returns:
        The largest absolute difference of each output; of the gradient, relative to its largest
        value.

    Raises:
        ExportError: If a difference is larger than 1e-5, or an output is missing or not finite.
    """
    signatures = tf.saved_model.load(str(model_dir)).signatures
    expected = {
        "serving_default": _as_arrays(model(signal, training=False)),
        "saliency": _saliency(model, signal),
    }
    expected["predict"] = {"probability": expected["serving_default"]["probability"]}
    differences: dict[str, float] = {}
    for signature, outputs in expected.items():
        for num_genes in (len(signal), 1):
            received = _as_arrays(signatures[signature](signal=tf.constant(signal[:num_genes])))
            for key, value in outputs.items():
                scale = max(1e-30, np.abs(value).max()) if key == "gradient" else 1.0
                # A missing output or one of another shape fails here as a difference would.
                got = received.get(key, np.array(np.nan))
                difference = float(np.abs(got - value[:num_genes]).max() / scale)
                if got.shape != value[:num_genes].shape or not difference <= _TOLERANCE:
                    raise ExportError(
                        f"Expected the SavedModel to answer as the Keras model, to {_TOLERANCE:g}. "
                        f"Received: {signature}.{key} of shape {got.shape}, difference "
                        f"{difference:g}. Are the weights of the run finite?"
                    )
                name = f"{signature}.{key}"
                differences[name] = max(difference, differences.get(name, 0.0))
    answer = signatures["describe"](query=tf.zeros(2))[DESCRIPTION_KEY]
    if answer.numpy().tolist() != [description.encode()] * 2:
        raise ExportError(f"Expected the description of the model. Received: describe={answer}")
    return differences


def _as_arrays(outputs: Mapping[str, tf.Tensor]) -> dict[str, np.ndarray]:
    return {key: np.asarray(value) for key, value in outputs.items()}


def _saliency(model: keras.Model, signal: np.ndarray) -> dict[str, np.ndarray]:
    to_logit = logit_model(model)
    watched = tf.constant(signal)
    with tf.GradientTape() as tape:
        tape.watch(watched)
        logit = to_logit(watched, training=False)
    return _as_arrays(
        {
            "gradient": tape.gradient(logit, watched),
            "probability": tf.sigmoid(tf.reshape(logit, [-1])),
        }
    )
