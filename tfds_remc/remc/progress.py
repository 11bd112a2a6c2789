"""What a terminal shows while a dataset is built."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

import tensorflow_datasets as tfds
from tensorflow_datasets.core.utils import tqdm_utils
from tqdm import tqdm

Item = TypeVar("Item")

_IS_SHOWN = ContextVar("is_shown", default=True)


@contextlib.contextmanager
def in_place_of_tfds() -> Iterator[None]:
    """Shows our bars where TFDS would show its own.

    The titles of its own are paths, wider than a terminal.
    """
    is_shown = tqdm_utils._active
    token = _IS_SHOWN.set(is_shown)
    tfds.display_progress_bar(False)
    try:
        yield
    finally:
        tfds.display_progress_bar(is_shown)
        _IS_SHOWN.reset(token)


def counted(items: Iterable[Item], title: str, *, unit: str, total: int) -> Iterator[Item]:
    """Yields items and shows how many there have been, how fast, and the time that is left.

    On a terminal alone, in one line that is gone when they are over.

    Args:
        items: What takes time.
        title: What is done with them.
        unit: What they are, in the plural.
        total: How many they are.
    """
    yield from tqdm(
        items,
        title,
        total,
        leave=False,
        unit=f" {unit}",
        dynamic_ncols=True,
        disable=None if _IS_SHOWN.get() else True,
    )
