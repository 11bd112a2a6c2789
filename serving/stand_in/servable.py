"""One loaded version of a model, run by the TensorFlow session that TensorFlow Serving runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np

from serving.stand_in.operations import refusals

_METHODS = tuple(f"tensorflow/serving/{kind}" for kind in ("predict", "classify", "regress"))


class RequestError(Exception):
    """A request that is answered with a status code instead of a result."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def invalid(message: str) -> RequestError:
    """The answer to a request that says something impossible."""
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, message)


class LoadError(Exception):
    """A folder from which no model can be served; one line says why."""


class Call(NamedTuple):
    """A signature asked for some of its outputs.

    Attributes:
        signature: Its name.
        inputs: Names of its inputs, sorted.
        outputs: Names of the outputs that are asked for.
        is_whole: Whether these are all, in order; TensorFlow Serving batches such calls alone.
    """

    signature: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    is_whole: bool


class Servable:
    """A SavedModel, loaded.

    Args:
        name: Name of the model.
        version: Its version.
        path: Folder of the SavedModel.
        allow_unsafe_ops: Also load what no export of ours holds, and may reach files or the
            network.

    Attributes:
        signatures: Its signature definitions, by name.

    Raises:
        LoadError: If the folder holds no SavedModel that can be loaded, if it holds what
            only `allow_unsafe_ops` lets through, or if its warm-up requests fail.
    """

    def __init__(
        self, name: str, version: int, path: Path, *, allow_unsafe_ops: bool = False
    ) -> None:
        import tensorflow as tf
        from google.protobuf.message import DecodeError
        from tensorflow.core.protobuf import saved_model_pb2

        self.name = name
        self.version = version
        try:
            text = (path / "saved_model.pb").read_bytes()
            graphs = saved_model_pb2.SavedModel.FromString(text).meta_graphs
            refused = sorted({name for graph in graphs for name in refusals(graph)})
            if refused and not allow_unsafe_ops:
                raise LoadError(
                    f"what no export of keras-chrome holds, and may reach files, the network or "
                    f"other code: {', '.join(refused)}. If you trust the model: --allow-unsafe-ops"
                )
            self._session = tf.compat.v1.Session(graph=tf.Graph())
            with self._session.graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(self._session, ["serve"], str(path))
            self.signatures = dict(meta_graph.signature_def)
            self._callables: dict[Call, Callable[..., list[np.ndarray]]] = {}
            self._replay_warmup(path)
        except (OSError, DecodeError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise LoadError(str(error).splitlines()[0]) from error
        except RequestError as error:
            raise LoadError(f"warm-up: {error}") from error

    def call(
        self, signature_name: str, inputs: Sequence[str], output_filter: Sequence[str]
    ) -> Call:
        """What a request asks for, checked.

        Raises:
            RequestError: If there is no such signature, input or output, in the words of
                TensorFlow Serving.
        """
        signature_name = signature_name or "serving_default"
        if signature_name not in self.signatures:
            raise RequestError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f'Serving signature key "{signature_name}" not found.',
            )
        signature = self.signatures[signature_name]
        if signature.method_name not in _METHODS:
            # Such as the one that the loader runs, which no client should.
            raise RequestError(
                grpc.StatusCode.INTERNAL,
                "Expected prediction signature method_name to be one of "
                f"{{{', '.join(_METHODS)}}}. Was: {signature.method_name}",
            )
        sent, known = sorted(inputs), sorted(signature.inputs)
        if sent != known:
            raise invalid(_wrong_inputs(sent, known))
        whole = tuple(sorted(signature.outputs))
        outputs = tuple(output_filter) or whole
        for number, output in enumerate(outputs):
            if output not in signature.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {output} Outputs expected to be "
                    f"in the set {{{','.join(whole)}}}."
                )
            if output in outputs[:number]:
                raise invalid(f"duplicate output tensor alias: {output}")
        return Call(signature_name, tuple(known), outputs, outputs == whole)

    def run(self, call: Call, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the graph on the arrays of a call's inputs; raises TensorFlow's own errors."""
        if call not in self._callables:
            from tensorflow.core.protobuf import config_pb2

            signature = self.signatures[call.signature]
            # The public ways check the inputs in Python, in other words; this one leaves it to the
            # C++ session, as TensorFlow Serving does.
            self._callables[call] = self._session._make_callable_from_options(
                config_pb2.CallableOptions(
                    feed=[signature.inputs[name].name for name in call.inputs],
                    fetch=[signature.outputs[name].name for name in call.outputs],
                )
            )
        return self._callables[call](*arrays)

    def predict(
        self, signature_name: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """All outputs of a signature."""
        call = self.call(signature_name, list(inputs), ())
        values = self.run(call, [inputs[name] for name in call.inputs])
        return dict(zip(call.outputs, values, strict=True))

    def _replay_warmup(self, path: Path) -> None:
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_log_pb2

        records = path / "assets.extra" / "tf_serving_warmup_requests"
        if records.is_file():
            for record in tf.data.TFRecordDataset(str(records)).as_numpy_iterator():
                request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
                inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
                self.predict(request.model_spec.signature_name, inputs)


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
