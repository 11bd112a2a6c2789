"""A Keras model as an ONNX graph of standard operations.

The model is traced as for a SavedModel, where an LSTM is one operation, `BlockLSTM`, and tf2onnx
turns the graph into ONNX. It knows neither that operation nor `Log1p`; `HANDLERS` does.

Reference: ONNX operators LSTM (version 14) and Slice (version 13).
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from tf2onnx import utils

from keras_chrome.layers.implementation import use_recurrence

# ONNX Runtime has read both since version 1.12 of July 2022.
OPSET = 17
IR_VERSION = 8
METADATA_KEY = "keras_chrome"


def onnx_graph(
    function: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    signal: keras.KerasTensor,
    outputs: dict[str, keras.KerasTensor],
    description: str,
) -> onnx.ModelProto:
    """Turn what a model answers into an ONNX graph.

    Args:
        function: From a float32 signal `(n, bins, marks)` to outputs by name.
        signal: The model's input, for its shape.
        outputs: The model's outputs of the same names, for theirs.
        description: The model's description, which becomes its metadata `keras_chrome`.

    Returns:
        A graph from `signal` to the outputs by name, float32, with n free.
    """
    graph: onnx.ModelProto
    spec = tf.TensorSpec(signal.shape, tf.float32, name="signal")
    with use_recurrence("block"), _quiet():
        graph, _ = tf2onnx.convert.from_function(
            tf.function(function, autograph=False),
            [spec],
            opset=OPSET,
            custom_op_handlers=HANDLERS,
        )
    graph.ir_version = IR_VERSION
    # Without what tf2onnx adds: a domain that nothing is of, and the number of a function.
    del graph.opset_import[:]
    graph.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    graph.graph.ClearField("doc_string")
    _make_scalars(graph.graph)
    for value in [*graph.graph.input, *graph.graph.output]:
        shape = ("n", *(signal if value.name == "signal" else outputs[value.name]).shape[1:])
        value.CopyFrom(
            onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, shape)
        )
    onnx.helper.set_model_props(graph, {METADATA_KEY: description})
    return graph


@contextmanager
def _quiet() -> Iterator[None]:
    """Let tf2onnx keep its lines to itself: what it could not convert, the checks find."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _make_scalars(graph: onnx.GraphProto) -> None:
    """Take the axes from numbers that are added or multiplied.

    Where tf2onnx moves a transpose it gives them four. They mean the same, but ONNX Runtime finds
    GELU, which it has as one operation, by a scalar 1.
    """
    users: dict[str, set[str]] = defaultdict(set)
    for node in graph.node:
        for name in node.input:
            users[name].add(node.op_type)
    for constant in graph.initializer:
        if math.prod(constant.dims) == 1 and users[constant.name] <= {"Add", "Mul"}:
            del constant.dims[:]


# === Operations that tf2onnx does not know ===


def _lstm(graph: Any, node: Any, name: str, args: Any) -> None:
    """The hidden states of `layers.block_lstm`: from zero states, no peepholes, no clipping."""
    _, sequence, _, _, weights, _, _, _, bias = node.input
    weights, bias = _value(graph, weights), _value(graph, bias)
    units = len(bias) // 4
    # Input, candidate, forget and output gate become ONNX's input, output, forget, candidate.
    i, c, f, o = np.split(np.concatenate([weights, bias[None]]), 4, axis=1)
    kernel, recurrent_kernel, bias = np.split(
        np.concatenate([i, o, f, c], axis=1).T[None], [-units - 1, -1], axis=2
    )
    # ONNX has a second bias, of the recurrent kernel.
    biases = np.concatenate([bias[..., 0], np.zeros((1, 4 * units))], axis=1)
    hidden = _add(
        graph,
        "LSTM",
        [sequence, *(_constant(graph, w) for w in (kernel, recurrent_kernel, biases))],
        attr={"hidden_size": units},
    )
    # (steps, directions, batch, units)
    _replace(graph, node, node.output[6], _add(graph, "Squeeze", [hidden, _integers(graph, 1)]))


def _log1p(graph: Any, node: Any, name: str, args: Any) -> None:
    one_more = _add(graph, "Add", [node.input[0], _constant(graph, np.array(1))])
    _replace(graph, node, node.output[0], _add(graph, "Log", [one_more]))


def _reverse(graph: Any, node: Any, name: str, args: Any) -> None:
    """A slice from the end to the beginning: tf2onnx's own transposes, and copies row by row."""
    (axis,) = _value(graph, node.input[1])
    bounds = (_integers(graph, number) for number in (-1, np.iinfo(np.int64).min, axis, -1))
    _replace(graph, node, node.output[0], _add(graph, "Slice", [node.input[0], *bounds]))


def _value(graph: Any, name: str) -> Any:
    return graph.get_node_by_output(name).get_tensor_value(as_list=False)


def _add(graph: Any, operation: str, inputs: list[str], **options: Any) -> str:
    """Add a node; the name of its output."""
    name = utils.make_name(operation)
    return str(graph.make_node(operation, inputs, name=name, **options).output[0])


def _constant(graph: Any, value: np.ndarray) -> str:
    return str(graph.make_const(utils.make_name("constant"), value.astype(np.float32)).output[0])


def _integers(graph: Any, *values: int) -> str:
    array = np.array(values, np.int64)
    return str(graph.make_const(utils.make_name("integers"), array).output[0])


def _replace(graph: Any, node: Any, output: str, new: str) -> None:
    graph.replace_all_inputs(output, new)
    graph.remove_node(node.name)


# What tf2onnx is to make of operations, with the arguments that it passes on.
HANDLERS: dict[str, tuple[Callable[..., None], list[Any]]] = {
    "BlockLSTM": (_lstm, []),
    "Log1p": (_log1p, []),
    "ReverseV2": (_reverse, []),
}
