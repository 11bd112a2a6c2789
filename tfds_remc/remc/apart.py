"""Reads files with native code in another process, which damage may hang, end or fill with memory.

pysam and pybigtools trust what a file says of itself: a flipped bit can make them wait for ever,
ask for all memory there is, or abort. Apart from this process that is a line about the file.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .errors import InputError, printable
from .file_types import SignalFileError

Item = TypeVar("Item")

MAX_SECONDS = 10.0
"""For which a reader may be without progress: the time from one item to the next."""
MAX_BYTES = 2 << 30
"""Of address space."""

# The package imports TFDS, which takes seconds and address space: the child has it without content,
# so that its modules have the names that they have here, by which functions and classes travel.
_CHILD = """
import sys, types
name, folder, file_number = sys.argv[1:]
sys.modules[name] = types.ModuleType(name)
sys.modules[name].__path__ = [folder]
from {module} import answer
answer(int(file_number))
"""


class _Child(NamedTuple):
    process: subprocess.Popen[bytes]
    connection: Connection[Any, Any]

    def end(self) -> int:
        """Returns its exit code, which is its own if it has ended before."""
        self.connection.close()
        self.process.kill()
        return self.process.wait()


_idle: list[_Child] = []
# Of a fork's both sides only one can talk to a child.
os.register_at_fork(after_in_child=_idle.clear)


def read_apart(
    file_type: str,
    read: Callable[..., Iterator[Item | None]],
    path: Path,
    *args: Any,
    **options: Any,
) -> Iterator[Item]:
    """Yields what a reader does, which runs in a child process.

    The child lives on for the next file, and ends with this process. Its start costs a tenth of a
    second; then it reads while this process counts.

    Args:
        file_type: What the file holds, for the error.
        read: A function of a module of this package. What it yields is progress, at least every few
            seconds; a None is no more than that, and goes no further.
        path: The file, its first argument.
        *args: Further ones.
        **options: As `args`, by name.

    Raises:
        InputError: As `read` does.
        OSError: If the file cannot be opened.
        SignalFileError: If it raises anything else, is without progress for `MAX_SECONDS`, takes
            more than `MAX_BYTES`, or ends its process.
    """
    with path.open("rb"):
        pass  # What the system has against it is no damage.
    child = _idle.pop() if _idle else _start()
    is_sound = False
    try:
        child.connection.send((read, path, args, options))
        while True:
            kind, content = child.connection.recv()
            is_sound = kind in ("end", "refused")
            if kind == "end":
                return
            if kind == "refused":
                raise content
            if kind == "failed":
                raise _damaged(file_type, path, content)
            yield content
    except (EOFError, ConnectionError):
        raise _damaged(file_type, path, _cause_of_death(child.process.wait())) from None
    finally:
        # One that has failed may hold memory, and one that was left at work would go on.
        if is_sound:
            _idle.append(child)
        else:
            child.end()


def _start() -> _Child:
    ours, theirs = Pipe()
    root, _, _ = __name__.partition(".")
    command = [sys.executable, "-P", "-c", _CHILD.format(module=__name__)]
    folder = Path(__file__).parents[__name__.count(".") - 1]
    with theirs:
        process = subprocess.Popen(
            [*command, root, str(folder), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                # Each thread has its part of the address space, on however many cores.
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
    return _Child(process, ours)


def _cause_of_death(exit_code: int) -> str:
    if exit_code >= 0:
        raise RuntimeError(f"The process that reads did not start: exit code {exit_code}.")
    if -exit_code == signal.SIGALRM:
        return f"no progress in {MAX_SECONDS:g} s"
    return f"its reader ended by {signal.Signals(-exit_code).name}"


def _damaged(file_type: str, path: Path, reason: str) -> SignalFileError:
    return SignalFileError(
        f"Expected a complete {file_type} file. Received: {path.name}, damaged ({reason}). "
        "Fetch or write it again."
    )


def answer(file_number: int) -> None:
    """Reads what is asked for at the other end of a pipe, until that is closed.

    Args:
        file_number: The pipe's own number.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The command ends, and closes the pipe.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limits = resource.getrlimit(resource.RLIMIT_AS)
    limit = min([MAX_BYTES, *(each for each in limits if each != resource.RLIM_INFINITY)])
    connection: Connection[Any, Any] = Connection(file_number)
    try:
        request = connection.recv()  # It imports the reader, whose faults are to be seen.
        resource.setrlimit(resource.RLIMIT_AS, (limit, limits[1]))
        with Path(os.devnull).open("w") as devnull:
            os.dup2(devnull.fileno(), 2)  # Native code has lines of its own on damage.
        while True:
            _answer(connection, *request)
            request = connection.recv()
    except (EOFError, ConnectionError):
        return


def _answer(
    connection: Connection[Any, Any],
    read: Callable[..., Iterator[Any]],
    path: Path,
    args: tuple[Any, ...],
    options: dict[str, Any],
) -> None:
    kind, content = "item", None
    items = None
    while kind == "item":
        try:
            # Whose action is to end the process, also inside native code.
            signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
            items = items or read(path, *args, **options)
            content = next(items)
            if content is None:
                continue
        except StopIteration:
            kind = "end"
        except InputError as error:
            kind, content = "refused", error
        except BaseException as error:  # A panic is a BaseException of a class without a name.
            kind, content = "failed", printable(error)
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send((kind, content))
