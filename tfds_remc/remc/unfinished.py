"""One build of a dataset at a time, and nothing left of those that were killed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError, printable

_PREFIX = "incomplete."
"""How TFDS begins the name of the folder of a dataset that it has not finished."""

EXCHANGE_PREFIX = "remc-"
"""How the name of the folder begins through which a Beam job brings its results home."""


class DamagedDatasetError(InputError):
    """A dataset that is there and cannot be opened."""

    def __init__(self, path: Path, reason: Exception) -> None:
        super().__init__(
            f"Expected a dataset that TFDS can open. Received: {path}, of which "
            f"dataset_info.json, features.json or metadata.json is missing or damaged "
            f"({type(reason).__name__}: {printable(reason)}). Remove it, or give --overwrite to "
            "build it again."
        )
        self.path = path


@contextlib.contextmanager
def only_build(folder: Path, name: str) -> Iterator[None]:
    """Keeps other builds of a dataset out, and removes what such left that did not end.

    The folder itself is locked, so that the lock ends with the process, whatever ends that. A file
    system without locks, as some of networks are, is used without.

    Args:
        folder: Of the dataset's versions; it is made, and removed if there is nothing in it.
        name: Of the dataset.

    Raises:
        InputError: If another process is building it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise InputError(
            f"Expected no other build of {name} in {folder}. Received: one that is running. Wait "
            "until it has ended, or give another data_dir."
        ) from None
    except OSError:
        pass
    try:
        for prefix in (_PREFIX, EXCHANGE_PREFIX):
            for left in folder.glob(f"{prefix}*"):
                shutil.rmtree(left)
        yield
    finally:
        with contextlib.suppress(OSError):  # There is something in it.
            folder.rmdir()
        os.close(descriptor)


def remove_dataset(path: Path) -> None:
    """Removes a version of a dataset; killed meanwhile, it leaves what the next build removes."""
    aside = path.with_name(f"{_PREFIX}{uuid.uuid4().hex}_{path.name}")
    path.rename(aside)
    shutil.rmtree(aside)
