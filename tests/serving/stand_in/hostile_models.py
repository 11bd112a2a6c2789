"""SavedModels that do more than answer, one for each way out of the session that is known.

Most are traced from TensorFlow's own operations; what Python has no function for is put into the
graph afterwards.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf
from tensorflow.core.framework import function_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

Function: TypeAlias = Callable[[tf.Tensor], Any]
Change: TypeAlias = Callable[[meta_graph_pb2.MetaGraphDef], None]

TEXT = tf.TensorSpec((), tf.string, name="path")
raw = tf.raw_ops


def save(path: Path, function: Function, change: Change | None = None) -> Path:
    """Save a function of a text as a SavedModel, and change what was saved."""
    module = tf.Module()
    module.weight = tf.Variable(1.0)
    module.function = tf.function(function, autograph=False)
    tf.saved_model.save(module, str(path), module.function.get_concrete_function(TEXT))
    if change is not None:
        file = path / "saved_model.pb"
        saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        change(saved_model.meta_graphs[0])
        file.write_bytes(saved_model.SerializeToString())
    return path


def _then(effect: Callable[[tf.Tensor], Any]) -> Function:
    """A function that answers its input, and does something besides."""

    def function(path: tf.Tensor) -> tf.Tensor:
        operation = effect(path)
        operation = getattr(operation, "op", operation)
        with tf.control_dependencies([operation] if operation is not None else []):
            return tf.identity(path)

    return function


def hidden_graph(path: tf.Tensor) -> tf.Tensor:
    """A graph in a text, which writes a file."""
    with tf.init_scope():
        hidden = tf.data.Dataset.from_tensors("").map(_write)
        graph = hidden._as_serialized_graph().numpy()
    # Of the input, though nothing of it: a constant would be computed as the graph is optimized.
    graph = tf.strings.join([graph, tf.strings.substr(path, 0, 0)])
    dataset = raw.DatasetFromGraph(graph_def=graph)
    (answer,) = raw.DatasetToSingleElement(
        dataset=dataset, output_types=[tf.string], output_shapes=[()]
    )
    return tf.strings.join([path, answer])


WRITTEN = [""]
"""Where the hidden graph writes."""


def _write(_: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([raw.WriteFile(filename=WRITTEN[0], contents="x")]):
        return tf.constant("done")


def _dataset(make: Callable[[tf.Tensor], tf.data.Dataset]) -> Function:
    return lambda path: make(path).reduce(tf.constant(""), lambda a, b: b)


def _restore(path: tf.Tensor) -> tf.Tensor:
    values = raw.RestoreV2(
        prefix=path, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.string]
    )
    return values[0]


def _save(path: tf.Tensor) -> tf.Operation:
    return raw.SaveV2(prefix=path, tensor_names=["x"], shape_and_slices=[""], tensors=[path])


def _table(path: tf.Tensor) -> tf.Operation:
    table = raw.MutableHashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
    return raw.InitializeTableFromTextFileV2(
        table_handle=table, filename=path, key_index=0, value_index=-1
    )


def _read_record(path: tf.Tensor) -> tf.Tensor:
    queue = raw.FIFOQueueV2(component_types=[tf.string])
    reader = raw.WholeFileReaderV2()
    with tf.control_dependencies([raw.QueueEnqueueV2(handle=queue, components=[path])]):
        return raw.ReaderReadV2(reader_handle=reader, queue_handle=queue).value


def _summary(path: tf.Tensor) -> tf.Operation:
    writer = raw.SummaryWriter()
    return raw.CreateSummaryFileWriter(
        writer=writer, logdir=path, max_queue=1, flush_millis=1, filename_suffix=""
    )


FUNCTIONS: Mapping[str, Function] = {
    # === Files ===
    "ReadFile": lambda path: raw.ReadFile(filename=path),
    "WriteFile": _then(lambda path: raw.WriteFile(filename=path, contents=path)),
    "MatchingFiles": lambda path: raw.MatchingFiles(pattern=path),
    "PrintV2": _then(lambda path: raw.PrintV2(input=path, output_stream="file:///tmp/printed")),
    "ImmutableConst": _then(
        lambda path: raw.ImmutableConst(
            dtype=tf.float32, shape=[4], memory_region_name="/etc/hostname"
        )
    ),
    "InitializeTableFromTextFileV2": _then(_table),
    "GenerateVocabRemapping": _then(
        lambda path: (
            raw.GenerateVocabRemapping(
                new_vocab_file=path, old_vocab_file=path, new_vocab_offset=0, num_new_vocab=1
            ).remapping
        )
    ),
    "LoadAndRemapMatrix": _then(
        lambda path: raw.LoadAndRemapMatrix(
            ckpt_path=path,
            old_tensor_name=path,
            row_remapping=tf.constant([0], tf.int64),
            col_remapping=tf.constant([0], tf.int64),
            initializing_values=tf.constant([], tf.float32),
            num_rows=1,
            num_cols=1,
        )
    ),
    "RestoreV2": _restore,
    "SaveV2": _then(_save),
    "Save": _then(lambda path: raw.Save(filename=path, tensor_names=["x"], data=[path])),
    "Restore": lambda path: raw.Restore(file_pattern=path, tensor_name="x", dt=tf.string),
    "TextLineDataset": _dataset(lambda path: tf.data.TextLineDataset(path)),
    "TFRecordDataset": _dataset(lambda path: tf.data.TFRecordDataset(path)),
    "FixedLengthRecordDatasetV2": _dataset(lambda path: tf.data.FixedLengthRecordDataset(path, 1)),
    "CacheDatasetV2": _dataset(
        lambda path: tf.data.Dataset.from_tensors(path).cache("/tmp/cached")
    ),
    "WholeFileReaderV2": _read_record,
    "CreateSummaryFileWriter": _then(_summary),
    "DecodeProtoV2": _then(
        lambda path: (
            raw.DecodeProtoV2(
                bytes=path,
                message_type="x",
                field_names=[],
                output_types=[],
                descriptor_source="/etc/hostname",
            ).sizes
        )
    ),
    # === Network ===
    "DebugIdentity": lambda path: raw.DebugIdentity(
        input=path, debug_urls=["grpc://localhost:1", "file:///tmp/dumped"]
    ),
    "RegisterDatasetV2": _then(
        lambda path: raw.RegisterDatasetV2(
            dataset=raw.TensorDataset(components=[path], output_shapes=[()]),
            address=path,
            protocol="grpc",
            external_state_policy=0,
        )
    ),
    "CollectiveGather": _then(
        lambda path: raw.CollectiveGather(
            input=tf.constant([1.0]), group_size=2, group_key=1, instance_key=1, shape=[2]
        )
    ),
    # === Python ===
    "PyFunc": lambda path: tf.numpy_function(lambda p: p, [path], tf.string),
    "EagerPyFunc": lambda path: tf.py_function(lambda p: p, [path], tf.string),
    # === The process ===
    "Abort": _then(lambda path: raw.Abort(error_msg="gone")),
    "Copy": lambda path: raw.Copy(
        input=path, debug_ops_spec=["DebugIdentity;file:///tmp/copied;0"]
    ),
    "MutexV2": _then(lambda path: raw.MutexV2()),
    # === Whole graphs ===
    "DatasetFromGraph": hidden_graph,
    "OneShotIterator": _then(
        lambda path: tf.compat.v1.data.make_one_shot_iterator(tf.data.Dataset.range(1)).get_next()
    ),
    "RemoteCall": lambda path: raw.RemoteCall(
        target="/job:worker", args=[path], Tout=[tf.string], f=_identity.get_concrete_function()
    )[0],
}
"""By the operation that does it."""


@tf.function(input_signature=[TEXT], autograph=False)
def _identity(path: tf.Tensor) -> tf.Tensor:
    return tf.identity(path)


def _function_with(meta_graph: meta_graph_pb2.MetaGraphDef, operation: str) -> Any:
    library = meta_graph.graph_def.library.function
    (function,) = (f for f in library if any(node.op == operation for node in f.node_def))
    return function


def _call_restoring(meta_graph: meta_graph_pb2.MetaGraphDef, node: Any) -> None:
    """Let a node name the function that restores, as an argument of another."""
    restoring = _function_with(meta_graph, "RestoreV2").signature.name
    served = meta_graph.graph_def.library.function[0].signature.name
    node.attr["f"].func.name = served
    node.attr["f"].func.attr["g"].func.name = restoring


def _nested_attribute(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    (name,) = (t.name for t in meta_graph.signature_def["serving_default"].outputs.values())
    (node,) = (n for n in meta_graph.graph_def.node if n.name == name.partition(":")[0])
    _call_restoring(meta_graph, node)


def _gradient(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    names = [f.signature.name for f in meta_graph.graph_def.library.function]
    gradient = function_pb2.GradientDef(function_name=names[0], gradient_func=names[1])
    meta_graph.graph_def.library.gradient.append(gradient)


def _implements(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    for function in meta_graph.graph_def.library.function:
        function.attr["api_implements"].s = b"the same"


def _restores_elsewhere(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """A prefix of its own: the variables of another model."""
    function = _function_with(meta_graph, "RestoreV2")
    elsewhere = function.node_def.add(name="elsewhere", op="Const")
    elsewhere.attr["dtype"].type = tf.string.as_datatype_enum
    elsewhere.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/models/other/variables"))
    (node,) = (n for n in function.node_def if n.op == "RestoreV2")
    node.input[0] = "elsewhere:output:0"


def _restores_another_argument(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """The caller hands on a path that is not the loader's."""
    name = _function_with(meta_graph, "RestoreV2").signature.name
    elsewhere = meta_graph.graph_def.node.add(name="elsewhere", op="Const")
    elsewhere.attr["dtype"].type = tf.string.as_datatype_enum
    elsewhere.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/models/other/variables"))
    (call,) = (n for n in meta_graph.graph_def.node if n.attr["f"].func.name == name)
    call.input[0] = "elsewhere"


