"""A local stand-in for TensorFlow Serving, for tests and for trying out an exported model.

It speaks TensorFlow Serving's gRPC interface (`Predict`, `GetModelMetadata`, `GetModelStatus`)
and answers faults with the same status codes and messages: it runs the same TensorFlow session on
the same graph, so what a graph refuses, it refuses in the same words. It is not TensorFlow
Serving: no REST, no batching of requests, no reload. Use the container of `compose.yaml` for work.

Layout of a models folder: `MODELS/NAME/VERSION/saved_model.pb`. Every version is loaded; a request
without a version gets the highest. TensorFlow Serving loads the highest alone unless its
`model_version_policy` says otherwise.

    python -m serving.local --models models --port 8500

or, from Python:

    with LocalServer("models") as server, Client(server.target, "e012") as client:
        client.predict(signal)
"""

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import grpc

from serving.errors import InputError
from serving.quiet import import_tensorflow_quietly

if TYPE_CHECKING:
    import numpy as np
    from tensorflow_serving.apis import predict_pb2

# What TensorFlow Serving's own server accepts, in bytes: the largest int32.
MAX_MESSAGE_BYTES = 2**31 - 1

# TensorFlow Serving cuts a longer status message.
_MAX_STATUS_CHARACTERS = 1024
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class LocalServer:
    """The stand-in, serving as long as its context is open.

    Args:
        models_dir: Folder of served models, `NAME/VERSION/saved_model.pb`.
        host: Address to listen on; the default is reachable from this machine alone.
        port: Port to listen on; 0 takes a free one.

    Attributes:
        target: `host:port`, as a client wants it.
        models: The versions served, for each model's name.

    Raises:
        InputError: If there is nothing to serve, or a SavedModel cannot be loaded.
        OSError: If the port cannot be had.
    """

    def __init__(self, models_dir: str | Path, *, host: str = "127.0.0.1", port: int = 0) -> None:
        _check_free(host, port)
        servables = _load_all(Path(models_dir))
        self.models = {name: sorted(versions) for name, versions in servables.items()}
        # Without the last option a second server could share the port of the first.
        options = [
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ]
        self._server = grpc.server(ThreadPoolExecutor(max_workers=4), options=options)
        _register(self._server, servables)
        self.target = f"{host}:{self._server.add_insecure_port(f'{host}:{port}')}"
        self._server.start()

    def close(self, grace_s: float = 5.0) -> None:
        """Stop accepting requests, and wait at most `grace_s` seconds for those under way."""
        self._server.stop(grace_s).wait()

    def __enter__(self) -> "LocalServer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _RequestError(Exception):
    """A request that is answered with a status code instead of a result."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Servable:
    """One loaded version of a model."""

    def __init__(self, path: Path, version: int) -> None:
        import tensorflow as tf

        self.version = version
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(path))
        self.signatures = dict(meta_graph.signature_def)
        self._callables: dict[tuple[str, tuple[str, ...]], Callable[..., list[np.ndarray]]] = {}

    def predict(
        self, signature_name: str, inputs: dict[str, "np.ndarray"], output_filter: Sequence[str]
    ) -> dict[str, "np.ndarray"]:
        """Run a signature; raises `_RequestError` or TensorFlow's own errors."""
        from tensorflow.core.protobuf import config_pb2

        if signature_name not in self.signatures:
            raise _RequestError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f'Serving signature key "{signature_name}" not found.',
            )
        signature = self.signatures[signature_name]
        sent, known = sorted(inputs), sorted(signature.inputs)
        if sent != known:
            raise _invalid(_wrong_inputs(sent, known))
        outputs = tuple(output_filter) or tuple(sorted(signature.outputs))
        for number, output in enumerate(outputs):
            if output not in signature.outputs:
                raise _invalid(
                    f"output tensor alias not found in signature: {output} Outputs expected to be "
                    f"in the set {{{','.join(sorted(signature.outputs))}}}."
                )
            if output in outputs[:number]:
                raise _invalid(f"duplicate output tensor alias: {output}")
        key = (signature_name, outputs)
        if key not in self._callables:
            # The public ways check the inputs in Python, in other words; this one leaves it to the
            # C++ session, as TensorFlow Serving does.
            self._callables[key] = self._session._make_callable_from_options(
                config_pb2.CallableOptions(
                    feed=[signature.inputs[name].name for name in known],
                    fetch=[signature.outputs[output].name for output in outputs],
                )
            )
        values = self._callables[key](*(inputs[name] for name in known))
        return dict(zip(outputs, values, strict=True))


def _wrong_inputs(sent: list[str], known: list[str]) -> str:
    extra = [name for name in sent if name not in known]
    missing = [name for name in known if name not in sent]
    if len(sent) == len(known):
        return (
            f"Signature input alias: {missing[0]} not found in request and no default value "
            f"provided. Inputs expected to be in the request {{{','.join(sent)}}}, or default "
            "input alias set: "
        )
    return (
        f"input size does not match signature: {len(sent)}!={len(known)} "
        f"len({{{','.join(sent)}}}) != len({{{','.join(known)}}}). "
        f"Sent extra: {{{','.join(extra)}}}. Missing but required: {{{','.join(missing)}}}."
    )


def _invalid(message: str) -> _RequestError:
    return _RequestError(grpc.StatusCode.INVALID_ARGUMENT, message)


def _check_free(host: str, port: int) -> None:
    """Ask the system, which says why; gRPC writes its own log and says only that it failed."""
    try:
        socket.create_server((host, port)).close()
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        raise OSError(
            f"Expected an address and a port that can be listened on. Received: {host}:{port} "
            f"({os.strerror(number) if number else error}). Take another with --host or --port"
        ) from error


