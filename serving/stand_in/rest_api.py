"""The stand-in's REST interface: TensorFlow Serving's, with its metrics for Prometheus.

`POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict`, `GET /v1/models/NAME[/versions/N]` and
`.../metadata`. A request gives its inputs by column, `{"inputs": {"signal": [...]}}`, or by row,
`{"instances": [{"signal": [...]}, ...]}`, and is answered likewise: `outputs` or `predictions`.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from serving.stand_in import rest_json
from serving.stand_in.metrics import CONTENT_TYPE, Metrics
from serving.stand_in.servable import RequestError, invalid
from serving.stand_in.service import Service

# As TensorFlow Serving turns codes into HTTP's.
_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


def rest_api(service: Service, metrics: Metrics, max_message_bytes: int) -> Starlette:
    """The application to serve.

    Args:
        service: What answers.
        metrics: What counts, and is shown at `/monitoring/prometheus/metrics`.
        max_message_bytes: Most bytes of a request.
    """
    api = _RestApi(service, metrics, max_message_bytes)
    name = "/v1/models/{name}"
    routes = []
    for version in ("", "/versions/{version:int}", "/labels/{label}"):
        routes += [
            Route(f"{name}{version}:predict", _answering(api.predict), methods=["POST"]),
            Route(f"{name}{version}/metadata", _answering(api.get_metadata)),
            Route(f"{name}{version}", _answering(api.get_status)),
        ]
    routes.append(Route("/monitoring/prometheus/metrics", api.get_metrics))
    return Starlette(routes=routes, exception_handlers={404: _malformed, 405: _malformed})


class _RestApi:
    def __init__(self, service: Service, metrics: Metrics, max_message_bytes: int) -> None:
        self._service = service
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes

    async def get_metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def get_status(self, request: Request) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2

        message = get_model_status_pb2.GetModelStatusRequest()
        _fill(message.model_spec, request)
        if message.model_spec.version_label:
            message.model_spec.version.value = self._service.models.find(message.model_spec).version
        return _to_json(self._service.get_model_status(message))

    async def get_metadata(self, request: Request) -> Any:
        from tensorflow_serving.apis import get_model_metadata_pb2

        message = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _fill(message.model_spec, request)
        return _to_json(self._service.get_model_metadata(message))

    async def predict(self, request: Request) -> Any:
        name = request.path_params["name"]
        with self._metrics.request(lambda: self._service.models.known(name), "REST"):
            return await self._predict(request)

    async def _predict(self, request: Request) -> Any:
        from tensorflow_serving.apis import model_pb2

        spec = model_pb2.ModelSpec()
        _fill(spec, request)
        body = await self._read_body(request)
        # In threads, for what is large takes seconds.
        content = await asyncio.to_thread(rest_json.parse, body)
        signature = rest_json.signature_name(content)
        servable = self._service.models.find(spec)
        if signature not in servable.signatures:
            raise invalid(f'Serving signature name: "{signature}" not found in signature def')
        known = servable.signatures[signature].inputs
        inputs, by_row = await asyncio.to_thread(rest_json.read_inputs, content, known)
        outputs = (await self._service.run(servable, signature, inputs)).outputs
        only = next(iter(outputs.values())) if len(outputs) == 1 else None
        if not by_row:
            return {"outputs": outputs if only is None else only}
        if only is not None:
            return {"predictions": only}
        rows = zip(*outputs.values(), strict=True)
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}

    async def _read_body(self, request: Request) -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            self._check_size(len(body))
        if request.headers.get("content-encoding") != "gzip":
            return bytes(body)
        decompressor = zlib.decompressobj(wbits=31)
        try:
            text = decompressor.decompress(bytes(body), self._max_message_bytes + 1)
        except zlib.error as error:
            raise invalid("Failed to uncompress body") from error
        self._check_size(len(text))
        return text

    def _check_size(self, size: int) -> None:
        if size > self._max_message_bytes:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"Received message larger than max ({self._max_message_bytes})",
            )


async def _malformed(request: Request, _: Exception) -> Response:
    """A path or a method that is none of the interface."""
    text = {"error": f"Malformed request: {request.method} {request.url.path}"}
    status = 400 if request.url.path.lower().startswith("/v1/") else 404
    return Response(rest_json.to_json(text), status, None, "application/json")


def _fill(spec: Any, request: Request) -> None:
    spec.name = request.path_params["name"]
    if "version" in request.path_params:
        try:
            spec.version.value = request.path_params["version"]
        except ValueError as error:
            raise invalid(
                f"Failed to convert version: {request.path_params['version']} to numeric."
            ) from error
    elif "label" in request.path_params:
        spec.version_label = request.path_params["label"]


def _to_json(message: Any) -> Any:
    from google.protobuf import json_format

    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _answering(
    answer: Callable[[Request], Awaitable[Any]],
) -> Callable[[Request], Awaitable[Response]]:
    """A route that answers faults with their HTTP status."""

    async def route(request: Request) -> Response:
        status, headers = 200, None
        try:
            value = await answer(request)
        except RequestError as fault:
            status, value = _HTTP_STATUS.get(fault.code, 500), {"error": str(fault)}
        except HTTPException as refusal:
            status, value, headers = refusal.status_code, {"error": refusal.detail}, refusal.headers
        except ClientDisconnect:
            status, value = 499, {"error": "gone"}
        text = await asyncio.to_thread(rest_json.to_json, value)
        return Response(text, status, headers, "application/json")

    return route
