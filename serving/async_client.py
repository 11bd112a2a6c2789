"""A client for event loops."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
import numpy as np

from serving.any_client import AnyClient, as_chunks
from serving.description import ModelDescription
from serving.genes import Genes
from serving.grpc_messages import (
    STATUS_S,
    Connection,
    is_unexplained,
    metadata_message,
    predict_message,
    read_answer,
    read_metadata,
    read_served,
    read_versions,
    status_message,
    to_json,
)
from serving.in_order import in_order_async
from serving.predictions import Prediction, Saliency, join
from serving.questions import (
    GeneChunk,
    GeneSource,
    Request,
    Signatures,
    VersionChoice,
    describe_request,
    read_signatures,
    read_states,
)
from serving.retries import await_answer

_T = TypeVar("_T")
_Result = TypeVar("_Result", bound=Prediction | Saliency)

# Genes may also arrive asynchronously.
AsyncGeneSource = GeneSource | AsyncIterable[GeneChunk]


class AsyncClient(AnyClient):
    """`serving.client.Client` for event loops: the same arguments, and methods to await.

        async with AsyncClient("localhost:8500", "e012") as client:
            prediction = await client.predict(signal, marks=marks)
            async for prediction in client.predict_stream(chunks):
                ...

    It belongs to the event loop that asks first.

    Raises:
        InputError: As `Client`.
        ServerError: By every method, if the server refuses or cannot be asked.
    """

    def _open(self) -> None:
        self._describing = asyncio.Lock()
        self._connection: Connection | None = None

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def describe(self) -> ModelDescription:
        """What the model expects and answers; asked once."""
        # Two tasks that ask at the same time might be told different versions.
        async with self._describing:
            if self._description is None:
                self._description = await self._answer(describe_request(self.model), self._choice)
            return self._description

    async def predict(
        self,
        signal: np.ndarray | Genes,
        *,
        marks: Sequence[str] | None = None,
        attention: bool = True,
    ) -> Prediction:
        """Predict the expression of genes; see `Client.predict`."""
        stream = self.predict_stream(as_chunks(signal), marks=marks, attention=attention)
        return join([prediction async for prediction in stream])

    def predict_stream(
        self,
        genes: AsyncGeneSource,
        *,
        marks: Sequence[str] | None = None,
        attention: bool = True,
    ) -> AsyncIterator[Prediction]:
        """Predict genes as they come; see `Client.predict_stream`.

        The chunks may also come from an asynchronous iterable.
        """
        signature = "serving_default" if attention else "predict"
        return self._stream(signature, Prediction, genes, marks)

    async def saliency(
        self, signal: np.ndarray | Genes, *, marks: Sequence[str] | None = None
    ) -> Saliency:
        """Gradient of the logit with respect to the signal; see `Client.saliency`."""
        stream = self.saliency_stream(as_chunks(signal), marks=marks)
        return join([saliency async for saliency in stream])

    def saliency_stream(
        self, genes: AsyncGeneSource, *, marks: Sequence[str] | None = None
    ) -> AsyncIterator[Saliency]:
        """`saliency` as `predict_stream`, of the same genes in each request."""
        return self._stream("saliency", Saliency, genes, marks)

    async def metadata(self) -> Signatures:
        """The signatures of the model; see `Client.metadata`."""
        message = metadata_message(self.model, self._choice)
        return read_signatures(read_metadata(await self._call("GetModelMetadata", message)))

    async def status(self) -> dict[int, str]:
        """The state of each version that the server knows; see `Client.status`."""
        message = status_message(self.model, self._choice)
        return read_states(to_json(await self._call("GetModelStatus", message)))

    async def _stream(
        self,
        signature: str,
        result: type[_Result],
        genes: AsyncGeneSource,
        marks: Sequence[str] | None,
    ) -> AsyncIterator[_Result]:
        description = await self.describe()

        async def requests() -> AsyncIterator[Request[_Result]]:
            if isinstance(genes, AsyncIterable):
                async for chunk in genes:
                    for request in self._requests(signature, result, chunk, marks, description):
                        yield request
            else:
                for request in self._requests(signature, result, genes, marks, description):
                    yield request

        def answer(request: Request[_Result]) -> Awaitable[_Result]:
            return self._answer(request, description.version)

        # A stream that is left before its end cancels what is under way at once.
        async with aclosing(in_order_async(answer, requests(), self.concurrency)) as answers:
            async for each in answers:
                yield each

    async def _answer(self, request: Request[_T], choice: VersionChoice) -> _T:
        message = predict_message(self.model, request, choice)
        return request.read(read_answer(await self._call("Predict", message)))

    async def _call(self, method: str, message: Any) -> Any:
        if self._connection is None:
            # Only here: a channel is bound to the event loop in which it is made.
            self._connection = Connection(grpc.aio, self.target, self._tls, self.max_message_bytes)
        call: Callable[..., Awaitable[Any]] = self._connection.methods[method]

        async def ask(left_s: float) -> Any:
            try:
                return await call(message, timeout=left_s)
            except grpc.aio.AioRpcError as error:
                served = await self._versions() if is_unexplained(error) else read_served(error)
                raise self._error(error.code(), error.details() or "", served) from error

        return await await_answer(ask, self.timeout_s, self.backoff)

    async def _versions(self) -> str:
        """As `Client` asks for them."""
        assert self._connection is not None
        ask: Callable[..., Awaitable[Any]] = self._connection.methods["GetModelStatus"]
        try:
            answer = await ask(status_message(self.model, None), timeout=STATUS_S)
        except grpc.aio.AioRpcError:
            return ""
        return read_versions(self.model, answer)
