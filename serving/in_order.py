"""Calling a function on many things, several at a time, with the results in order."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from itertools import chain, islice
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def in_order(function: Callable[[_T], _R], items: Iterable[_T], concurrency: int) -> Iterator[_R]:
    """Yield `function(item)` for each item, in order.

    At most `concurrency` calls run at a time, each in a thread of its own, and at most that many
    items and results are held. A single item is computed by the thread that asks for it. The first
    error ends it; calls that are under way then are left to end by themselves.
    """
    items = iter(items)
    first = list(islice(items, 2))
    items = chain(first, items)
    if concurrency == 1 or len(first) < 2:
        yield from map(function, items)
        return

    def start(item: _T) -> Future[_R]:
        future: Future[_R] = Future()
        # A pool would keep the interpreter from exiting until its last call has ended: a server
        # that does not answer could not be interrupted.
        threading.Thread(target=_settle, args=(future, function, item), daemon=True).start()
        return future

    under_way = deque(map(start, islice(items, concurrency)))
    while under_way:
        yield under_way.popleft().result()
        under_way.extend(map(start, islice(items, 1)))


def _settle(future: Future[_R], function: Callable[[_T], _R], item: _T) -> None:
    try:
        future.set_result(function(item))
    except BaseException as error:
        future.set_exception(error)
