"""Which code runs the LSTMs: one fused recurrence, or stock Keras.

Both compute the same from the same weights; a saved model knows nothing of it. `fused` is the
faster one on a CPU. On a GPU `stock` is cuDNN, one call a mark and direction; which one is faster
there depends on the card and the batch (`benchmarks/gpu.py` measures it).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from keras_chrome.errors import InputError
from keras_chrome.vocabulary import RECURRENCES

ENVIRONMENT_VARIABLE = "KERAS_CHROME_RECURRENCE"

_chosen: list[str] = []


def recurrence_in_use() -> str:
    """`fused` or `stock`: the innermost `use_recurrence`, else the environment's, else fused.

    Raises:
        InputError: If the environment names another.
    """
    return _chosen[-1] if _chosen else _known(os.environ.get(ENVIRONMENT_VARIABLE) or "fused")


@contextmanager
def use_recurrence(name: str) -> Iterator[None]:
    """Trace what is traced inside with `fused` or `stock`.

    Raises:
        InputError: If `name` is neither.
    """
    _chosen.append(_known(name))
    try:
        yield
    finally:
        _chosen.pop()


def _known(name: str) -> str:
    if name not in RECURRENCES:
        raise InputError(f"Expected one of {RECURRENCES}. Received: recurrence={name!r}")
    return name
