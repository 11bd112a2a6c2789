"""One loaded version of a model, run by the TensorFlow session that TensorFlow Serving runs."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import grpc
import numpy as np

from serving.stand_in.operations import refusals

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo


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
        is_whole: Whether these are all; TensorFlow Serving batches only such calls.
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
            self._session._extend_graph()
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
        if set(inputs) != set(signature.inputs):
            raise invalid(_wrong_inputs(inputs, signature.inputs))
        whole = tuple(sorted(signature.outputs))
        outputs = tuple(output_filter) or whole
        for number, output in enumerate(outputs):
            if output not in signature.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {output} Outputs expected to be "
                    f"in the set {_braced(whole)}."
                )
            if output in outputs[:number]:
                raise invalid(f"duplicate output tensor alias: {output}")
        known = tuple(sorted(signature.inputs))
        return Call(signature_name, known, outputs, len(outputs) == len(whole))

    def run(self, call: Call, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run the graph on the arrays of a call's inputs; raises TensorFlow's own errors."""
        signature, tensor = self.signatures[call.signature], self._session.graph.get_tensor_by_name
        feeds = [tensor(signature.inputs[name].name)._as_tf_output() for name in call.inputs]
        fetches = [tensor(signature.outputs[name].name)._as_tf_output() for name in call.outputs]
        # The public way checks the inputs in Python, in other words; this one leaves it to the C++
        # session, as TensorFlow Serving does.
        results: list[np.ndarray] = self._session._call_tf_sessionrun(
            None, dict(zip(feeds, arrays, strict=True)), fetches, [], None
        )
        return results

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


def _wrong_inputs(sent: Sequence[str], known: "Mapping[str, TensorInfo]") -> str:
    if len(sent) == len(known):
        missing = min(known.keys() - set(sent))
        return (
            f"Signature input alias: {missing}(feed name: {known[missing].name}) not found in "
            "request and no default value provided. Inputs expected to be in the request "
            f"{_braced(sent)}, or default input alias set: "
        )
    return (
        f"input size does not match signature: {len(sent)}!={len(known)} len({_braced(sent)}) != "
        f"len({_braced(known)}). Sent extra: {_braced(set(sent) - known.keys())}. "
        f"Missing but required: {_braced(known.keys() - set(sent))}."
    )


def _braced(names: Iterable[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"
