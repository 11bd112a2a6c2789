"""Asks TensorFlow Serving, or the local stand-in, what an exported model says of genes.

    python -m serving.client --model e012 --csv genes.csv --out predictions.csv

or, from Python:

    with Client("localhost:8500", "e012") as client:
        prediction = client.predict(signal, marks=("H3K27me3", "H3K36me3", ...))

`serving.rest_client` has the same over REST.

An array of signal does not say which mark is in which column, and a model fed with swapped marks
answers without complaint. So the client asks the model for the names of its marks. A gRPC client
cannot read the file that lies in the SavedModel; TensorFlow Serving's metadata hold names and
shapes of tensors alone. Exported models therefore have a signature `describe`, which answers the
text of `assets/keras_chrome.json`, and the client asks it once, before the first prediction. From
then on it names the version that answered in each request: all genes of one `Client` are scored by
one version, also when the server loads another, or moves a label, meanwhile.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat, tee
from pathlib import Path
from typing import Any

import grpc

from serving.any_client import (
    BATCH_SIZE,
    CONCURRENCY,
    MAX_MESSAGE_BYTES,
    TIMEOUT_S,
    AnyClient,
)
from serving.command_line import option, parse, quieten_tensorflow, run_command
from serving.csv_genes import CSV_MARKS, iter_csv
from serving.description import ModelDescription
from serving.errors import InputError, ServerError
from serving.genes import Genes, iter_dataset, iter_numpy
from serving.grpc_messages import (
    STATUS_S,
    metadata_message,
    methods_of,
    open_channel,
    predict_message,
    read_answer,
    read_metadata,
    read_served,
    read_versions,
    status_message,
    to_json,
)
from serving.outputs import Output, output_to
from serving.predictions import Saliency
from serving.questions import (
    Answer,
    Request,
    Signatures,
    VersionChoice,
    read_signatures,
    read_states,
)
from serving.retries import Backoff, is_not_served
from serving.tls import TlsOptions

__all__ = ["Client", "predict_file"]

_PIPE_CLOSED = 141  # as a shell tells of SIGPIPE
_TARGET = "localhost:8500"
_OF_SERVER = ("model", "model_version", "label", "target", "rest")
_SOURCES = ("csv", "dataset", "numpy", "describe")


class Client(AnyClient):
    """Asks one version of one served model, over gRPC.

    Args:
        target: `host:port` of the server's gRPC interface.
        model: Name of the served model.
        version: Its version; by default the one that the server takes, the highest.
        label: Label of its version instead, such as `stable`. The version that has it at the
            first question is asked from then on.
        tls: Files for TLS; by default the connection is in the clear.
        timeout_s: Longest wait for one request, with all its retries.
        batch_size: Most genes in one request; more are sent as several.
        max_message_bytes: Most bytes of one request or answer, in place of gRPC's 4 MiB; where
            `batch_size` genes are more than that, fewer are sent at once.
        concurrency: Most requests under way at a time.
        backoff: The pauses before a server is asked again that was not available or whose queue
            was full.

    Threads may share a client.

    Raises:
        InputError: If a limit allows nothing, both version and label are given, or a file for TLS
            cannot be read.
        ServerError: By every method, if the server refuses or cannot be asked.
    """

    def _open(self) -> None:
        self._channel = open_channel(self.target, self._tls, self.max_message_bytes)
        self._methods = methods_of(self._channel)

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def metadata(self) -> Signatures:
        """The signatures of the model, as the server's metadata tell them.

        Returns:
            For each signature, `"inputs"` and `"outputs"`; for each of their tensors, dtype and
            shape, -1 for the free dimension.
        """
        message = metadata_message(self.model, self._choice)
        return read_signatures(read_metadata(self._call("GetModelMetadata", message)))

    def status(self) -> dict[int, str]:
        """The state of each version that the server knows, such as `AVAILABLE`.

        A client that was given a version asks for that one alone.
        """
        message = status_message(self.model, self._choice)
        return read_states(to_json(self._call("GetModelStatus", message)))

    def _ask(self, request: Request[Any], choice: VersionChoice) -> Answer:
        return read_answer(self._call("Predict", predict_message(self.model, request, choice)))

    def _call(self, method: str, message: Any) -> Any:
        def ask(left_s: float) -> Any:
            try:
                return self._methods[method](message, timeout=left_s)
            except grpc.RpcError as error:
                code, details, served = error.code(), error.details() or "", read_served(error)
                if is_not_served(code, details):
                    served = served or self._versions()
                raise self._error(code, details, served) from error

        return self._persist(ask)

    def _versions(self) -> str:
        """The versions of the model, which TensorFlow Serving tells where it has the model."""
        message = status_message(self.model, None)
        try:
            answer = self._methods["GetModelStatus"](message, timeout=STATUS_S)
        except grpc.RpcError:
            return ""
        return read_versions(self.model, answer)


def predict_file(
    client: AnyClient,
    chunks: Iterator[Genes],
    output: Output,
    *,
    saliency: bool = False,
    show_progress: bool = False,
) -> int:
    """Predict genes as they are read, and write what is answered as it comes.

    Args:
        client: Whom to ask.
        chunks: The genes.
        output: Where to write, see `serving.outputs.output_to`.
        saliency: Also ask for the saliency, and write it.
        show_progress: Count the genes on standard error, if that is a terminal.

    Returns:
        The number of genes.

    Raises:
        InputError: If the genes are not what the model expects.
        ServerError: If the server refuses or cannot be asked.
    """
    from tqdm import tqdm

    saliencies: Iterator[Saliency | None] = repeat(None)
    if saliency:
        chunks, again = tee(chunks)
        saliencies = client.saliency_stream(again)
    num_genes = 0
    with (
        output(client.description) as write,
        # None leaves it out where standard error is no terminal.
        tqdm(unit=" genes", disable=None if show_progress else True) as bar,
    ):
        predictions = client.predict_stream(chunks)
        # Both streams are cut at the same genes.
        for prediction, saliency_of_them in zip(predictions, saliencies, strict=False):
            write(prediction, saliency_of_them)
            num_genes += len(prediction.answer)
            bar.update(len(prediction.answer))
    return num_genes


@dataclass(frozen=True, kw_only=True)
class ClientOptions(TlsOptions):
    """Options of the command.

    Raises:
        InputError: If not exactly one source of genes is given, or two ways to the server.
    """

    csv: Path | None = option(
        "genes in the published layout: gene id, bin, one column a mark",
        default=None,
        group="genes",
        metavar="FILE",
    )
    dataset: Path | None = option(
        "genes of a built dataset: its name, such as remc/E012 or E012, or its folder",
        default=None,
        aliases=("dataset_dir",),
        group="genes",
    )
    data_dir: Path | None = option(
        "where datasets were built (default: that of tensorflow-datasets)",
        default=None,
        group="genes",
        metavar="DIR",
    )
    split: str = option("split of the dataset", default="test", group="genes")
    numpy: Path | None = option(
        "genes as arrays: .npy with the signal (genes, bins, marks), or .npz with signal, marks "
        "and gene_id",
        default=None,
        group="genes",
        metavar="FILE",
    )
    marks: tuple[str, ...] | None = option(
        "names of the CSV's columns from the third, or of the last axis of .npy (default: a CSV's "
        f"heading, or without one {' '.join(CSV_MARKS)})",
        default=None,
        aliases=("csv_marks",),
        group="genes",
        metavar="MARK",
    )
    describe: bool = option("say what the model expects, as JSON", default=False)
    model: str | None = option("name of the served model", default=None)
    model_version: int | None = option(
        "its version (default: the highest)", default=None, metavar="N"
    )
    label: str | None = option("label of the version, such as stable", default=None)
    target: str | None = option(f"host:port (default: {_TARGET})", default=None)
    rest: str | None = option("ask over REST: http://localhost:8501", default=None, metavar="URL")
    onnx: Path | None = option(
        "ask no server, but a model exported with --format onnx", default=None, metavar="FILE"
    )
    out: Path | None = option(
        ".csv, .tsv (both also .gz), .parquet, or .nc, which has alpha, beta and contribution "
        "too (default: CSV on standard output)",
        default=None,
        metavar="FILE",
    )
    saliency: bool = option("also write the gradient: to a .nc file alone", default=False)
    quiet: bool = option("no progress bar, and no line at the end", default=False)
    batch_size: int = option("genes a request", default=BATCH_SIZE)
    concurrency: int = option("requests at a time", default=CONCURRENCY)
    max_message_bytes: int = option("of a request or an answer", default=MAX_MESSAGE_BYTES)
    timeout_s: float = option("for one request and its retries", default=TIMEOUT_S)

    def __post_init__(self) -> None:
        given = [f"--{name}" for name in _SOURCES if getattr(self, name)]
        if len(given) != 1:
            raise InputError(
                "Expected --csv, --dataset, --numpy or --describe. Received: "
                f"{' and '.join(given) or 'none'}"
            )
        if self.target is not None and self.rest is not None:
            raise InputError("Expected --target or --rest. Received: both")
        of_server = [name for name in _OF_SERVER if getattr(self, name) is not None]
        if self.make_tls() is not None:
            of_server.append("tls")
        if self.onnx is not None and of_server:
            option_name = of_server[0].replace("_", "-")
            raise InputError(
                f"Expected --onnx, or a server's model. Received: --onnx and --{option_name}"
            )
        if self.onnx is None and self.model is None:
            raise InputError(
                "Expected --model with the name of a served model, or --onnx. Received: neither"
            )
        if self.marks is not None and not (self.csv or self.numpy):
            raise InputError("Expected --marks with --csv or --numpy. Received: --marks alone")

    def make_client(self) -> AnyClient:
        """The client that they ask for."""
        limits = {"batch_size": self.batch_size, "concurrency": self.concurrency}
        if self.onnx is not None:
            from serving.onnx_client import OnnxClient

            return OnnxClient(self.onnx, **limits)
        assert self.model is not None
        address = self.rest or self.target or _TARGET

        def tell(seconds: float) -> None:
            print(
                f"warning: {address} does not answer yet; asking again for {seconds:.0f} s",
                file=sys.stderr,
            )

        options: dict[str, Any] = {
            **limits,
            "label": self.label,
            "tls": self.make_tls(),
            "timeout_s": self.timeout_s,
            "max_message_bytes": self.max_message_bytes,
            "backoff": Backoff(on_wait=tell),
        }
        if self.rest is None:
            return Client(address, self.model, self.model_version, **options)
        from serving.rest_client import RestClient

        return RestClient(address, self.model, self.model_version, **options)

    def read_genes(self) -> Iterator[Genes]:
        """The genes that they name, in chunks of a request.

        The first are read at once: a file that is not there or not right is told of before
        anybody is asked.
        """
        if self.csv:
            chunks = iter_csv(self.csv, None, self.marks, self.batch_size)
        elif self.numpy:
            chunks = iter_numpy(self.numpy, self.marks, self.batch_size)
        else:
            assert self.dataset is not None
            chunks = iter_dataset(self.dataset, self.split, self.batch_size, self.data_dir)
        return chain((next(chunks),), chunks)


def main(argv: Sequence[str] | None = None) -> int:
    """Predict the genes of a file, or describe the model.

    Raises:
        InputError: If an option, a file or the genes in it are not what they should be.
        ServerError: If the server refuses or cannot be asked.
    """
    options = parse(
        ClientOptions,
        argv,
        prog="python -m serving.client",
        description="Ask TensorFlow Serving, or the local stand-in, for predictions: a table with "
        "gene_id, probability or predicted expression and, where the model has attention, the "
        "mark and bin that it weighs most, the weight of each mark and, of an additive one, what "
        "it adds to the answer; or all of the attention and contributions, as NetCDF.",
    )
    try:
        output = output_to(options.out, saliency=options.saliency)
        if options.dataset:
            quieten_tensorflow()  # it reads the records
        chunks = None if options.describe else options.read_genes()
        with options.make_client() as client:
            if chunks is None:
                details = client.description.details
                about = {"version": client.description.version, "status": client.status()}
                print(json.dumps({**about, **details, "signatures": client.metadata()}, indent=2))
            else:
                num_genes = predict_file(
                    client,
                    chunks,
                    output,
                    saliency=options.saliency,
                    # On standard output the table itself shows how far it is.
                    show_progress=options.out is not None and not options.quiet,
                )
                if not options.quiet:
                    _tell(num_genes, options, client.description)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it has seen enough. Python would complain again when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return 0


def _tell(num_genes: int, options: ClientOptions, model: ModelDescription) -> None:
    """Say how many genes were predicted by whom, and where they went."""
    by = f"{model.name}, version {model.version}"
    if options.label is not None:
        by += f" ({options.label})"
    genes = f"{num_genes:,} gene{'' if num_genes == 1 else 's'}"
    if options.out is None:
        # Not among the predictions.
        print(f"{genes} predicted by {by}", file=sys.stderr)
    else:
        print(f"{options.out}: {genes} predicted by {by}")


if __name__ == "__main__":
    run_command(main, InputError, ServerError)
