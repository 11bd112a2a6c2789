"""Protocol buffer messages of TensorFlow Serving, without TensorFlow.

The modules of `tensorflow-serving-api` import TensorFlow, which takes seconds and which a client
does not need; and it has none for the files that configure batching, TLS and monitoring. So the
messages that clients send and read, and those of these files, are described in messages.textproto:
names, numbers and types of their fields. On the wire a message is nothing else.
"""

from pathlib import Path
from typing import TypeVar

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf import wrappers_pb2 as wrappers
from google.protobuf.message import Message

from serving.errors import InputError

_Message = TypeVar("_Message", bound=Message)


def _build() -> dict[str, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto()
    text_format.Parse(Path(__file__).with_suffix(".textproto").read_text(), file)
    # A pool of its own: two versions of this module in one process do not collide.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles([file.name], pool)
    return {name.rpartition(".")[2]: message for name, message in classes.items()}


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
