"""Many small requests as one run of the graph, as TensorFlow Serving batches them.

Requests for the same signature of the same version wait together until a thread is free and either
`max_batch_size` of them are there or the first has waited for `batch_timeout_micros`. What is
waiting is bounded: beyond `max_enqueued_batches` full batches a request is refused at once, so that
a server under too much load answers some in time instead of all too late.

Everything but the run itself happens in the event loop of the server: no lock is needed.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from serving import messages
from serving.errors import InputError
from serving.stand_in.servable import Call, RequestError, Servable, invalid


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are batched; names and meaning are TensorFlow Serving's.

    The defaults are those of `serving/container/batching.config`.

    Attributes:
        max_batch_size: Most genes (rows) in a batch, and in one request.
        batch_timeout_micros: How long a request may wait for others while a thread is free.
        max_enqueued_batches: Most full batches that wait.
        num_batch_threads: Batches that run at once.

    Raises:
        InputError: If a number is too small.
    """

    max_batch_size: int = 256
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 100
    num_batch_threads: int = 1

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), int(field.name != "batch_timeout_micros")
            if value < least:
                raise InputError(
                    f"Expected a number of at least {least}. Received: {field.name}={value}"
                )

    @classmethod
    def from_file(cls, path: str | Path) -> "BatchingParameters":
        """Read the file that TensorFlow Serving takes as `--batching_parameters_file`.

        Raises:
            InputError: If the file cannot be read, or asks for what the stand-in does not do.
        """
        message: Any = messages.read_text_proto(path, messages.BatchingParameters())
        for name in ("allowed_batch_sizes", "pad_variable_length_inputs"):
            if getattr(message, name):
                raise InputError(
                    f"Expected batching without {name}, which only TensorFlow Serving knows. "
                    f"Received: {path}"
                )
        given = {f.name: getattr(message, f.name) for f in fields(cls) if message.HasField(f.name)}
        return cls(**{name: wrapped.value for name, wrapped in given.items()})


class _Task:
    """A request that waits for its turn."""

    def __init__(self, servable: Servable, call: Call, arrays: Sequence[np.ndarray]) -> None:
        loop = asyncio.get_running_loop()
        if call.is_whole:
            _check_rows(arrays)
        self.servable = servable
        self.call = call
        self.arrays = arrays
        # An empty request waits too, so it takes room.
        self.size = max(1, len(arrays[0])) if call.is_whole else 1
        self.arrived_s = loop.time()
        self.future: asyncio.Future[list[np.ndarray]] = loop.create_future()

    def key(self) -> Hashable:
        """Tasks of one key run together: rows of the same types for the same graph."""
        dtypes = tuple(array.dtype for array in self.arrays)
        # An object of its own where the outputs are filtered: such a task runs alone.
        return (self.servable, self.call, dtypes) if self.call.is_whole else object()


class _Queue:
    """Tasks of one key, the oldest first."""

    def __init__(self) -> None:
        self.tasks: deque[_Task] = deque()
        self.size = 0

    def append(self, task: _Task) -> None:
        self.tasks.append(task)
        self.size += task.size

    def popleft(self) -> _Task:
        task = self.tasks.popleft()
        self.size -= task.size
        return task


