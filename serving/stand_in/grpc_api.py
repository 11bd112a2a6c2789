"""The stand-in's gRPC interface: TensorFlow Serving's services, and gRPC's own health service."""

import asyncio
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
_ENDING = "Server is shutting down"
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
        self._is_ending = False
        self._under_way: set[asyncio.Task[Any]] = set()
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)

        async def get_model_metadata(request: Any) -> Message:
            return service.get_model_metadata(request)

        async def get_model_status(request: Any) -> Message:
            return service.get_model_status(request)

        methods: dict[str, tuple[Any, Callable[[Any], Awaitable[Message]]]] = {
            "PredictionService/Predict": (predict_pb2.PredictRequest, self._predict),
            "PredictionService/GetModelMetadata": (
                get_model_metadata_pb2.GetModelMetadataRequest,
                get_model_metadata,
            ),
            "ModelService/GetModelStatus": (
                get_model_status_pb2.GetModelStatusRequest,
                get_model_status,
            ),
            "ModelService/HandleReloadConfigRequest": (
                model_management_pb2.ReloadConfigRequest,
                service.reload_config,
            ),
        }
        for path, (kind, answer) in methods.items():
            name, method = path.split("/")
            handler = grpc.unary_unary_rpc_method_handler(self._answering(kind, answer))
            server.add_generic_rpc_handlers(
                (
                    grpc.method_handlers_generic_handler(
                        f"tensorflow.serving.{name}", {method: handler}
                    ),
                )
            )

    async def begin(self) -> None:
        """Tell that requests should come here."""
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    async def end(self, grace_s: float) -> None:
        """Refuse requests that come from now on, and wait for those under way.

        After `grace_s` seconds they are refused too: as the server was going, not as a client
        that gave up, so that clients ask another one, or the next.
        """
        self._is_ending = True
        await self._health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=grace_s)
            for task in late:
                task.cancel()

    async def _predict(self, request: Any) -> Message:
        name = self._service.models.known(request.model_spec.name)
        with self._metrics.request(name, "Predict", "GRPC"):
            return await self._service.predict(request)

    def _answering(
        self, kind: Any, answer: Callable[[Any], Awaitable[Message]]
    ) -> Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]:
        """A service method, from bytes to bytes, that answers faults with their status code.

        Who asks for what is not served is told, beside the words of TensorFlow Serving, what is.
        """

        async def method(content: bytes, context: grpc.aio.ServicerContext) -> bytes:
            beside: tuple[tuple[str, str], ...] = ()
            task = asyncio.ensure_future(self._answer(kind, answer, content))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            try:
                return await task
            except RequestError as fault:
                code, message = fault.code, str(fault)
                if is_not_served(code, message):
                    served = self._service.models.served()
                    beside = ((SERVED_KEY, served.encode("ascii", "backslashreplace").decode()),)
            except asyncio.CancelledError:
                if not self._is_ending or not task.cancelled():
                    raise
                code, message = grpc.StatusCode.UNAVAILABLE, _ENDING
            except Exception as error:
                # A bug of ours must not end the server, nor tell strangers where its files lie.
                _logger.exception("%s", kind.__name__)
                code, message = grpc.StatusCode.INTERNAL, type(error).__name__
            if len(message) > _MAX_STATUS_CHARACTERS:
                message = f"{message[:_MAX_STATUS_CHARACTERS]}...TRUNCATED"
            await context.abort(code, message, beside)
            raise AssertionError  # abort has raised

        return method

    async def _answer(
        self, kind: Any, answer: Callable[[Any], Awaitable[Message]], content: bytes
    ) -> bytes:
        if self._is_ending:
            raise RequestError(grpc.StatusCode.UNAVAILABLE, _ENDING)
        try:
            request = kind.FromString(content)
        except DecodeError as error:
            # As a server written in C++ does; gRPC for Python would log a traceback each time.
            raise RequestError(
                grpc.StatusCode.INTERNAL, f"Failed to parse a {kind.__name__}"
            ) from error
        return bytes((await answer(request)).SerializeToString())


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
