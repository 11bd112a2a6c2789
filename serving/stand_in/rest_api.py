"""The stand-in's REST interface: TensorFlow Serving's, with its metrics for Prometheus.

`POST /v1/models/NAME[/versions/N|/labels/LABEL]:predict`, `GET /v1/models/NAME[/versions/N]` and
`.../metadata`. A request gives its inputs by column, `{"inputs": {"signal": [...]}}`, or by row,
`{"instances": [{"signal": [...]}, ...]}`, and is answered likewise: `outputs` or `predictions`.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from serving.stand_in.metrics import CONTENT_TYPE, Metrics
from serving.stand_in.servable import RequestError, invalid
from serving.stand_in.service import Service

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo

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
    return Starlette(routes=routes)


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
        servable = self._service.models.find(spec)
        body = await self._read_json(request)
        signature_name = body.get("signature_name", "serving_default")
        if not isinstance(signature_name, str) or signature_name not in servable.signatures:
            raise invalid(f'Serving signature name: "{signature_name}" not found in signature def')
        known = servable.signatures[signature_name].inputs
        by_row = "instances" in body
        if by_row == ("inputs" in body):
            raise invalid("JSON Value: expected one of the keys 'instances' and 'inputs'")
        columns = _columns(body["instances"], known) if by_row else body["inputs"]
        if not isinstance(columns, Mapping):
            # The only input may go without its name.
            columns = {next(iter(known)): columns} if len(known) == 1 else {}
        inputs = {key: _to_array(key, value, known) for key, value in columns.items()}
        answer = await self._service.run(servable, signature_name, inputs)
        outputs = {key: _to_plain(value) for key, value in answer.outputs.items()}
        only = next(iter(outputs.values())) if len(outputs) == 1 else None
        if not by_row:
            return {"outputs": outputs if only is None else only}
        if only is not None:
            return {"predictions": only}
        rows = zip(*outputs.values(), strict=True)
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}

    async def _read_json(self, request: Request) -> dict[str, Any]:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_message_bytes:
                raise RequestError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"Received message larger than max ({self._max_message_bytes})",
                )
        try:
            # Python reads NaN, which is no JSON.
            parsed = json.loads(body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise invalid(f"JSON Parse error: {error}") from error
        if not isinstance(parsed, dict):
            raise invalid("Request body: expected a JSON object")
        return parsed


def _refuse_constant(name: str) -> float:
    raise ValueError(f"Invalid value. {name}")


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


def _columns(instances: Any, known: Mapping[str, Any]) -> dict[str, list[Any]]:
    if not isinstance(instances, list) or not instances:
        raise invalid("Request data: expected 'instances' to be a list that is not empty")
    if not isinstance(instances[0], dict):
        return {next(iter(known)): instances} if len(known) == 1 else {}
    keys = instances[0].keys()
    if any(not isinstance(row, dict) or row.keys() != keys for row in instances):
        raise invalid("Request data: expected the same inputs in each of 'instances'")
    return {key: [row[key] for row in instances] for key in keys}


def _to_array(key: str, value: Any, known: Mapping[str, "TensorInfo"]) -> np.ndarray:
    import tensorflow as tf

    # An input that the signature does not know is refused later, by name.
    dtype = tf.as_dtype(known[key].dtype).as_numpy_dtype if key in known else None
    try:
        return np.array(value, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise invalid(f"Failed to process element of '{key}' list: {error}") from error


def _to_plain(array: np.ndarray) -> Any:
    if array.dtype == object:
        array = np.array([text.decode() for text in array.flat], object).reshape(array.shape)
    return array.tolist()


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
        text = json.dumps(value, allow_nan=True)
        return Response(text, status, headers, "application/json")

    return route
