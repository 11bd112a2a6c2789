"""Asks TensorFlow Serving, or the local stand-in, what an exported model says of genes.

    python -m serving.client --model e012 --csv genes.csv --out predictions.csv

or, from Python:

    with Client("localhost:8500", "e012") as client:
        prediction = client.predict(signal, marks=("H3K27me3", "H3K36me3", ...))

An array of signal does not say which mark is in which column, and a model fed with swapped marks
answers without complaint. So the client asks the model for the names of its marks. A gRPC client
cannot read the file that lies in the SavedModel; TensorFlow Serving's metadata hold names and
shapes of tensors alone. Exported models therefore have a signature `describe`, which answers the
text of `assets/keras_chrome.json`, and the client asks it once, before the first prediction. From
then on it names the version that answered in each request: all genes of one `Client` are scored by
one version, also when the server loads another meanwhile.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import grpc
import numpy as np

from serving.errors import InputError, ServerError
from serving.genes import CSV_MARKS, Genes, read_csv, read_dataset
from serving.predictions import Prediction, Saliency, to_table, write_attention, write_table
from serving.quiet import import_tensorflow_quietly

# A gene of 5 marks and 100 bins takes 2 kB each way: 2 MB a request.
BATCH_SIZE = 1024
# gRPC's own limit, for what a client receives, is 4 MiB.
MAX_MESSAGE_BYTES = 64 * 2**20
# Names of tensors, the version, the framing.
_MESSAGE_OVERHEAD_BYTES = 4096

_RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "3s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}

_REMEDIES = {
    grpc.StatusCode.UNAVAILABLE: "Is the server running, and is the address right?",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Give it more time (timeout_s) or fewer genes (batch_size)",
    grpc.StatusCode.NOT_FOUND: "Which models are served is in the server's models folder",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Send fewer genes at once (batch_size)",
}


class ModelDescription(NamedTuple):
    """What a served model expects and answers.

    Attributes:
        version: The version that the server answered for.
        marks: Names of the marks, in the order of the signal's last axis.
        num_bins: Number of bins of a gene region.
        details: All that the exported model says of itself, `assets/keras_chrome.json`.
    """

    version: int
    marks: tuple[str, ...]
    num_bins: int
    details: dict[str, Any]


class Client:
    """Asks one version of one served model.

    Args:
        target: `host:port` of the server's gRPC interface.
        model: Name of the served model.
        version: Its version; by default the one that the server takes, the highest.
        timeout_s: Longest wait for one request, retries included.
        batch_size: Most genes in one request; more are sent as several.
        max_message_bytes: Most bytes of one request or answer, in place of gRPC's 4 MiB; where
            `batch_size` genes are more than that, fewer are sent at once.

    A server that is not available is asked up to five times, with growing pauses.

    Raises:
        ServerError: By every method, if the server refuses or cannot be asked.
    """

    def __init__(
        self,
        target: str,
        model: str,
        version: int | None = None,
        *,
        timeout_s: float = 30.0,
        batch_size: int = BATCH_SIZE,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        for name, value in (("timeout_s", timeout_s), ("batch_size", batch_size)):
            if not value > 0:
                raise InputError(f"Expected a positive number. Received: {name}={value}")
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        self.target = target
        self.model = model
        self.timeout_s = timeout_s
        self.batch_size = batch_size
        self.max_message_bytes = max_message_bytes
        self._version = version
        self._channel = grpc.insecure_channel(
            target,
            options=[
                ("grpc.max_send_message_length", max_message_bytes),
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.service_config", json.dumps(_RETRIES)),
                # A request that does not fit in this buffer is not retried.
                ("grpc.per_rpc_retry_buffer_size", max_message_bytes),
            ],
        )
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def predict(
        self, signal: np.ndarray, *, marks: Sequence[str] | None = None, attention: bool = True
    ) -> Prediction:
        """Predict the expression of genes.

        Args:
            signal: Floating-point array `(n, bins, marks)`, n > 0, as measured: the model itself
                scales it. Checked before it is sent.
            marks: Names of the marks on the last axis, which must be the model's. Without them
                the order of the columns is on your honour.
            attention: Also ask for alpha and beta, which are most of the answer.

        Raises:
            InputError: If the signal or the marks are not what the model expects.
        """
        outputs = self._predict("serving_default" if attention else "predict", signal, marks)
        return Prediction(outputs["probability"], outputs.get("alpha"), outputs.get("beta"))

    def saliency(self, signal: np.ndarray, *, marks: Sequence[str] | None = None) -> Saliency:
        """Gradient of the logit with respect to the signal; arguments as in `predict`."""
        outputs = self._predict("saliency", signal, marks)
        return Saliency(outputs["gradient"], outputs["probability"])

    @cached_property
    def description(self) -> ModelDescription:
        """What the model expects and answers; asked once."""
        try:
            outputs, version = self._request(
                "describe", "query", np.zeros(1, np.float32), self._version
            )
        except ServerError as error:
            if error.code is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            raise ServerError(
                error.code,
                f"Expected a model that describes itself. Received: model={self.model}, without "
                "the signature describe. Export it with: python -m export",
            ) from error
        details = json.loads(outputs["description"][0])
        return ModelDescription(version, tuple(details["marks"]), details["num_bins"], details)

    def metadata(self) -> dict[str, dict[str, dict[str, tuple[str, tuple[int, ...]]]]]:
        """The signatures of the model, as the server's metadata tell them.

        Returns:
            For each signature, `"inputs"` and `"outputs"`; for each of their tensors, dtype and
            shape, -1 for the free dimension.
        """
        import tensorflow as tf
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._fill(request.model_spec, self._version)
        response = self._call(self._predictions.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)

        def shapes(tensors: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
            return {
                key: (tf.as_dtype(t.dtype).name, tuple(d.size for d in t.tensor_shape.dim))
                for key, t in sorted(tensors.items())
            }

        return {
            # The loader's own signature has no outputs; nobody can ask it.
            name: {"inputs": shapes(signature.inputs), "outputs": shapes(signature.outputs)}
            for name, signature in sorted(signatures.signature_def.items())
            if not name.startswith("__")
        }

    def status(self) -> dict[int, str]:
        """The state of each version that the server knows, such as `AVAILABLE`."""
        from tensorflow_serving.apis import get_model_status_pb2

        request = get_model_status_pb2.GetModelStatusRequest()
        self._fill(request.model_spec, self._version)
        response = self._call(self._models.GetModelStatus, request)
        states = get_model_status_pb2.ModelVersionStatus.State
        return {s.version: states.Name(s.state) for s in response.model_version_status}

    def _predict(
        self, signature: str, signal: np.ndarray, marks: Sequence[str] | None
    ) -> dict[str, np.ndarray]:
        signal = self._checked(signal, marks)
        size = self._genes_a_request()
        answers = [
            self._request(
                signature, "signal", signal[start : start + size], self.description.version
            )[0]
            for start in range(0, len(signal), size)
        ]
        return {key: np.concatenate([answer[key] for answer in answers]) for key in answers[0]}

    def _genes_a_request(self) -> int:
        _, marks, num_bins, _ = self.description
        # Alpha or the gradient is as large as the signal; beta and the probability come on top.
        bytes_a_gene = 4 * (num_bins * len(marks) + len(marks) + 1)
        fitting = (self.max_message_bytes - _MESSAGE_OVERHEAD_BYTES) // bytes_a_gene
        if fitting < 1:
            raise InputError(
                f"Expected room for one gene, {bytes_a_gene + _MESSAGE_OVERHEAD_BYTES} bytes. "
                f"Received: max_message_bytes={self.max_message_bytes}"
            )
        return min(self.batch_size, fitting)

    def _checked(self, signal: np.ndarray, marks: Sequence[str] | None) -> np.ndarray:
        description = self.description
        if marks is not None and tuple(marks) != description.marks:
            raise InputError(
                f"Expected the marks {', '.join(description.marks)}, in this order, of model "
                f"{self.model}. Received: marks={', '.join(marks)}. Reorder the last axis"
            )
        signal = np.asarray(signal)
        shape = (len(description.marks), description.num_bins)
        if signal.ndim != 3 or signal.shape[:0:-1] != shape:
            raise InputError(
                f"Expected signal of shape (genes, {description.num_bins} bins, "
                f"{len(description.marks)} marks). Received: shape={signal.shape}"
            )
        if not np.issubdtype(signal.dtype, np.floating):
            raise InputError(
                f"Expected signal of floating-point numbers. Received: dtype={signal.dtype}. "
                "Convert it: signal.astype('float32')"
            )
        if not len(signal):
            raise InputError(f"Expected at least one gene. Received: shape={signal.shape}")
        with np.errstate(over="ignore"):  # what overflows is infinite, which is refused
            signal = np.ascontiguousarray(signal, np.float32)
        usable = np.isfinite(signal)
        if description.details["transform"] == "log1p":
            usable &= signal > -1
        if not usable.all():
            gene, bin_, mark = np.argwhere(~usable)[0]
            raise InputError(
                "Expected finite numbers, of which the model can take log(1 + signal). Received: "
                f"{signal[gene, bin_, mark]} (gene {gene}, bin {bin_}, mark "
                f"{description.marks[mark]}, counted from 0)"
            )
        return signal

    def _request(
        self, signature: str, key: str, value: np.ndarray, version: int | None
    ) -> tuple[dict[str, np.ndarray], int]:
        """Ask one signature; returns its outputs and the version that answered."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._fill(request.model_spec, version)
        request.model_spec.signature_name = signature
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        response = self._call(self._predictions.Predict, request)
        outputs = {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
        return outputs, response.model_spec.version.value

    def _fill(self, model_spec: Any, version: int | None) -> None:
        model_spec.name = self.model
        if version is not None:
            model_spec.version.value = version

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        try:
            return method(request, timeout=self.timeout_s)
        except grpc.RpcError as error:
            code = error.code()
            remedy = _REMEDIES.get(code, "See Client.metadata() for what the model takes")
            raise ServerError(
                code,
                f"Expected an answer from {self.target}, model={self.model}. Received: "
                f"{code.name}: {' '.join(error.details().split()).rstrip('.:')}. {remedy}",
            ) from error


def _read_genes(args: argparse.Namespace, description: ModelDescription) -> Genes:
    if args.csv:
        genes = read_csv(args.csv, description.num_bins, args.csv_marks)
    else:
        known = {key: description.details.get(key) for key in ("bin_bp", "flank_bp", "oriented")}
        agreeing_with = {key: value for key, value in known.items() if value is not None}
        genes = read_dataset(args.dataset_dir, args.split, agreeing_with)
    return genes.with_marks(description.marks)


def main(argv: list[str] | None = None) -> int:
    """Predict the genes of a file, or describe the model."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.client",
        description="Ask TensorFlow Serving, or the local stand-in, for predictions: a CSV with "
        "gene_id, probability and, where the model has attention, the mark and bin that it weighs "
        "most and the weight of each mark.",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--csv",
        metavar="FILE",
        help="genes in the published layout: gene id, bin, one column a mark",
    )
    source.add_argument(
        "--dataset-dir", metavar="DIR", help="genes of a built dataset: its version folder"
    )
    source.add_argument(
        "--describe", action="store_true", help="say what the model expects, as JSON"
    )
    parser.add_argument("--model", required=True, help="name of the served model")
    parser.add_argument("--model-version", type=int, metavar="N", help="default: the highest")
    parser.add_argument("--target", default="localhost:8500", help="host:port (%(default)s)")
    parser.add_argument(
        "--csv-marks",
        nargs="+",
        default=CSV_MARKS,
        metavar="MARK",
        help=f"names of the CSV's columns from the third ({' '.join(CSV_MARKS)})",
    )
    parser.add_argument("--split", default="test", help="split of the dataset (%(default)s)")
    parser.add_argument("--out", metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--attention", metavar="FILE.npz", help="also write alpha and beta, (genes, marks[, bins])"
    )
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="genes a request")
    parser.add_argument("--timeout-s", type=float, default=30.0, help="for one request")
    args = parser.parse_args(argv)
    try:
        for path in filter(None, (args.out, args.attention)):
            if not Path(path).absolute().parent.is_dir():
                raise InputError(f"Expected a file in a folder that exists. Received: {path}")
        import_tensorflow_quietly()
        with Client(
            args.target,
            args.model,
            args.model_version,
            timeout_s=args.timeout_s,
            batch_size=args.batch_size,
        ) as client:
            if args.describe:
                details = client.description.details
                about = {"version": client.description.version, "status": client.status()}
                print(json.dumps({**about, **details, "signatures": client.metadata()}, indent=2))
                return 0
            genes = _read_genes(args, client.description)
            prediction = client.predict(genes.signal, marks=genes.marks)
            if args.attention:
                write_attention(args.attention, genes, prediction)
            write_table(args.out, to_table(genes, prediction))
    except (InputError, ServerError, OSError) as error:
        print(f"python -m serving.client: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
