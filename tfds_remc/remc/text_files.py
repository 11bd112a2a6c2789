"""Opens tables of text, plain or gzipped."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from .errors import InputError
from .file_types import is_gzip


@contextlib.contextmanager
def open_text(path: Path, error: type[InputError]) -> Iterator[TextIO]:
    """Opens a text file, plain or gzipped by its content, with or without a byte-order mark.

    Raises:
        InputError: As an `error`, if the file turns out to be no text or a damaged gzip while
            it is read.
    """
    opener: Callable[..., TextIO] = gzip.open if is_gzip(path) else open
    try:
        with opener(path, mode="rt", encoding="utf-8-sig") as lines:
            yield lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
        raise error(
            f"Expected a complete gzipped file. Received: {path.name} ({fault}). Fetch it again."
        ) from fault
    except UnicodeDecodeError as fault:
        raise error(f"Expected a text file. Received: {path.name} ({fault}).") from fault
