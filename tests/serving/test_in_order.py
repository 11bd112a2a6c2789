import threading
import time
from collections.abc import Iterator

import pytest

from serving.in_order import in_order


class Worker:
    """Counts what is under way and what is done."""

    def __init__(self) -> None:
        self.at_work, self.most_at_work, self.done = 0, 0, []
        self._lock = threading.Lock()

    def __call__(self, item: int) -> int:
        self._begin()
        while True:
            time.sleep(0.001)
            if self.may_end(item):
                return self._end(item)

    def may_end(self, item: int) -> bool:
        return True

    def _begin(self) -> None:
        with self._lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)

    def _end(self, item: int) -> int:
        with self._lock:
            self.at_work -= 1
            self.done.append(item)
        return 10 * item


def run(worker: Worker, items: Iterator[int], concurrency: int) -> list[int]:
    return list(in_order(worker, items, concurrency))


@pytest.mark.parametrize("concurrency", [1, 3, 50])
@pytest.mark.parametrize("num_items", [0, 1, 2, 20])
def test_each_once_and_in_order(concurrency: int, num_items: int) -> None:
    worker = Worker()
    results = run(worker, iter(range(num_items)), concurrency)
    assert results == [10 * item for item in range(num_items)]
    assert sorted(worker.done) == list(range(num_items))
    assert worker.most_at_work <= min(concurrency, num_items)


def test_as_many_at_once_as_there_may_be() -> None:
    class Waiting(Worker):
        """Ends nothing before three are at work, and the first item after the third."""

        def may_end(self, item: int) -> bool:
            return self.most_at_work == 3 and (item != 0 or 2 in self.done)

    worker = Waiting()
    assert run(worker, iter(range(20)), 3) == [10 * item for item in range(20)]
    assert worker.most_at_work == 3


def test_takes_no_more_items_than_are_under_way() -> None:
    worker, ahead = Worker(), []

    def items() -> Iterator[int]:
        for item in range(20):
            ahead.append(item - len(worker.done))
            yield item

    run(worker, items(), 4)
    assert max(ahead) <= 4


def test_an_error_of_the_function_ends_it() -> None:
    class Broken(Worker):
        def _end(self, item: int) -> int:
            if item == 5:
                raise ValueError("five")
            return super()._end(item)

    worker = Broken()
    with pytest.raises(ValueError, match="five"):
        run(worker, iter(range(1000)), 3)
    assert len(worker.done) < 20


def test_an_error_of_the_items_ends_it() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise ValueError("no sixth")

    with pytest.raises(ValueError, match="no sixth"):
        run(Worker(), items(), 3)


def test_one_item_needs_no_thread() -> None:
    assert list(in_order(lambda _: threading.current_thread(), [1], 4)) == [
        threading.current_thread()
    ]
