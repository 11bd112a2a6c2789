"""Protocol buffer messages of TensorFlow Serving that its Python package does not bring.

`tensorflow-serving-api` has no module for the files that configure batching, TLS and monitoring.
The messages are built here from their field names, numbers and types, which are TensorFlow
Serving's (session_bundle_config.proto, ssl_config.proto, monitoring_config.proto), so that the
files that its container reads can be written, checked and read here too.
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

# Name: number and type; a type with a dot is another message.
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
    "MonitoringConfig": {"prometheus_config": (1, f".{_PACKAGE}.PrometheusConfig")},
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
    kinds = descriptor_pb2.FieldDescriptorProto
    for message_name, fields in _FIELDS.items():
        message = file.message_type.add(name=message_name)
        for name, (number, text) in fields.items():
            label, _, kind = text.rpartition(" ")
            field = message.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
            if label == "repeated":
                field.label = kinds.LABEL_REPEATED
            if kind.startswith("."):
                field.type, field.type_name = kinds.TYPE_MESSAGE, kind
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    # A pool of its own: two versions of this module in one process do not collide.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


_classes = _build()
BatchingParameters = _classes["BatchingParameters"]
SSLConfig = _classes["SSLConfig"]
MonitoringConfig = _classes["MonitoringConfig"]
PackedFloats = _classes["PackedFloats"]


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
