"""Damaged files for every reader: each is refused in one line, or read.

A reader's tests are `test_READER.py` beside this file: one test that `fuzz` makes, and the inputs
that once failed, each as small as can be.

    WHOLE = b"chr1\\t0\\t10\\t1\\n"

    def read(path):
        return list(read_bedgraph(path))

    @fuzz(damaged_text(WHOLE))
    def test_any_damage(content, tmp_path):
        path = tmp_path / "a.bedGraph"
        path.write_bytes(content)
        return check(read, path)

The suite tries the same few inputs each time. `make fuzz READER=bedgraph SECONDS=600` tries others
for so long, and counts them; `guided.py` looks for those that reach code which no other has.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import gzip
import importlib.util
import inspect
import multiprocessing
import os
import re
import resource
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("KERAS_CHROME_FUZZ_SECONDS", 0))
"""For how long each fuzz test tries inputs; at 0 it tries the suite's few."""
MAX_SECONDS = 20
MAX_BYTES = 2 * 2**30
MAX_MESSAGE = 1000
"""Characters of an error's line."""

Reader = Callable[[Path], object]


class Outcome(NamedTuple):
    """What became of an input."""

    fault: str = ""
    """What is wrong with the reader: an exception that is no InputError, a hang, an abort."""
    refusal: str = ""
    """The line with which the input is refused; with neither it was read."""


class Tally(collections.Counter[str]):
    """How many inputs of a reader were tried, right and refused."""


TALLIES: dict[str, Tally] = collections.defaultdict(Tally)
"""By reader; `conftest.py` prints them."""


def fuzz(inputs: st.SearchStrategy[Any], examples: int = 40) -> Callable[[Any], Any]:
    """Makes a fuzz test of a function that is given an input, and then fixtures.

    Args:
        inputs: What it is given.
        examples: How many of them in the suite: what a second or two have time for.

    Returns:
        The decorator of the function, which returns what `check` did.
    """

    def decorate(test: Callable[..., Outcome]) -> Any:
        tally = TALLIES[Path(inspect.getfile(test)).stem.removeprefix("test_")]

        def run(**fixtures: Any) -> None:
            def ask(content: Any) -> None:
                note(f"The input: {content[:4000]!r}")
                outcome = test(content, **fixtures)
                assert isinstance(outcome, Outcome), "Expected `return check(...)`."
                tally["tried"] += 1
                tally["refused" if outcome.refusal else "right"] += 1

            for options, number in _rounds(examples):
                seed(number)(settings(**options)(given(inputs)(ask)))()

        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        run.of_content = (inputs, test)  # type: ignore[attr-defined]
        _content, *fixtures = inspect.signature(test).parameters.values()
        run.__signature__ = inspect.Signature(fixtures)  # type: ignore[attr-defined]
        return pytest.mark.fuzz(pytest.mark.timeout(900 + 2 * SECONDS)(run))

    return decorate


def _rounds(examples: int) -> Iterator[tuple[dict[str, Any], int]]:
    """Hypothesis' settings and seeds: once, or anew until the time is over."""
    options = {
        "deadline": None,
        "database": None,
        "suppress_health_check": list(HealthCheck),
        "phases": (Phase.generate, Phase.shrink),
    }
    if not SECONDS:
        yield {**options, "derandomize": True, "max_examples": examples}, 0
    end, first = time.monotonic() + SECONDS, time.time_ns()
    for number in range(first, sys.maxsize):
        if time.monotonic() >= end:
            return
        yield {**options, "max_examples": 200}, number


# --- what an input may be -------------------------------------------------------------------------

_NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
_EXTREMES = [
    *(b"-1", b"0", b"-0", b"", b".", b"NA", b"nan", b"inf", b"-inf", b"1e400", b"1e-400", b"0x1F"),
    *(b"1_000", b"1,000", b"1.5", b"+7", b"2147483648", b"4294967296", b"9223372036854775808"),
    *(b"18446744073709551616", b"-9223372036854775809", b"9" * 400, b"9" * 5000),
    *("\u0661\u0662".encode(), "\u00b2".encode(), b"true", b"null", b"--5", b"1e5"),
]
_FIELDS = [
    *(b"\0", b"\r", b"\n", b"\r\n", b"\n\n", b"\t", b" ", b",", b";", b'"', b"'", b"#", b"\\"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\x1f\x8b", b"PK\x03\x04", b"\x80", b"\xc3", b"\x1b[31m"),
    *("\u2028".encode(), "\x85".encode(), "\u202e".encode(), "\U0001f9ec".encode()),
    *(b"{", b"}", b"[", b"]", b":", b"=", b"<", b"%s", b"../../", b"/dev/zero"),
]
_WORDS = [
    struct.pack(order + layout, value)
    for order in "<>"
    for layout, bits in (("B", 8), ("H", 16), ("I", 32), ("Q", 64))
    for value in (0, 1, 2 ** (bits - 1) - 1, 2 ** (bits - 1), 2**bits - 2, 2**bits - 1)
] + [struct.pack("<" + "fd"[k], v) for k in (0, 1) for v in (float("nan"), float("inf"), -1.0)]


def damaged(whole: bytes, at_most: int = 4) -> st.SearchStrategy[bytes]:
    """A good file with up to so many faults.

    Bits are flipped, bytes cut off, left out, put in, repeated (up to a megabyte of them) or
    changed about, and numbers become extreme ones, whether they are binary or text.
    """
    return st.lists(_faults(whole), min_size=1, max_size=at_most).map(
        lambda faults: functools.reduce(lambda content, fault: fault(content), faults, whole)
    )


def damaged_text(whole: bytes) -> st.SearchStrategy[bytes]:
    """A good text with faults: in several encodings and ends of lines, before and after gzip."""
    forms = [
        whole,
        whole.replace(b"\n", b"\r\n"),
        whole.replace(b"\n", b"\r"),
        whole.decode().encode("utf-8-sig"),
        whole.decode().encode("utf-16"),
        gzip.compress(whole, mtime=0),
    ]
    return st.one_of(damaged(whole).map(_packed), *map(damaged, forms))


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


Fault = Callable[[bytes], bytes]


def _faults(whole: bytes) -> st.SearchStrategy[Fault]:
    place = st.integers(0, len(whole))
    length = st.integers(1, 16) | st.integers(1, max(1, len(whole)))
    put_in = st.binary(max_size=12) | st.sampled_from(_FIELDS) | st.sampled_from(_WORDS)
    often = st.integers(2, 9) | st.sampled_from([1000, 2**16])
    return st.one_of(
        st.builds(_flipped, place, st.integers(0, 7)),
        st.builds(lambda at: lambda content: content[:at], place),
        st.builds(lambda at, n: lambda content: content[:at] + content[at + n :], place, length),
        st.builds(lambda at, new: lambda content: content[:at] + new + content[at:], place, put_in),
        st.builds(
            lambda at, new: lambda content: content[:at] + new + content[at + len(new) :],
            *(place, st.sampled_from(_WORDS)),
        ),
        st.builds(_repeated, place, length, often),
        st.builds(_swapped, place, place, length),
        st.builds(_with_number, st.integers(0, 200), st.sampled_from(_EXTREMES)),
    )


def _flipped(at: int, bit: int) -> Fault:
    def fault(content: bytes) -> bytes:
        return content[:at] + bytes(b ^ 1 << bit for b in content[at : at + 1]) + content[at + 1 :]

    return fault


def _repeated(at: int, length: int, often: int) -> Fault:
    def fault(content: bytes) -> bytes:
        part = content[at : at + length]
        return content[:at] + part * min(often, 1 + 2**20 // max(1, len(part))) + content[at:]

    return fault


def _swapped(one: int, other: int, length: int) -> Fault:
    one, other = sorted((one, other))

    def fault(content: bytes) -> bytes:
        n = min(length, other - one)
        a, b = content[one : one + n], content[other : other + n]
        return content[:one] + b + content[one + n : other] + a + content[other + n :]

    return fault


def _with_number(which: int, extreme: bytes) -> Fault:
    def fault(content: bytes) -> bytes:
        numbers = [match.span() for match in _NUMBER.finditer(content[: 2**16])]
        if not numbers:
            return content
        start, end = numbers[which % len(numbers)]
        return content[:start] + extreme + content[end:]

    return fault


# --- what may become of it ------------------------------------------------------------------------


def check(read: Reader, path: Path, in_child: bool = False) -> Outcome:
    """Passes if a reader answers, or refuses with an InputError of one line.

    Args:
        read: The reader. An iterator that it returns is read to its end.
        path: Of the input.
        in_child: Whether it runs native code, which may hang or take the process with it: as
            `read_in_child`.

    Raises:
        AssertionError: If it does neither, or takes over 20 s of computing, or over 2 GB.
    """
    started_s = time.process_time()
    outcome = read_in_child(read, path) if in_child else _outcome(read, path)
    took_s = time.process_time() - started_s
    assert not outcome.fault, f"{path.name} of {path.stat().st_size} bytes: {outcome.fault}"
    assert took_s < MAX_SECONDS, f"{path.name} of {path.stat().st_size} bytes: {took_s:.0f} s"
    return outcome


def _outcome(read: Reader, path: Path) -> Outcome:
    try:
        with _limited_memory(), warnings.catch_warnings():
            warnings.simplefilter("error")
            # Libraries' own, which no user sees.
            warnings.simplefilter("ignore", DeprecationWarning)
            answer = read(path)
            if isinstance(answer, Iterator):
                collections.deque(answer, maxlen=0)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # Of any of the packages, which have their own each.
        if "InputError" not in {kind.__name__ for kind in type(error).__mro__}:
            return Outcome(fault="".join(traceback.format_exception(error)))
        message = str(error)
        if len(message.splitlines()) != 1 or not message.isprintable():
            return Outcome(fault=f"Expected one line. Received: {message[:2000]!r}")
        if len(message) > MAX_MESSAGE:
            return Outcome(fault=f"Expected a short line. Received: {message[:2000]}")
        return Outcome(refusal=message)
    return Outcome()


@contextlib.contextmanager
def _limited_memory() -> Iterator[None]:
    """Lets the process take so much more than it has."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with Path("/proc/self/status").open() as status:
        used = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (used + MAX_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def read_in_child(read: Reader, path: Path) -> Outcome:
    """Reads in a process that lives on for the next input, if it lives.

    Args:
        read: A function of a test's module, which the child imports: without TensorFlow if it can.
        path: Of the input.

    Returns:
        The outcome; a fault also where the child takes over 20 s, over 2 GB, or dies.
    """
    child = _child(inspect.getfile(read), read.__name__)
    child.connection.send(path)
    if not child.connection.poll(MAX_SECONDS):
        _end(child)
        return Outcome(fault=f"Expected an answer within {MAX_SECONDS} s.")
    try:
        return child.connection.recv()
    except EOFError:
        _end(child)
        return Outcome(fault=f"The process died: {child.process.exitcode}.")


class _Child(NamedTuple):
    process: BaseProcess
    connection: Connection


@functools.cache
def _child(file: str, name: str) -> _Child:
    spawned = multiprocessing.get_context("spawn")
    connection, other = spawned.Pipe()
    process = spawned.Process(target=_answer, args=(other, file, name), daemon=True)
    process.start()
    other.close()
    connection.recv()  # Once it has imported the reader, whose time is none of an input's.
    return _Child(process, connection)


def _end(child: _Child) -> None:
    _child.cache_clear()
    child.process.kill()
    child.process.join()


def _answer(connection: Connection, file: str, name: str) -> None:
    read = getattr(module_of(file), name)
    connection.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            connection.send(_outcome(read, connection.recv()))


def module_of(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
