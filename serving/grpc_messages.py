"""TensorFlow Serving's gRPC methods, and the messages that they take and answer."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from serving.errors import ServerError
from serving.messages import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    GetModelStatusRequest,
    GetModelStatusResponse,
    ModelSpec,
    PredictRequest,
    PredictResponse,
    SignatureDefMap,
)
from serving.questions import Answer, Request, VersionChoice, read_states
from serving.tensors import TensorError, to_array, to_request
from serving.tls import Tls

# A server that comes back is noticed within a second, not within the two minutes of gRPC's default.
_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]
# Each method's service, and what it takes and answers.
_METHODS = {
    "Predict": ("PredictionService", PredictRequest, PredictResponse),
    "GetModelMetadata": ("PredictionService", GetModelMetadataRequest, GetModelMetadataResponse),
    "GetModelStatus": ("ModelService", GetModelStatusRequest, GetModelStatusResponse),
}
# TensorFlow Serving lists its models nowhere; the stand-in says them with a refusal.
SERVED_KEY = "keras-chrome-served"
# Longest wait for what only makes an error clearer.
STATUS_S = 3.0


def open_channel(target: str, tls: Tls | None, max_message_bytes: int) -> grpc.Channel:
    """A channel to a server, in the clear without `tls`.

    Raises:
        InputError: If a file for TLS cannot be read.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        *_RECONNECT,
    ]
    if tls is None:
        return grpc.insecure_channel(target, options=options)
    options += tls.channel_options()
    return grpc.secure_channel(target, tls.credentials(), options=options)


def methods_of(channel: grpc.Channel) -> dict[str, Callable[..., Any]]:
    """What a server can be asked over a channel, by name."""
    return {
        name: channel.unary_unary(
            f"/tensorflow.serving.{service}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        for name, (service, request, response) in _METHODS.items()
    }


def predict_message(model: str, request: Request[Any], choice: VersionChoice) -> Any:
    """A `PredictRequest`."""
    return PredictRequest(
        model_spec=_spec(model, choice, request.signature),
        inputs={request.input_name: to_request(request.values)},
    )


def read_answer(message: Any) -> Answer:
    """What a `PredictResponse` holds.

    Raises:
        ServerError: If it holds no arrays.
    """
    try:
        outputs = {name: to_array(tensor) for name, tensor in message.outputs.items()}
    except TensorError as error:
        raise ServerError(
            grpc.StatusCode.INTERNAL, f"Expected arrays from the server. Received: {error}"
        ) from error
    return Answer(outputs, message.model_spec.version.value)


def metadata_message(model: str, choice: VersionChoice) -> Any:
    """A `GetModelMetadataRequest`."""
    return GetModelMetadataRequest(
        model_spec=_spec(model, choice), metadata_field=["signature_def"]
    )


def read_metadata(message: Any) -> Mapping[str, Any]:
    """The `SignatureDefMap` of a `GetModelMetadataResponse`, as JSON."""
    return to_json(SignatureDefMap.FromString(message.metadata["signature_def"].value))


def status_message(model: str, choice: VersionChoice) -> Any:
    """A `GetModelStatusRequest`; a server that is asked for a label tells of all versions."""
    return GetModelStatusRequest(
        model_spec=_spec(model, choice if isinstance(choice, int) else None)
    )


def read_served(error: Any) -> str:
    """What a refusing server says that it serves, in words; empty if it does not."""
    served = dict(error.trailing_metadata() or ()).get(SERVED_KEY, "")
    return f"It serves {served}" if served else ""


def read_versions(model: str, message: Any) -> str:
    """The versions that answer by a `GetModelStatusResponse`, in words; empty if none does."""
    states = read_states(to_json(message))
    available = sorted(version for version, state in states.items() if state == "AVAILABLE")
    return f"It serves {model} {', '.join(map(str, available))}" if available else ""


def to_json(message: Any) -> Mapping[str, Any]:
    """A message as the REST interface writes it."""
    from google.protobuf import json_format

    fields: Mapping[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def _spec(model: str, choice: VersionChoice, signature: str = "") -> Any:
    spec: Any = ModelSpec(name=model, signature_name=signature)
    if isinstance(choice, int):
        spec.version.value = choice
    elif choice is not None:
        spec.version_label = choice
    return spec