class Batcher:
    """Runs requests in batches; belongs to one event loop.

    Args:
        parameters: How.
        on_batch: Called with the number of rows.
        on_wait: Called with the seconds that a request waited.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        on_batch: Callable[[int], None],
        on_wait: Callable[[float], None],
    ) -> None:
        self.parameters = parameters
        self.num_waiting = 0
        self._on_batch = on_batch
        self._on_wait = on_wait
        self._queues: dict[Hashable, _Queue] = {}
        self._num_idle = parameters.num_batch_threads
        self._threads = ThreadPoolExecutor(parameters.num_batch_threads, "batch")
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Let the threads end; nothing may wait any longer."""
        self._threads.shutdown(wait=True)

    async def run(
        self, servable: Servable, call: Call, arrays: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Run a call together with others; cancelling it takes it out of the queue.

        Raises:
            RequestError: If it cannot be batched or the queue is full.
            tensorflow.errors.OpError: If the graph refuses it.
        """
        task, most = _Task(servable, call, arrays), self.parameters.max_batch_size
        if task.size > most:
            raise invalid(f"Task size {task.size} is larger than maximum input batch size {most}")
        batches = self.parameters.max_enqueued_batches
        if self.num_waiting + task.size > most * batches:
            raise RequestError(
                grpc.StatusCode.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; currently "
                f"{batches} batches enqueued and max_enqueued_batches is {batches}",
            )
        self._queues.setdefault(task.key(), _Queue()).append(task)
        self.num_waiting += task.size
        self._start_what_is_ready()
        return await task.future

    def _start_what_is_ready(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._num_idle and self._queues:
            key = min(self._queues, key=self._due_s)
            if (due_s := self._due_s(key)) > loop.time():
                self._timer = loop.call_at(due_s, self._start_what_is_ready)
                return
            if batch := self._take_batch(key):
                self._num_idle -= 1
                self._threads.submit(self._run_batch, batch, loop)

    def _due_s(self, key: Hashable) -> float:
        """When a queue's first batch need wait no longer; the oldest comes first."""
        queue = self._queues[key]
        is_full = queue.size >= self.parameters.max_batch_size
        wait_s = 0.0 if is_full else self.parameters.batch_timeout_micros / 1e6
        return queue.tasks[0].arrived_s + wait_s

    def _take_batch(self, key: Hashable) -> list[_Task]:
        queue, batch, size = self._queues[key], [], 0
        while queue.tasks and size + queue.tasks[0].size <= self.parameters.max_batch_size:
            task = queue.popleft()
            self.num_waiting -= task.size
            # Whoever asked may have gone away meanwhile, or its time is up.
            if not task.future.done():
                batch.append(task)
                size += task.size
        if not queue.tasks:
            del self._queues[key]
        now_s = asyncio.get_running_loop().time()
        for task in batch:
            self._on_wait(now_s - task.arrived_s)
        if batch:
            self._on_batch(size)
        return batch

    def _run_batch(self, batch: list[_Task], loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: one run for all tasks, and each its share."""
        first = batch[0]
        results: list[list[np.ndarray]] = []
        error: BaseException | None = None
        try:
            results = _run_together(first.servable, first.call, [task.arrays for task in batch])
        except BaseException as fault:
            error = fault
        loop.call_soon_threadsafe(self._finish, batch, results, error)

    def _finish(
        self,
        batch: list[_Task],
        results: list[list[np.ndarray]],
        error: BaseException | None,
    ) -> None:
        self._num_idle += 1
        for number, task in enumerate(batch):
            if task.future.done():
                continue
            if error is not None:
                task.future.set_exception(error)
            else:
                task.future.set_result(results[number])
        self._start_what_is_ready()


def _check_rows(arrays: Sequence[np.ndarray]) -> None:
    if not arrays:
        raise invalid("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in arrays):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    if len({len(array) for array in arrays}) > 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")


def _run_together(
    servable: Servable, call: Call, requests: Sequence[Sequence[np.ndarray]]
) -> list[list[np.ndarray]]:
    if not call.is_whole:
        return [servable.run(call, requests[0])]
    sizes = [len(arrays[0]) for arrays in requests]
    inputs = servable.signatures[call.signature].inputs
    for name, parts in zip(call.inputs, zip(*requests, strict=True), strict=True):
        if len({part.shape[1:] for part in parts}) > 1:
            # One request of another shape fails those of others, as with TensorFlow Serving.
            raise _unfit(
                f"Tensors with name '{inputs[name].name}' from different tasks have different "
                "shapes and padding is turned off. Set pad_variable_length_inputs to true, or "
                "ensure that all tensors with the same name have equal dimensions starting with "
                "the first dim."
            )
    merged = [np.concatenate(parts) for parts in zip(*requests, strict=True)]
    outputs = servable.run(call, merged if len(requests) > 1 else requests[0])
    if any(output.ndim == 0 for output in outputs):
        raise _unfit("Batched output tensor has 0 dimensions")
    if any(len(output) != sum(sizes) for output in outputs):
        raise _unfit(
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
            "sizes of the input tensors"
        )
    ends = itertools.accumulate(sizes)
    return [
        [output[end - size : end] for output in outputs]
        for size, end in zip(sizes, ends, strict=True)
    ]


def _unfit(message: str) -> RequestError:
    return RequestError(grpc.StatusCode.FAILED_PRECONDITION, message)
