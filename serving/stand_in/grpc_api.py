"""The stand-in's gRPC interface: TensorFlow Serving's services, and gRPC's own health service."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from serving.errors import InputError
from serving.grpc_messages import SERVED_KEY
from serving.messages import SSLConfig, read_text_proto
from serving.retries import is_not_served
from serving.stand_in.metrics import Metrics
from serving.stand_in.servable import RequestError
from serving.stand_in.service import Service

# TensorFlow Serving cuts a longer status message.
_MAX_STATUS_CHARACTERS = 1024
_PACKAGE = "tensorflow.serving"
_logger = logging.getLogger("serving.local")


class GrpcApi:
    """Registers the services with a server.

    Args:
        server: A server of `grpc.aio` that has not started.
        service: What answers.
        metrics: What counts.
    """

    def __init__(self, server: grpc.aio.Server, service: Service, metrics: Metrics) -> None:
        from tensorflow_serving.apis import (
            get_model_metadata_pb2,
            get_model_status_pb2,
            model_management_pb2,
            predict_pb2,
        )

        self._service = service
        self._metrics = metrics
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)

        async def get_model_metadata(request: Any) -> Message:
            return service.get_model_metadata(request)

        async def get_model_status(request: Any) -> Message:
            return service.get_model_status(request)

        requests: dict[str, dict[str, tuple[Any, Callable[[Any], Awaitable[Message]]]]] = {
            "PredictionService": {
                "Predict": (predict_pb2.PredictRequest, self._counted(service.predict)),
                "GetModelMetadata": (
                    get_model_metadata_pb2.GetModelMetadataRequest,
                    get_model_metadata,
                ),
            },
            "ModelService": {
                "GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, get_model_status),
                "HandleReloadConfigRequest": (
                    model_management_pb2.ReloadConfigRequest,
                    service.reload_config,
                ),
            },
        }
        server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(
                    f"{_PACKAGE}.{name}",
                    {
                        method: grpc.unary_unary_rpc_method_handler(
                            _answering(kind, answer, service.models.served)
                        )
                        for method, (kind, answer) in methods.items()
                    },
                )
                for name, methods in requests.items()
            )
        )

    async def set_health(self, is_serving: bool) -> None:
        """Tell whether requests should come here: the whole server, and each service."""
        states = health_pb2.HealthCheckResponse
        state = states.SERVING if is_serving else states.NOT_SERVING
        for name in ("", f"{_PACKAGE}.PredictionService", f"{_PACKAGE}.ModelService"):
            await self._health.set(name, state)

    def _counted(
        self, answer: Callable[[Any], Awaitable[Message]]
    ) -> Callable[[Any], Awaitable[Message]]:
        async def counted(request: Any) -> Message:
            name = request.model_spec.name
            with self._metrics.request(lambda: self._service.models.known(name), "GRPC"):
                return await answer(request)

        return counted


def _answering(
    kind: Any, answer: Callable[[Any], Awaitable[Message]], served: Callable[[], str]
) -> Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]:
    """A service method, from bytes to bytes, that answers faults with their status code.

    Who asks for what is not served is told, beside the words of TensorFlow Serving, what is.
    """

    async def method(content: bytes, context: grpc.aio.ServicerContext) -> bytes:
        beside: tuple[tuple[str, str], ...] = ()
        try:
            request = kind.FromString(content)
        except DecodeError:
            # As a server written in C++ does; gRPC for Python would log a traceback each time.
            await context.abort(grpc.StatusCode.INTERNAL, f"Failed to parse a {kind.__name__}")
        try:
            return bytes((await answer(request)).SerializeToString())
        except RequestError as fault:
            code, message = fault.code, str(fault)
            if is_not_served(code, message):
                beside = ((SERVED_KEY, served().encode("ascii", "backslashreplace").decode()),)
        except Exception as error:
            # A bug of ours must not end the server, nor tell strangers where its files lie.
            _logger.exception("%s", kind.__name__)
            code, message = grpc.StatusCode.INTERNAL, type(error).__name__
        if len(message) > _MAX_STATUS_CHARACTERS:
            message = f"{message[:_MAX_STATUS_CHARACTERS]}...TRUNCATED"
        await context.abort(code, message, beside)
        raise AssertionError  # abort has raised

    return method


def server_credentials(path: str | Path) -> grpc.ServerCredentials:
    """What TensorFlow Serving's SSLConfig says.

    Raises:
        InputError: If the file cannot be read, or does not hold what is needed.
    """
    config: Any = read_text_proto(path, SSLConfig())
    for name in ("server_key", "server_cert"):
        if "-----BEGIN " not in getattr(config, name):
            raise InputError(f"Expected PEM text. Received: {path}: {name}, which has none")
    if config.client_verify and not config.custom_ca:
        raise InputError(
            "Expected custom_ca, which may vouch for clients. Received: "
            f"{path}: client_verify without it"
        )
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )
