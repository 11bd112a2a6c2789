"""Which code runs the LSTMs: one fused recurrence, stock Keras, or TensorFlow's own operation.

All compute the same from the same weights; a saved model knows nothing of it. `fused` is the
fastest one on a CPU with XLA. On a GPU `stock` is cuDNN, one call a mark and direction; which one
is faster there depends on the card and the batch (`benchmarks/gpu.py` measures it). `block` is the
fastest one without XLA, which cannot compile it: the export traces with it, and no option names it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from keras_chrome.errors import InputError
from keras_chrome.vocabulary import RECURRENCES

_chosen = ["fused"]


def recurrence_in_use() -> str:
    """What the innermost `use_recurrence` says; `fused` outside of any."""
    return _chosen[-1]


@contextmanager
def use_recurrence(name: str) -> Iterator[None]:
    """Trace what is traced inside with `fused`, `stock` or `block`.

    Raises:
        InputError: If `name` is none of them.
    """
    known = (*RECURRENCES, "block")
    if name not in known:
        raise InputError(f"Expected one of {known}. Received: recurrence={name!r}")
    _chosen.append(name)
    try:
        yield
    finally:
        _chosen.pop()