def _saves_when_loaded(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    meta_graph.saver_def.restore_op_name = meta_graph.saver_def.save_tensor_name.partition(":")[0]


def _calls_itself(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    function = meta_graph.graph_def.library.function[0]
    call = function.node_def.add(name="again", op="PartitionedCall")
    call.attr["f"].func.name = function.signature.name


def _huge_constant(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """One number and a shape, which take a few bytes."""
    node = meta_graph.graph_def.node.add(name="huge", op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    proto = node.attr["value"].tensor
    proto.dtype = tf.float32.as_datatype_enum
    proto.float_val.append(1.0)
    for _ in range(2):
        proto.tensor_shape.dim.add(size=1 << 20)


def _reads_when_loaded(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
    """What loading runs, whatever the signatures do."""
    path = meta_graph.graph_def.node.add(name="path", op="Const")
    path.attr["dtype"].type = tf.string.as_datatype_enum
    path.attr["value"].tensor.CopyFrom(tf.make_tensor_proto("/etc/hostname"))
    meta_graph.graph_def.node.add(name="reads", op="ReadFile", input=["path"])
    meta_graph.collection_def["saved_model_main_op"].node_list.value.append("reads")


def _renamed(operation: str) -> Change:
    """An operation for which Python has no function."""

    def change(meta_graph: meta_graph_pb2.MetaGraphDef) -> None:
        meta_graph.graph_def.library.function[0].node_def[0].op = operation

    return change


CHANGES: Mapping[str, tuple[Change, str]] = {
    "an attribute of a function's attribute": (_nested_attribute, "RestoreV2"),
    "a gradient": (_gradient, "a function as the gradient of another"),
    "an implementation": (_implements, "a function that may take the place of another"),
    "other variables": (_restores_elsewhere, "RestoreV2 of other files"),
    "other variables, told so": (_restores_another_argument, "RestoreV2 of other files"),
    "saves when it is loaded": (_saves_when_loaded, "MergeV2Checkpoints"),
    "calls itself": (_calls_itself, "a function that calls itself"),
    "a huge constant": (_huge_constant, "constants of more than 16,777,216 elements"),
    "reads when it is loaded": (_reads_when_loaded, "ReadFile"),
    **{
        operation: (_renamed(operation), operation)
        for operation in ("_Recv", "SymbolicGradient", "PyFuncStateless", "XlaLaunch", "NewThing")
    },
}
"""What is changed in a model that answers its input, and what it is refused for."""
