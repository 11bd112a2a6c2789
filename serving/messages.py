"""Protocol buffer messages of TensorFlow Serving, without TensorFlow.

The modules of `tensorflow-serving-api` import TensorFlow, which takes seconds and which a client
does not need; and it has none for the files that configure batching, TLS and monitoring. So the
messages that clients send and read, and those of these files, are built here from their field
names, numbers and types, which are TensorFlow Serving's and TensorFlow's (predict.proto,
model.proto, get_model_metadata.proto, get_model_status.proto, tensor.proto, meta_graph.proto;
session_bundle_config.proto, ssl_config.proto, monitoring_config.proto). On the wire a message is
nothing else. Fields that nobody here reads are left out: a reader skips what it does not know.
"""

from pathlib import Path
from typing import TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers
from google.protobuf.message import Message

from serving.errors import InputError

_Message = TypeVar("_Message", bound=Message)
_PACKAGE = "keras_chrome.serving"
_INT64 = f".{wrappers.Int64Value.DESCRIPTOR.full_name}"
_STRING = f".{wrappers.StringValue.DESCRIPTOR.full_name}"

# As TensorFlow numbers the types of tensors.
_DATA_TYPES = {
    "DT_INVALID": 0,
    "DT_FLOAT": 1,
    "DT_DOUBLE": 2,
    "DT_INT32": 3,
    "DT_UINT8": 4,
    "DT_INT16": 5,
    "DT_INT8": 6,
    "DT_STRING": 7,
    "DT_COMPLEX64": 8,
    "DT_INT64": 9,
    "DT_BOOL": 10,
    "DT_BFLOAT16": 14,
    "DT_UINT16": 17,
    "DT_COMPLEX128": 18,
    "DT_HALF": 19,
    "DT_UINT32": 22,
    "DT_UINT64": 23,
}
_ENUMS = {
    "DataType": _DATA_TYPES,
    "State": {
        "UNKNOWN": 0,
        "START": 10,
        "LOADING": 20,
        "AVAILABLE": 30,
        "UNLOADING": 40,
        "END": 50,
    },
}

# Name: number and type; one with a dot before it is another message or enum, one with `map` before
# it what texts lead to.
_FIELDS: dict[str, dict[str, tuple[int, str]]] = {
    "BatchingParameters": {
        "max_batch_size": (1, _INT64),
        "batch_timeout_micros": (2, _INT64),
        "max_enqueued_batches": (3, _INT64),
        "num_batch_threads": (4, _INT64),
        "thread_pool_name": (5, _STRING),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
    },
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, ".PrometheusConfig")},
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, _INT64),
        "signature_name": (3, "string"),
        "version_label": (4, "string"),
    },
    "PredictRequest": {"model_spec": (1, ".ModelSpec"), "inputs": (2, "map .TensorProto")},
    "PredictResponse": {"outputs": (1, "map .TensorProto"), "model_spec": (2, ".ModelSpec")},
    "TensorProto": {
        "dtype": (1, ".DataType"),
        "tensor_shape": (2, ".TensorShapeProto"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "double_val": (6, "repeated double"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "scomplex_val": (9, "repeated float"),
        "int64_val": (10, "repeated int64"),
        "bool_val": (11, "repeated bool"),
        "dcomplex_val": (12, "repeated double"),
        "half_val": (13, "repeated int32"),
        "uint32_val": (16, "repeated uint32"),
        "uint64_val": (17, "repeated uint64"),
    },
    "TensorShapeProto": {"dim": (2, "repeated .Dim"), "unknown_rank": (3, "bool")},
    "Dim": {"size": (1, "int64")},
    "GetModelMetadataRequest": {
        "model_spec": (1, ".ModelSpec"),
        "metadata_field": (2, "repeated string"),
    },
    "GetModelMetadataResponse": {"metadata": (2, "map .Any")},
    # What says its own type: here always a SignatureDefMap.
    "Any": {"type_url": (1, "string"), "value": (2, "bytes")},
    "SignatureDefMap": {"signature_def": (1, "map .SignatureDef")},
    "SignatureDef": {
        "inputs": (1, "map .TensorInfo"),
        "outputs": (2, "map .TensorInfo"),
        "method_name": (3, "string"),
    },
    "TensorInfo": {"dtype": (2, ".DataType"), "tensor_shape": (3, ".TensorShapeProto")},
    "GetModelStatusRequest": {"model_spec": (1, ".ModelSpec")},
    "GetModelStatusResponse": {"model_version_status": (1, "repeated .ModelVersionStatus")},
    "ModelVersionStatus": {"version": (1, "int64"), "state": (2, ".State")},
    # The part of a TensorProto that holds floats. A packed field of them and one of bytes look the
    # same on the wire, and reading bytes is a hundred times as fast.
    "PackedFloats": {"float_val": (5, "bytes")},
}


def _build() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="keras_chrome/serving/messages.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers.DESCRIPTOR.name],
    )
    for enum_name, values in _ENUMS.items():
        enum = file.enum_type.add(name=enum_name)
        for name, number in values.items():
            enum.value.add(name=name, number=number)
    for message_name, fields in _FIELDS.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in fields.items():
            _add_field(message, name, number, kind)
    # A pool of its own: two versions of this module in one process do not collide.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, text: str) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    how, _, kind = text.rpartition(" ")
    field = message.field.add(name=name, number=number)
    field.label = kinds.LABEL_REPEATED if how else kinds.LABEL_OPTIONAL
    if how == "map":
        # On the wire a map is a list of pairs, each a message of its own.
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, kind)
        field.type = kinds.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"
    elif kind.startswith("."):
        is_enum = kind[1:] in _ENUMS
        field.type = kinds.TYPE_ENUM if is_enum else kinds.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".google.") else f".{_PACKAGE}{kind}"
    else:
        field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")


_classes = _build()
BatchingParameters = _classes["BatchingParameters"]
SSLConfig = _classes["SSLConfig"]
MonitoringConfig = _classes["MonitoringConfig"]
PackedFloats = _classes["PackedFloats"]
ModelSpec = _classes["ModelSpec"]
PredictRequest = _classes["PredictRequest"]
PredictResponse = _classes["PredictResponse"]
TensorProto = _classes["TensorProto"]
GetModelMetadataRequest = _classes["GetModelMetadataRequest"]
GetModelMetadataResponse = _classes["GetModelMetadataResponse"]
SignatureDefMap = _classes["SignatureDefMap"]
GetModelStatusRequest = _classes["GetModelStatusRequest"]
GetModelStatusResponse = _classes["GetModelStatusResponse"]


def read_text_proto(path: str | Path, message: _Message) -> _Message:
    """Read a file in protobuf's text format into a message.

    Raises:
        InputError: If the file cannot be read or does not hold such a message.
    """
    name = message.DESCRIPTOR.name
    try:
        text_format.Parse(Path(path).read_text(), message)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(
            f"Expected a {name} in protobuf's text format. Received: {path} ({reason})"
        ) from error
    return message