def _load_all(models_dir: Path) -> dict[str, dict[int, _Servable]]:
    import tensorflow as tf

    if not models_dir.is_dir():
        raise InputError(
            f"Expected a folder of models. Received: models={models_dir}, which is none. Export "
            f"one: python -m export RUN --to {models_dir} --name NAME"
        )
    servables: dict[str, dict[int, _Servable]] = {}
    for path in sorted(models_dir.glob("*/*")):
        # A hidden folder is an export under way; a version that is no number is never served.
        if path.parent.name.startswith(".") or not path.name.isdecimal():
            continue
        try:
            servable = _Servable(path, int(path.name))
            _replay_warmup(servable, path)
        except (OSError, ValueError, RuntimeError, tf.errors.OpError, _RequestError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"Expected a SavedModel. Received: {path}, which cannot be loaded ({reason}). "
                "Export it again, or take it away"
            ) from error
        servables.setdefault(path.parent.name, {})[servable.version] = servable
    if not servables:
        raise InputError(
            f"Expected models as {models_dir}/NAME/VERSION/saved_model.pb. Received: none. Export "
            f"one: python -m export RUN --to {models_dir} --name NAME"
        )
    return servables


def _replay_warmup(servable: _Servable, path: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    records = path / "assets.extra" / "tf_serving_warmup_requests"
    if records.is_file():
        for record in tf.data.TFRecordDataset(str(records)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            _predict(servable, log.predict_log.request)


def _predict(
    servable: _Servable, request: "predict_pb2.PredictRequest"
) -> "predict_pb2.PredictResponse":
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    inputs = {}
    for name, tensor in request.inputs.items():
        try:
            inputs[name] = tf.make_ndarray(tensor)
        except (TypeError, ValueError) as error:
            raise _invalid(f"tensor parsing error: {name}") from error
    signature_name = request.model_spec.signature_name or "serving_default"
    outputs = servable.predict(signature_name, inputs, request.output_filter)
    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = servable.version
    response.model_spec.signature_name = signature_name
    for name, value in outputs.items():
        response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    return response


def _register(server: grpc.Server, servables: dict[str, dict[int, _Servable]]) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        prediction_service_pb2_grpc,
    )

    def find(request: Any) -> _Servable:
        spec = request.model_spec
        if not request.HasField("model_spec"):
            raise _invalid("Missing ModelSpec")
        if not spec.name:
            raise _invalid("ModelSpec has no name specified.")
        if spec.WhichOneof("version_choice") == "version_label":
            raise _invalid(f"Unrecognized servable version label: {spec.version_label}")
        versions = servables.get(spec.name, {})
        wanted = spec.version.value if spec.HasField("version") else max(versions, default=None)
        if wanted not in versions:
            asked = f"Latest({spec.name})"
            if spec.HasField("version"):
                asked = f"Specific({spec.name}, {wanted})"
            raise _RequestError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}"
            )
        return versions[wanted]

    def answering(method: Callable[[Any], Any]) -> Callable[[Any, Any, grpc.ServicerContext], Any]:
        """A service method that answers faults with their status code."""

        def answer(_: Any, request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return method(request)
            except _RequestError as fault:
                code, message = fault.code, str(fault)
            except tf.errors.OpError as error:
                code, message = _CODES[error.error_code], error.message
            if len(message) > _MAX_STATUS_CHARACTERS:
                message = f"{message[:_MAX_STATUS_CHARACTERS]}...TRUNCATED"
            return context.abort(code, message)  # which raises

        return answer

    def get_model_metadata(request: Any) -> Any:
        fields = list(request.metadata_field)
        if not fields:
            raise _invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in fields:
            if field != "signature_def":
                raise _invalid(f"Metadata field {field} is not supported")
        servable = find(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = servable.version
        response.metadata["signature_def"].Pack(signatures)
        return response

    def get_model_status(request: Any) -> Any:
        if not request.HasField("model_spec"):
            raise _invalid("Missing ModelSpec")
        spec = request.model_spec
        versions: Iterable[int] = servables.get(spec.name, {})
        if spec.HasField("version"):
            versions = [v for v in versions if v == spec.version.value]
            missing = f"Could not find version {spec.version.value} of model {spec.name}"
        else:
            missing = f"Could not find any versions of model {spec.name}"
        if not versions:
            raise _RequestError(grpc.StatusCode.NOT_FOUND, missing)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in sorted(versions, reverse=True):
            status = response.model_version_status.add()
            status.version = version
            status.state = get_model_status_pb2.ModelVersionStatus.AVAILABLE
            status.status.error_code = tf.errors.OK
        return response

    class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
        Predict = answering(lambda request: _predict(find(request), request))
        GetModelMetadata = answering(get_model_metadata)

    class ModelService(model_service_pb2_grpc.ModelServiceServicer):
        GetModelStatus = answering(get_model_status)

    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(), server)


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted or terminated."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.local",
        description="A local stand-in for TensorFlow Serving: its gRPC interface, for tests and "
        "for trying out. Stops on SIGINT and SIGTERM.",
    )
    parser.add_argument("--models", required=True, help="folder of models, NAME/VERSION inside")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8500, help="port, 0 for any (%(default)s)")
    args = parser.parse_args(argv)
    # A GPU stays with whoever trains on it.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        import_tensorflow_quietly()
        with LocalServer(args.models, host=args.host, port=args.port) as server:
            served = ", ".join(f"{name} {versions}" for name, versions in server.models.items())
            print(f"Local stand-in for TensorFlow Serving on {server.target}: {served}", flush=True)
            stopping.wait()
    except (InputError, OSError) as error:
        print(f"python -m serving.local: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
