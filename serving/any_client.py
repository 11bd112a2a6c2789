"""What the clients have in common: all but how a request is sent."""

import operator
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import numpy as np

from serving.description import ModelDescription
from serving.errors import InputError, ServerError
from serving.genes import Genes
from serving.in_order import in_order
from serving.predictions import Prediction, Saliency, join
from serving.questions import (
    Answer,
    GeneSource,
    Request,
    Signatures,
    VersionChoice,
    describe_request,
    signal_requests,
)
from serving.retries import Backoff, ask_until_answered, server_error
from serving.tls import Tls

__all__ = ["AnyClient"]

_T = TypeVar("_T")
_Result = TypeVar("_Result", bound=Prediction | Saliency)

# A server that batches refuses more than one of its batches holds: container/batching.config.
BATCH_SIZE = 256
# gRPC's own limit, for what a client receives, is 4 MiB.
MAX_MESSAGE_BYTES = 64 * 2**20
CONCURRENCY = 4
TIMEOUT_S = 30.0
_BACKOFF = Backoff()


class AnyClient(ABC):
    """Asks one version of one served model; the arguments are described at `Client`."""

    # Room that a number takes in a message.
    _bytes_a_number = 4

    def __init__(
        self,
        target: str,
        model: str,
        version: int | None = None,
        *,
        label: str | None = None,
        tls: Tls | None = None,
        timeout_s: float = TIMEOUT_S,
        batch_size: int = BATCH_SIZE,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        concurrency: int = CONCURRENCY,
        backoff: Backoff = _BACKOFF,
    ) -> None:
        for name, value in (
            ("timeout_s", timeout_s),
            ("batch_size", batch_size),
            ("concurrency", concurrency),
        ):
            if not value > 0:
                raise InputError(f"Expected a positive number. Received: {name}={value}")
        if version is not None and label is not None:
            raise InputError(
                "Expected a version or a label. Received both: "
                f"version={version}, label={label}. Leave one out"
            )
        if tls is not None:
            tls.credentials()  # a file that cannot be read is told of now, not at the first request
        self.target = target
        self.model = model
        self.timeout_s = timeout_s
        self.batch_size = batch_size
        self.max_message_bytes = max_message_bytes
        self.concurrency = concurrency
        self.backoff = backoff
        self._tls = tls
        self._choice: VersionChoice = label if version is None else operator.index(version)
        self._description: ModelDescription | None = None
        self._describing = threading.Lock()
        self._open()

    @abstractmethod
    def _open(self) -> None:
        """Make what the client asks through, once the arguments are checked."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    @abstractmethod
    def _ask(self, request: Request[Any], choice: VersionChoice) -> Answer:
        """Send a request to the chosen version."""

    @abstractmethod
    def metadata(self) -> Signatures:
        """The signatures of the model; see `Client.metadata`."""

    @abstractmethod
    def status(self) -> dict[int, str]:
        """The state of each version that the server knows; see `Client.status`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def description(self) -> ModelDescription:
        """What the model expects and answers; asked once."""
        # Two threads that ask at the same time might be told different versions.
        with self._describing:
            if self._description is None:
                self._description = self._answer(describe_request(self.model), self._choice)
            return self._description

    def predict(
        self,
        signal: np.ndarray | Genes,
        *,
        marks: Sequence[str] | None = None,
        attention: bool = True,
    ) -> Prediction:
        """Predict the expression of genes.

        Args:
            signal: Floating-point array `(n, bins, marks)`, n > 0, as measured: the model itself
                scales it. Or `Genes`, which know their marks and may have more than the model.
            marks: Names of the marks on the last axis of an array, which must be the model's.
                Without them the order of the columns is on your honour.
            attention: Also ask for alpha, beta and contribution, which are most of the answer.

        Raises:
            InputError: If the signal or the marks are not what the model expects.
        """
        return join(self.predict_stream(_one_chunk(signal), marks=marks, attention=attention))

    def predict_stream(
        self,
        genes: GeneSource,
        *,
        marks: Sequence[str] | None = None,
        attention: bool = True,
    ) -> Iterator[Prediction]:
        """Predict genes as they come, a `Prediction` for each request, in order.

        At most `concurrency` requests are under way and held in memory; so many chunks are read
        before the first prediction is there.

        Args:
            genes: As in `predict`, or an iterable of such chunks. A request never spans two.
            marks: As in `predict`.
            attention: As in `predict`.

        Raises:
            InputError: While iterating, where a chunk is not what the model expects.
        """
        signature = "serving_default" if attention else "predict"
        return self._stream(signature, Prediction, genes, marks)

    def saliency(
        self, signal: np.ndarray | Genes, *, marks: Sequence[str] | None = None
    ) -> Saliency:
        """Gradient of the logit with respect to the signal; arguments as in `predict`."""
        return join(self.saliency_stream(_one_chunk(signal), marks=marks))

    def saliency_stream(
        self, genes: GeneSource, *, marks: Sequence[str] | None = None
    ) -> Iterator[Saliency]:
        """`saliency` as `predict_stream`, of the same genes in each request."""
        return self._stream("saliency", Saliency, genes, marks)

    def _stream(
        self,
        signature: str,
        result: type[_Result],
        genes: GeneSource,
        marks: Sequence[str] | None,
    ) -> Iterator[_Result]:
        description = self.description
        size = description.genes_a_request(
            self.batch_size, self.max_message_bytes, self._bytes_a_number
        )
        requests = signal_requests(signature, result, genes, marks, description, size)
        yield from in_order(
            lambda request: self._answer(request, description.version), requests, self.concurrency
        )

    def _answer(self, request: Request[_T], choice: VersionChoice) -> _T:
        return request.read(self._ask(request, choice))

    def _persist(self, ask: Callable[[float], _T]) -> _T:
        """Try to get an answer in the seconds that are left, until there is one."""
        return ask_until_answered(ask, self.timeout_s, self.backoff)

    def _error(self, code: grpc.StatusCode, details: str, served: str = "") -> ServerError:
        return server_error(self.target, self.model, code, details, served)


def _one_chunk(signal: np.ndarray | Genes) -> tuple[np.ndarray | Genes]:
    """One chunk, also of nested lists."""
    return (signal if isinstance(signal, Genes) else np.asarray(signal),)
