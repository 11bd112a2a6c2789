import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf

from serving.errors import InputError
from serving.stand_in.batching import Batcher, BatchingParameters
from serving.stand_in.servable import Call, RequestError, Servable

CALL = Call("serving_default", ("x",), ("y",), is_whole=True)


class Held(Servable):
    """A model that does not answer before it may."""

    def __init__(self, path: Path) -> None:
        super().__init__("held", 1, path)
        self.may_run = threading.Event()
        self.has_begun = threading.Event()
        self.sizes: list[int] = []

    def run(self, call: Call, arrays: Any) -> list[np.ndarray]:
        self.sizes.append(len(arrays[0]))
        self.has_begun.set()
        assert self.may_run.wait(20)
        return super().run(call, arrays)


@pytest.fixture
def held(tmp_path: Path, make_version: Any) -> Held:
    return Held(make_version(tmp_path / "1", 10))


def batching(work: Any, **parameters: int) -> tuple[Any, list[int], list[float]]:
    """What `work(batcher)` returns, and the sizes of batches and the waits on the way."""
    sizes: list[int] = []
    waits: list[float] = []

    async def run() -> Any:
        batcher = Batcher(BatchingParameters(**parameters), sizes.append, waits.append)
        try:
            return await work(batcher)
        finally:
            batcher.close()

    return asyncio.run(run()), sizes, waits


def request(batcher: Batcher, servable: Servable, *numbers: float) -> Coroutine[Any, Any, Any]:
    return batcher.run(servable, CALL, [np.array(numbers, np.float32)])


async def begin(servable: Held, batcher: Batcher, *numbers: float) -> "asyncio.Task[Any]":
    """A request that is being run, and holds up the only thread."""
    task = asyncio.create_task(request(batcher, servable, *numbers))
    await asyncio.to_thread(servable.has_begun.wait, 20)
    return task


def test_everybody_gets_the_own_answer_out_of_fewer_runs(held: Held) -> None:
    async def work(batcher: Batcher) -> list[Any]:
        first = await begin(held, batcher, 0)
        tasks = [asyncio.create_task(request(batcher, held, n, n + 0.5)) for n in range(1, 20)]
        await asyncio.sleep(0)
        held.may_run.set()
        return [await first, *[await task for task in tasks]]

    answers, sizes, _ = batching(work, num_batch_threads=1, max_batch_size=16)
    assert answers[0][0].tolist() == [10]
    for n, (answer,) in enumerate(answers[1:], start=1):
        assert answer.tolist() == [n + 10, n + 10.5]
    # 19 requests of two rows fill two batches of 16, and six rows are left.
    assert held.sizes == sizes == [1, 16, 16, 6]


def test_waits_for_others_no_longer_than_it_may(held: Held) -> None:
    held.may_run.set()

    async def work(batcher: Batcher) -> Any:
        both = await asyncio.gather(request(batcher, held, 1), request(batcher, held, 2))
        full = await asyncio.gather(request(batcher, held, 1, 2), request(batcher, held, 3, 4))
        return both, full

    _, sizes, waits = batching(work, batch_timeout_micros=50_000, max_batch_size=4)
    assert sizes == [2, 4]
    assert min(waits[:2]) >= 0.04
    # A full batch has nobody to wait for.
    assert max(waits[2:]) < min(waits[:2])


def test_refuses_more_than_may_wait(held: Held) -> None:
    async def work(batcher: Batcher) -> None:
        first = await begin(held, batcher, 0)
        waiting = [asyncio.create_task(request(batcher, held, 1, 2)) for _ in range(4)]
        await asyncio.sleep(0)
        assert batcher.num_waiting == 8
        with pytest.raises(RequestError, match="queue to which this task was submitted is full"):
            await request(batcher, held, 1)
        held.may_run.set()
        await asyncio.gather(first, *waiting)
        assert batcher.num_waiting == 0
        await request(batcher, held, 1)

    batching(work, num_batch_threads=1, max_batch_size=4, max_enqueued_batches=2)


def test_does_not_run_what_nobody_waits_for(held: Held) -> None:
    async def work(batcher: Batcher) -> None:
        first = await begin(held, batcher, 0)
        gone = asyncio.create_task(request(batcher, held, 1, 2, 3))
        stays = asyncio.create_task(request(batcher, held, 4))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        held.may_run.set()
        await asyncio.gather(first, stays)

    batching(work, num_batch_threads=1)
    assert held.sizes == [1, 1]


def test_keeps_apart_what_does_not_fit_together(held: Held) -> None:
    async def work(batcher: Batcher) -> None:
        first = await begin(held, batcher, 0)
        arrays = [np.ones((2, 3)), np.ones((5, 3))]
        tasks = [
            asyncio.create_task(batcher.run(held, call, [array.astype(np.float32)]))
            for array in arrays
            for call in (CALL, CALL._replace(is_whole=False))
        ]
        await asyncio.sleep(0)
        held.may_run.set()
        answers = [(await task)[0].shape for task in tasks]
        assert answers == [array.shape for array in arrays for _ in range(2)]
        await first

    batching(work, num_batch_threads=1)
    # Filtered outputs always go alone.
    assert sorted(held.sizes) == [1, 2, 5, 7]


def test_a_request_of_another_shape_spoils_the_batch(held: Held) -> None:
    """As with TensorFlow Serving; who asks again is answered."""

    async def work(batcher: Batcher) -> list[Any]:
        first = await begin(held, batcher, 0)
        arrays = [np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)]
        tasks = [asyncio.create_task(batcher.run(held, CALL, [array])) for array in arrays]
        await asyncio.sleep(0)
        held.may_run.set()
        await first
        faults = await asyncio.gather(*tasks, return_exceptions=True)
        (again,) = await batcher.run(held, CALL, [arrays[0]])
        assert again.shape == (2, 3)
        return faults

    faults, _, _ = batching(work, num_batch_threads=1)
    for fault in faults:
        assert isinstance(fault, RequestError)
        assert fault.code is grpc.StatusCode.FAILED_PRECONDITION
        assert str(fault) == (
            "Tensors with name 'serving_default_x:0' from different tasks have different shapes "
            "and padding is turned off. Set pad_variable_length_inputs to true, or ensure that all "
            "tensors with the same name have equal dimensions starting with the first dim."
        )


def test_a_failed_run_fails_those_who_asked_and_no_others(held: Held) -> None:
    held.may_run.set()

    async def work(batcher: Batcher) -> Any:
        wrong = batcher.run(held, CALL, [np.ones(2, np.float64)])
        return await asyncio.gather(wrong, request(batcher, held, 1), return_exceptions=True)

    (wrong, right), *_ = batching(work)
    assert isinstance(wrong, tf.errors.InvalidArgumentError)
    assert right[0].tolist() == [11]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([], "must have at least one input tensor"),
        ([np.float32(1)], "must have at least one dimension"),
        ([np.ones(2), np.ones(3)], "must have equal 0th-dimension size"),
        ([np.ones(9)], "Task size 9 is larger than maximum input batch size 8"),
    ],
)
def test_refuses_what_tensorflow_serving_cannot_batch(
    held: Held, arrays: list[np.ndarray], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        batching(lambda b: b.run(held, CALL, [np.asarray(a) for a in arrays]), max_batch_size=8)


def test_refuses_outputs_that_do_not_grow_with_the_batch(tmp_path: Path, make_version: Any) -> None:
    class Summing(Held):
        def run(self, call: Call, arrays: Any) -> list[np.ndarray]:
            return [super().run(call, arrays)[0].sum(keepdims=True)]

    held = Summing(make_version(tmp_path / "1", 0))

    async def work(batcher: Batcher) -> Any:
        first = await begin(held, batcher, 0)
        two = [asyncio.create_task(request(batcher, held, 1)) for _ in range(2)]
        await asyncio.sleep(0)
        held.may_run.set()
        await first
        return await asyncio.gather(*two, return_exceptions=True)

    errors, *_ = batching(work, num_batch_threads=1)
    assert all("0th dimension does not equal the sum" in str(error) for error in errors)


def test_reads_tensorflow_servings_file(tmp_path: Path) -> None:
    file = tmp_path / "batching.config"
    file.write_text("max_batch_size { value: 32 }\nnum_batch_threads { value: 3 }  # cores\n")
    parameters = BatchingParameters.from_file(file)
    assert (parameters.max_batch_size, parameters.num_batch_threads) == (32, 3)
    assert parameters.max_enqueued_batches == BatchingParameters().max_enqueued_batches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch { value: 3 }", "Expected a BatchingParameters in protobuf's text format"),
        ("num_batch_threads { value: 0 }", "at least 1. Received: num_batch_threads=0"),
        ("allowed_batch_sizes: 8", "without allowed_batch_sizes"),
    ],
)
def test_refuses_a_file_it_cannot_follow(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "batching.config").write_text(text)
    with pytest.raises(InputError, match=message):
        BatchingParameters.from_file(tmp_path / "batching.config")
