"""Asks TensorFlow Serving, or the local stand-in, what an exported model says of genes.

    python -m serving.client --model e012 --csv genes.csv --out predictions.csv

or, from Python:

    with Client("localhost:8500", "e012") as client:
        prediction = client.predict(signal, marks=("H3K27me3", "H3K36me3", ...))

`serving.async_client` has the same for event loops, `serving.rest_client` the same over REST.

An array of signal does not say which mark is in which column, and a model fed with swapped marks
answers without complaint. So the client asks the model for the names of its marks. A gRPC client
cannot read the file that lies in the SavedModel; TensorFlow Serving's metadata hold names and
shapes of tensors alone. Exported models therefore have a signature `describe`, which answers the
text of `assets/keras_chrome.json`, and the client asks it once, before the first prediction. From
then on it names the version that answered in each request: all genes of one `Client` are scored by
one version, also when the server loads another, or moves a label, meanwhile.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import repeat, tee
from typing import Any

import grpc

from serving.any_client import (
    BATCH_SIZE,
    CONCURRENCY,
    MAX_MESSAGE_BYTES,
    TIMEOUT_S,
    BlockingClient,
)
from serving.description import ModelDescription
from serving.errors import InputError, ServerError
from serving.genes import CSV_MARKS, Genes, iter_csv, iter_dataset, iter_numpy
from serving.grpc_messages import (
    Connection,
    metadata_message,
    predict_message,
    read_answer,
    read_metadata,
    status_message,
    to_json,
)
from serving.outputs import Output, output_to
from serving.predictions import Saliency
from serving.quiet import import_tensorflow_quietly
from serving.questions import (
    Answer,
    Request,
    Signatures,
    VersionChoice,
    read_signatures,
    read_states,
)
from serving.tls import add_tls_options, tls_from

_INTERRUPTED, _PIPE_CLOSED = 130, 141  # as a shell tells of SIGINT and SIGPIPE


class Client(BlockingClient):
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
        super()._open()
        self._connection = Connection(grpc, self.target, self._tls, self.max_message_bytes)

    def close(self) -> None:
        """Close the connection."""
        self._connection.channel.close()

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
                return self._connection.methods[method](message, timeout=left_s)
            except grpc.RpcError as error:
                raise self._error(error.code(), error.details() or "") from error

        return self._persist(ask)


def predict_file(
    client: BlockingClient,
    chunks: Iterator[Genes],
    output: Output,
    *,
    saliency: bool = False,
    show_progress: bool = False,
) -> None:
    """Predict genes as they are read, and write what is answered as it comes.

    Args:
        client: Whom to ask.
        chunks: The genes.
        output: Where to write, see `serving.outputs.output_to`.
        saliency: Also ask for the saliency, and write it.
        show_progress: Count the genes on standard error, if that is a terminal.

    Raises:
        InputError: If the genes are not what the model expects.
        ServerError: If the server refuses or cannot be asked.
    """
    from tqdm import tqdm

    saliencies: Iterator[Saliency | None] = repeat(None)
    if saliency:
        chunks, again = tee(chunks)
        saliencies = client.saliency_stream(again)
    with (
        output(client.description) as write,
        # None leaves it out where standard error is no terminal.
        tqdm(unit=" genes", disable=None if show_progress else True) as bar,
    ):
        predictions = client.predict_stream(chunks)
        # Both streams are cut at the same genes.
        for prediction, saliency_of_them in zip(predictions, saliencies, strict=False):
            write(prediction, saliency_of_them)
            bar.update(len(prediction.probability))


def main(argv: Sequence[str] | None = None) -> int:
    """Predict the genes of a file, or describe the model."""
    args = _parser().parse_args(argv)
    try:
        output = output_to(args.out, saliency=args.saliency)
        if args.rest is None or args.dataset_dir:
            import_tensorflow_quietly()
        with _client(args) as client:
            if args.describe:
                details = client.description.details
                about = {"version": client.description.version, "status": client.status()}
                print(json.dumps({**about, **details, "signatures": client.metadata()}, indent=2))
            else:
                predict_file(
                    client,
                    _read_genes(args, client.description),
                    output,
                    saliency=args.saliency,
                    # On standard output the table itself shows how far it is.
                    show_progress=args.out is not None and not args.quiet,
                )
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read it has seen enough. Python would complain again when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except KeyboardInterrupt:
        return _INTERRUPTED
    except (InputError, ServerError, OSError) as error:
        print(f"python -m serving.client: {error}", file=sys.stderr)
        return 2
    return 0


def _client(args: argparse.Namespace) -> BlockingClient:
    options = {
        "label": args.label,
        "tls": tls_from(args),
        "timeout_s": args.timeout_s,
        "batch_size": args.batch_size,
        "max_message_bytes": args.max_message_bytes,
        "concurrency": args.concurrency,
    }
    if args.rest is None:
        return Client(args.target, args.model, args.model_version, **options)
    from serving.rest_client import RestClient

    return RestClient(args.rest, args.model, args.model_version, **options)


def _read_genes(args: argparse.Namespace, description: ModelDescription) -> Iterator[Genes]:
    if args.csv:
        return iter_csv(args.csv, description.num_bins, args.marks or CSV_MARKS, args.batch_size)
    if args.numpy:
        return iter_numpy(args.numpy, args.marks, args.batch_size)
    known = {key: description.details.get(key) for key in ("bin_bp", "flank_bp", "oriented")}
    agreeing_with = {key: value for key, value in known.items() if value is not None}
    return iter_dataset(args.dataset_dir, args.split, agreeing_with, args.batch_size)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.client",
        description="Ask TensorFlow Serving, or the local stand-in, for predictions: a table with "
        "gene_id, probability and, where the model has attention, the mark and bin that it weighs "
        "most and the weight of each mark; or all of the attention, as NetCDF.",
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
        "--numpy",
        metavar="FILE",
        help="genes as arrays: .npy with the signal (genes, bins, marks), or .npz with signal, "
        "marks and gene_id",
    )
    source.add_argument(
        "--describe", action="store_true", help="say what the model expects, as JSON"
    )
    parser.add_argument(
        "--marks",
        "--csv-marks",
        nargs="+",
        metavar="MARK",
        help="names of the CSV's columns from the third, or of the last axis of .npy "
        f"(of a CSV: {' '.join(CSV_MARKS)})",
    )
    parser.add_argument("--split", default="test", help="split of the dataset (%(default)s)")
    parser.add_argument("--model", required=True, help="name of the served model")
    parser.add_argument("--model-version", type=int, metavar="N", help="default: the highest")
    parser.add_argument("--label", help="label of the version, such as stable")
    server = parser.add_mutually_exclusive_group()
    server.add_argument("--target", default="localhost:8500", help="host:port (%(default)s)")
    server.add_argument("--rest", metavar="URL", help="ask over REST: http://localhost:8501")
    add_tls_options(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        help=".csv, .tsv (both also .gz), .parquet, or .nc, which has alpha and beta too; "
        "default: CSV on standard output",
    )
    parser.add_argument(
        "--saliency", action="store_true", help="also write the gradient: to a .nc file alone"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument(
        "--batch-size", type=int, default=BATCH_SIZE, help="genes a request (%(default)s)"
    )
    parser.add_argument(
        "--concurrency", type=int, default=CONCURRENCY, help="requests at a time (%(default)s)"
    )
    parser.add_argument(
        "--max-message-bytes",
        type=int,
        default=MAX_MESSAGE_BYTES,
        help="of a request or an answer (%(default)s)",
    )
    parser.add_argument(
        "--timeout-s",
        type=float,
        default=TIMEOUT_S,
        help="for one request and its retries (%(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
