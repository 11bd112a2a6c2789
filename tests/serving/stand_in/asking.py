"""Asking a server with the plain stubs, as any client of TensorFlow Serving would."""

import time
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.tensors import to_array


def predict_request(
    name: str, *, version: int | None = None, label: str = "", **inputs: Any
) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(np.asarray(value, np.float32)))
    return request


class Asking:
    """The services of a server."""

    def __init__(
        self, target: str, credentials: grpc.ChannelCredentials | None = None, **options: Any
    ) -> None:
        pairs = [(f"grpc.{key}", value) for key, value in options.items()]
        self.channel = (
            grpc.secure_channel(target, credentials, pairs)
            if credentials
            else grpc.insecure_channel(target, pairs)
        )
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def __enter__(self) -> "Asking":
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def answer(self, name: str, x: Any = 0.0, timeout_s: float = 20, **spec: Any) -> np.ndarray:
        """The only output of a model with the only input x."""
        request = predict_request(name, x=np.atleast_1d(x), **spec)
        response = self.predictions.Predict(request, timeout=timeout_s)
        (tensor,) = response.outputs.values()
        return to_array(tensor)

    def states(self, name: str) -> dict[int, str]:
        """The state of each version that the server knows."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        states = get_model_status_pb2.ModelVersionStatus.State
        statuses = self.models.GetModelStatus(request).model_version_status
        return {status.version: states.Name(status.state) for status in statuses}

    def reload(self, config: str, timeout_s: float = 60) -> None:
        """Send a ModelServerConfig, as text."""
        request = model_management_pb2.ReloadConfigRequest()
        text_format.Parse(config, request.config)
        self.models.HandleReloadConfigRequest(request, timeout=timeout_s)

    def fails(self, ask: Callable[[], Any]) -> tuple[str, str]:
        """Code and words with which the server refuses."""
        try:
            ask()
        except grpc.RpcError as error:
            return error.code().name, error.details()
        raise AssertionError("the server did not refuse")


def wait_until(is_so: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for what a server does on its own time."""
    end_s = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.02)
