"""The harness itself: what it calls a fault."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from harness import Outcome, check, damaged, fuzz, read_in_child
from hypothesis import given, settings

from keras_chrome.errors import InputError

WHOLE = b"one 1\ntwo 22\n"


def read(path: Path) -> object:
    """A reader that does what its file says."""
    match path.read_text():
        case "refuse":
            raise InputError("Expected more. Received: a.txt.")
        case "two lines":
            raise InputError("Expected more.\nReceived: a.txt.")
        case "bug":
            raise KeyError("a")
        case "exit":
            raise SystemExit(3)
        case "memory":
            return np.ones(3 * 2**30, np.uint8)
        case "late":
            return (1 / number for number in (1, 0))
        case "abort":
            os.abort()
        case "hang":
            time.sleep(900)
    return None


FAULTS = {
    "bug": "KeyError: 'a'",
    "exit": "SystemExit: 3",
    "memory": "Unable to allocate 3.00 GiB",
    "late": "ZeroDivisionError",
}


@pytest.mark.parametrize("in_child", [False, True])
def test_outcomes(tmp_path: Path, in_child: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("good")
    assert check(read, path, in_child) == Outcome()
    path.write_text("refuse")
    refusal = "Expected more. Received: a.txt."
    assert check(read, path, in_child) == Outcome(refusal=refusal)
    path.write_text("two lines")
    assert check(read, path, in_child) == Outcome(refusal=refusal)
    for text, fault in FAULTS.items():
        path.write_text(text)
        with pytest.raises(AssertionError, match=fault):
            check(read, path, in_child)


def test_a_child_that_hangs_or_dies_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("abort")
    assert read_in_child(read, path).fault == "The process died: -6."
    path.write_text("good")
    assert read_in_child(read, path) == Outcome()
    path.write_text("hang")
    monkeypatch.setattr("harness.MAX_SECONDS", 0.2)
    assert read_in_child(read, path).fault == "Expected an answer within 0.2 s."


def test_what_computes_too_long_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(path: Path) -> None:
        started_s = time.process_time()
        while time.process_time() < started_s + 0.1:
            pass

    path = tmp_path / "a.txt"
    path.write_text("good")
    assert check(spin, path) == Outcome()
    monkeypatch.setattr("harness.MAX_SECONDS", 0.1)
    with pytest.raises(AssertionError, match=r"a\.txt of 4 bytes: 0 s"):
        check(spin, path)


def test_damage_of_every_kind() -> None:
    seen: set[bytes] = set()

    @settings(max_examples=500, derandomize=True, database=None, deadline=None)
    @given(damaged(WHOLE, at_most=1))
    def collect(content: bytes) -> None:
        seen.add(content)

    collect()
    lengths = {len(content) for content in seen}
    assert WHOLE[:4] in seen  # cut
    assert max(lengths) > 1000  # repeated
    assert any(b"\0" in content for content in seen)
    assert any(b"one 1\ntwo 1e400\n" in content for content in seen)
    assert any(len(content) == len(WHOLE) and content != WHOLE for content in seen)


def test_a_fuzz_test_fails_on_one_fault_among_many(tmp_path: Path) -> None:
    def read_digits(path: Path) -> None:
        path.read_bytes()[:5].decode()

    @fuzz(damaged(WHOLE))
    def test(content: bytes, tmp_path: Path) -> Outcome:
        path = tmp_path / "a.txt"
        path.write_bytes(content)
        return check(read_digits, path)

    with pytest.raises(AssertionError, match="UnicodeDecodeError"):
        test(tmp_path=tmp_path)
