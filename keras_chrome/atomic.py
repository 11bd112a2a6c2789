"""Files and folders that appear under their names whole, or not at all.

The same file lies in keras_chrome and serving, which import nothing of each other; a test holds the
two equal.
"""

from __future__ import annotations

import fcntl
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_PREFIX = ".unfinished-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path, which takes the place of `path` once the block is done.

    The suffix stays, since Keras and Matplotlib choose the format by it. If the block fails,
    nothing is left behind; if the process is killed, nothing that the next writer in the folder
    does not remove.

    Args:
        path: The file; its folder is made if it is not there.

    Raises:
        OSError: As the block does, with `path` for the temporary path.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished(path.parent) as folder:
            temporary = folder / f"new{path.suffix}"
            yield temporary
            temporary.replace(path)
    except OSError as error:
        # A full disk does not say by itself which one it is.
        is_named = error.filename is not None and _PREFIX not in str(error.filename)
        if error.errno is None or is_named:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def unfinished(parent: Path) -> Iterator[Path]:
    """A new hidden folder to make something in, which is removed after the block.

    Those that killed processes left in `parent` are removed first. A process holds a lock as long
    as it lives, which the system lets go whatever it dies of, and other hosts see too. Where a file
    system knows no locks, such folders stay.

    Args:
        parent: Where what is made will be moved to, or a folder of the same disk.
    """
    _remove_stale(parent)
    folder = parent / f"{_PREFIX}{uuid.uuid4().hex[:12]}"
    lock = folder.with_suffix(".lock")
    try:
        # The lock is there before the folder and goes after it: no folder is without.
        with _locked(lock):
            folder.mkdir()
            yield folder
    finally:
        try:
            _remove(folder, lock)
        finally:  # Or Ctrl-C, which is heard once, would have broken it off.
            _remove(folder, lock)


def _remove(folder: Path, lock: Path) -> None:
    with suppress(OSError):  # Where nothing can be written, it was not.
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)


def _locked(path: Path) -> IO[str]:
    """A new file, locked."""
    while True:
        lock = path.open("x")
        with suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            return lock
        lock.close()  # Another process has taken it for stale before it was locked.


def _remove_stale(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*.lock"):
        with suppress(OSError), path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (folder := path.with_suffix("")).exists():
                shutil.rmtree(folder)
            path.unlink(missing_ok=True)
