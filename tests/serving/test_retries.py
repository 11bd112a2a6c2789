"""Retries against a clock of our own: no test here waits."""

from collections.abc import Callable

import grpc
import pytest

from serving.errors import ServerError
from serving.retries import (
    Backoff,
    TemporaryError,
    ask_until_answered,
    server_error,
)

UNAVAILABLE, DEADLINE = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED


class Time:
    """Passes while somebody sleeps, or works."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept_s: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


class Server:
    """Refuses until a time, and takes a while for each answer."""

    def __init__(self, time: Time, back_at_s: float, error: ServerError, work_s: float = 0) -> None:
        self.time, self.back_at_s, self.error, self.work_s = time, back_at_s, error, work_s
        self.left_s: list[float] = []

    def ask(self, left_s: float) -> str:
        self.left_s.append(left_s)
        self.time.now_s += self.work_s
        if self.time.now_s - 1000 < self.back_at_s:
            raise self.error
        return "answer"


AWAY = TemporaryError(UNAVAILABLE, "away")


def ask(server: Server, timeout_s: float, draw: Callable[[], float]) -> str:
    backoff = Backoff(initial_s=0.1, max_s=2.0, random=draw, clock=lambda: server.time.now_s)
    return ask_until_answered(server.ask, timeout_s, backoff, server.time.sleep)


def test_pauses_double_up_to_the_largest() -> None:
    time = Time()
    assert ask(Server(time, 6.0, AWAY), 30, lambda: 0.5) == "answer"
    assert time.slept_s == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0])


def test_pauses_are_of_any_length_up_to_their_limit() -> None:
    time = Time()
    draws = iter([0.0, 0.25, 0.999, 0.5, 0.9])
    assert ask(Server(time, 2.0, AWAY), 30, lambda: next(draws)) == "answer"
    assert time.slept_s == pytest.approx([0.0, 0.05, 0.3996, 0.4, 1.44])


@pytest.mark.parametrize("share", [0.0001, 0.5, 0.9999])
@pytest.mark.parametrize("work_s", [0.01, 0.7])
def test_all_attempts_and_pauses_end_in_time(share: float, work_s: float) -> None:
    time = Time()
    server = Server(time, float("inf"), AWAY, work_s)
    with pytest.raises(TemporaryError, match="away"):
        ask(server, 10, lambda: share)
    assert sum(time.slept_s) < 10
    assert time.now_s < 1010 + work_s
    assert all(left_s > 0 for left_s in server.left_s)
    assert len(server.left_s) == len(time.slept_s) + 1
    if share == 0.5 and work_s == 0.01:
        # 5 pauses up to 0.8 s, 7 of 1 s, and 4 of half of what is left, until that is 0.1 s.
        assert len(server.left_s) == 1 + 5 + 7 + 4


def test_a_server_that_comes_back_late_is_found() -> None:
    """However long the pauses are by then."""
    for share in (0.2, 0.5, 0.8):
        time = Time()
        assert ask(Server(time, 29.5, AWAY), 30, lambda share=share: share) == "answer"
        assert time.now_s < 1030


def test_each_attempt_has_what_time_is_left() -> None:
    time = Time()
    server = Server(time, 3.5, AWAY, work_s=1)
    assert ask(server, 10, lambda: 0.5) == "answer"
    assert server.left_s == pytest.approx([10, 8.95, 7.85, 6.65])


def test_other_errors_are_not_asked_again() -> None:
    time = Time()
    server = Server(time, 9, ServerError(grpc.StatusCode.INVALID_ARGUMENT, "wrong shape"))
    with pytest.raises(ServerError, match="wrong shape"):
        ask(server, 30, lambda: 0.5)
    assert time.slept_s == []
    assert len(server.left_s) == 1


def test_says_why_there_was_no_time_left() -> None:
    errors = iter([AWAY, ServerError(DEADLINE, "late")])

    def refuse(left_s: float) -> None:
        raise next(errors)

    with pytest.raises(ServerError, match="away"):
        ask_until_answered(refuse, 30, Backoff(), lambda _: None)


@pytest.mark.parametrize(
    ("code", "details", "is_temporary"),
    [
        (UNAVAILABLE, "failed to connect to all addresses; Connection refused (111)", True),
        (UNAVAILABLE, "The batch scheduling queue to which this was submitted is full", True),
        (
            grpc.StatusCode.FAILED_PRECONDITION,
            "Tensors with name 'x:0' from different tasks have different shapes and padding is ...",
            True,
        ),
        (grpc.StatusCode.FAILED_PRECONDITION, "Signature not found", False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5 vs. 4)", False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "OOM when allocating tensor", False),
        (UNAVAILABLE, "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED: self-signed", False),
        (DEADLINE, "Deadline Exceeded", False),
        (grpc.StatusCode.NOT_FOUND, "Servable not found", False),
    ],
)
def test_knows_what_may_pass(code: grpc.StatusCode, details: str, is_temporary: bool) -> None:
    error = server_error("host:8500", "tiny", code, details)
    assert isinstance(error, TemporaryError) is is_temporary
    assert error.code is code
    assert str(error).startswith("Expected an answer from host:8500, model=tiny. Received: ")


def test_message_is_one_line() -> None:
    error = server_error("host:8500", "tiny", grpc.StatusCode.INTERNAL, "first\n  second:\n")
    assert "INTERNAL: first second. See" in str(error)


def test_tells_once_that_it_waits() -> None:
    time, told = Time(), []
    backoff = Backoff(random=lambda: 0.5, clock=lambda: time.now_s, on_wait=told.append)
    server = Server(time, 6.0, AWAY)
    assert ask_until_answered(server.ask, 30, backoff, time.sleep) == "answer"
    assert (told, len(server.left_s)) == ([30.0], 11)
    assert ask_until_answered(server.ask, 30, backoff, time.sleep) == "answer"
    assert told == [30.0]
