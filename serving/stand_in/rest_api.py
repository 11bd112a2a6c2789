"""The stand-in's REST interface: TensorFlow Serving's, with its metrics for Prometheus.

`POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict`, `GET /v1/models/NAME[/versions/N]` and
`.../metadata`. A request gives its inputs by column, `{"inputs": {"signal": [...]}}`, or by row,
`{"instances": [{"signal": [...]}, ...]}`, and is answered likewise: `outputs` or `predictions`.
"""

import asyncio
import logging
import re
import zlib
from contextlib import nullcontext
from typing import Any
from urllib.parse import unquote

import grpc
import numpy as np
from google.protobuf import json_format
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.stand_in import rest_json
from serving.stand_in.metrics import CONTENT_TYPE, Metrics
from serving.stand_in.servable import RequestError, Servable, invalid
from serving.stand_in.service import Service

# Those of TensorFlow Serving, http_rest_api_util.cc.
_MODEL = r"(?i)/v1/models{}(?:/versions/(\d+)|/labels/([^/:]+))?"
_PREDICT = re.compile(_MODEL.format("/([^/:]+)") + ":(predict)")
_STATUS = re.compile(_MODEL.format("(?:/([^/:]+))?") + "(?:/(metadata))?")
_METRICS = "/monitoring/prometheus/metrics"
# As TensorFlow Serving turns codes into HTTP's, http_server.cc; others are 500.
_HTTP_STATUS = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNAUTHENTICATED: 401,
}
_LARGE_BYTES = 2**20
_logger = logging.getLogger("serving.local")


def rest_api(service: Service, metrics: Metrics, max_message_bytes: int) -> ASGIApp:
    """The application to serve.

    Args:
        service: What answers.
        metrics: What counts, and is shown at `/monitoring/prometheus/metrics`.
        max_message_bytes: Most bytes of a request.
    """
    api = _RestApi(service, metrics, max_message_bytes)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        response = await api.answer(Request(scope, receive))
        await response(scope, receive, send)

    return application


class _RestApi:
    def __init__(self, service: Service, metrics: Metrics, max_message_bytes: int) -> None:
        self._service = service
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes
        # What is large takes memory while it is read, and no less time beside others.
        self._reading_large = asyncio.Lock()

    async def answer(self, request: Request) -> Response:
        """The answer to any request, faults too."""
        status, headers = 200, None
        try:
            if request.url.path == _METRICS:
                return Response(self._metrics.text(), media_type=CONTENT_TYPE)
            value = await self._answer(request)
        except RequestError as fault:
            status, value = _HTTP_STATUS.get(fault.code, 500), {"error": str(fault)}
        except HTTPException as refusal:
            status, value, headers = refusal.status_code, {"error": refusal.detail}, refusal.headers
        except ClientDisconnect:
            status, value = 499, {"error": "gone"}
        except Exception as error:
            _logger.exception("%s", request.url.path)
            status, value = 500, {"error": type(error).__name__}
        text = await asyncio.to_thread(rest_json.to_json, value)
        return Response(text, status, headers, "application/json")

    async def _answer(self, request: Request) -> Any:
        from tensorflow_serving.apis import model_pb2

        path = request.scope["raw_path"].decode("ascii", "replace")
        if request.method == "POST" and (parts := _PREDICT.fullmatch(path)):
            name, version, label, verb = parts.groups()
        elif request.method == "GET" and (parts := _STATUS.fullmatch(path)):
            name, version, label, verb = parts.groups()
            verb = verb or "status"
        else:
            raise _malformed(request.method, path)
        if not name:
            raise invalid("Missing model name in request.")
        spec = model_pb2.ModelSpec(name=unquote(name))
        if version:
            try:
                spec.version.value = int(version)
            except ValueError as error:
                raise invalid(f"Failed to convert version: {version} to numeric.") from error
        elif label:
            spec.version_label = unquote(label)
        if verb == "predict":
            with self._metrics.request(self._service.models.known(spec.name), verb, "REST"):
                return await self._predict(spec, request)
        if request.method == "POST":
            # Its pattern takes capitals, and what follows does not.
            raise _malformed(request.method, path)
        return self._get_metadata(spec) if verb == "metadata" else self._get_status(spec)

    def _get_status(self, spec: Any) -> Any:
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
        return _to_json(self._service.get_model_status(request))

    def _get_metadata(self, spec: Any) -> Any:
        from tensorflow_serving.apis import get_model_metadata_pb2

        response = self._service.get_model_metadata(
            get_model_metadata_pb2.GetModelMetadataRequest(
                model_spec=spec, metadata_field=["signature_def"]
            )
        )
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return {
            "model_spec": _to_json(response.model_spec),
            "metadata": {"signature_def": _to_json(signatures)},
        }

    async def _predict(self, spec: Any, request: Request) -> Any:
        body = await self._read_body(request)
        async with self._reading_large if len(body) > _LARGE_BYTES else nullcontext():
            servable, signature, inputs, by_row = await asyncio.to_thread(self._read, body, spec)
        call = servable.call(signature, list(inputs), ())
        return rest_json.answer(await self._service.run(servable, call, inputs), by_row)

    def _read(
        self, body: bytearray | bytes, spec: Any
    ) -> tuple[Servable, str, dict[str, np.ndarray], bool]:
        """In a thread, for what is large takes seconds."""
        content = rest_json.parse(body)
        signature = rest_json.signature_name(content)
        servable = self._service.models.find(spec)
        if signature not in servable.signatures:
            raise invalid(f'Serving signature name: "{signature}" not found in signature def')
        known = servable.signatures[signature].inputs
        return servable, signature, *rest_json.read_inputs(content, known)

    async def _read_body(self, request: Request) -> bytearray | bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            self._check_size(len(body))
        if request.headers.get("content-encoding") != "gzip":
            return body
        decompressor = zlib.decompressobj(wbits=31)
        try:
            text = decompressor.decompress(body, self._max_message_bytes + 1)
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


def _malformed(method: str, path: str) -> RequestError:
    is_of_interface = path.lower().startswith("/v1/")
    code = grpc.StatusCode.INVALID_ARGUMENT if is_of_interface else grpc.StatusCode.NOT_FOUND
    return RequestError(code, f"Malformed request: {method} {path}")


def _to_json(message: Any) -> Any:
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
