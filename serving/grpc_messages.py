"""TensorFlow Serving's gRPC messages and methods, as blocking and asynchronous clients use them."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import grpc

from serving.errors import ServerError
from serving.questions import Answer, Request, VersionChoice
from serving.tls import Tls

# A server that comes back is noticed within a second, not within the two minutes of gRPC's default.
_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class Connection:
    """A channel to a server, and its methods by their names.

    Args:
        module: `grpc`, or `grpc.aio`, whose methods are awaited.
        target: `host:port`.
        tls: Files for TLS; without them the channel is in the clear.
        max_message_bytes: Most bytes of a message, either way.

    Raises:
        InputError: If a file for TLS cannot be read.
    """

    def __init__(
        self, module: ModuleType, target: str, tls: Tls | None, max_message_bytes: int
    ) -> None:
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        options: list[tuple[str, Any]] = [
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.max_receive_message_length", max_message_bytes),
            *_RECONNECT,
        ]
        if tls is None:
            self.channel = module.insecure_channel(target, options=options)
        else:
            options += tls.channel_options()
            self.channel = module.secure_channel(target, tls.credentials(), options=options)
        predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.methods: dict[str, Callable[..., Any]] = {
            "Predict": predictions.Predict,
            "GetModelMetadata": predictions.GetModelMetadata,
            "GetModelStatus": models.GetModelStatus,
        }


def predict_message(model: str, request: Request[Any], choice: VersionChoice) -> Any:
    """A `PredictRequest`."""
    from tensorflow_serving.apis import predict_pb2

    from serving.tensors import to_request

    message = predict_pb2.PredictRequest()
    _fill(message.model_spec, model, choice)
    message.model_spec.signature_name = request.signature
    message.inputs[request.input_name].CopyFrom(to_request(request.values))
    return message


def read_answer(message: Any) -> Answer:
    """What a `PredictResponse` holds.

    Raises:
        ServerError: If it holds no arrays.
    """
    from serving.tensors import TensorError, to_array

    try:
        outputs = {name: to_array(tensor) for name, tensor in message.outputs.items()}
    except TensorError as error:
        raise ServerError(
            grpc.StatusCode.INTERNAL, f"Expected arrays from the server. Received: {error}"
        ) from error
    return Answer(outputs, message.model_spec.version.value)


def metadata_message(model: str, choice: VersionChoice) -> Any:
    """A `GetModelMetadataRequest`."""
    from tensorflow_serving.apis import get_model_metadata_pb2

    message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    _fill(message.model_spec, model, choice)
    return message


def read_metadata(message: Any) -> Mapping[str, Any]:
    """The `SignatureDefMap` of a `GetModelMetadataResponse`, as JSON."""
    from tensorflow_serving.apis import get_model_metadata_pb2

    signatures = get_model_metadata_pb2.SignatureDefMap()
    message.metadata["signature_def"].Unpack(signatures)
    return to_json(signatures)


def status_message(model: str, choice: VersionChoice) -> Any:
    """A `GetModelStatusRequest`."""
    from tensorflow_serving.apis import get_model_status_pb2

    message = get_model_status_pb2.GetModelStatusRequest()
    # A server that is asked for a label tells of all versions.
    _fill(message.model_spec, model, choice if isinstance(choice, int) else None)
    return message


def to_json(message: Any) -> Mapping[str, Any]:
    """A message as the REST interface writes it."""
    from google.protobuf import json_format

    fields: Mapping[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def _fill(model_spec: Any, model: str, choice: VersionChoice) -> None:
    model_spec.name = model
    if isinstance(choice, int):
        model_spec.version.value = choice
    elif choice is not None:
        model_spec.version_label = choice
