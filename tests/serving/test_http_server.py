"""Limits of the HTTP server: who is slow or greedy is cut off, and nobody else notices."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving import http_server
from serving.http_server import SMALL_BODY_BYTES, Limited

NUM_BROWSERS, CONNECTIONS_OF_A_BROWSER = 200, 6


async def count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


APP = Starlette(routes=[Route("/", count, methods=["GET", "POST"])])


@contextmanager
def serving(app: ASGIApp, **options: Any) -> Iterator[int]:
    """Serve an application on a port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = http_server.http_server(app, log_level="error", **options)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_many_browsers_hold_their_connections_open() -> None:
    """As browsers do: six each, all of them used once and kept."""
    with serving(APP) as port, ExitStack() as open_:
        kept = []
        for _ in range(NUM_BROWSERS * CONNECTIONS_OF_A_BROWSER):
            kept.append(open_.enter_context(socket.create_connection(("127.0.0.1", port))))
        for connection in kept:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for connection in kept:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: lo"])
@pytest.mark.parametrize("used", [False, True])
def test_a_head_that_does_not_come_is_not_waited_for(
    sent: bytes, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HEAD_S", 0.3)
    with (
        serving(APP, timeout_keep_alive=1) as port,
        socket.create_connection(("127.0.0.1", port), timeout=60) as connection,
    ):
        if used:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"\r\n\r\n0"):
                answer += connection.recv(4096)
        connection.sendall(sent)
        assert connection.recv(4096) == b""


def test_an_answer_may_take_longer_than_a_head(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(_: Request) -> PlainTextResponse:
        await asyncio.sleep(1)
        return PlainTextResponse("done")

    monkeypatch.setattr(http_server, "HEAD_S", 0.2)
    with serving(Starlette(routes=[Route("/", slow)])) as port:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"done"
        connection.close()


def ask(port: int, body: bytes) -> tuple[int, bytes]:
    """Post a body."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/", body)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read()
    finally:
        connection.close()


def begin(port: int, sent: bytes) -> socket.socket:
    """Announce a byte more than is sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent) + 1}\r\n\r\n"
    connection.sendall(head.encode() + sent)
    return connection


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with serving(Limited(APP, body_s=0.3)) as port, begin(port, b"x") as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 408 ")


class Counting:
    """The application, and how many bytes of bodies it has received."""

    def __init__(self) -> None:
        self.num_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            message = await receive()
            self.num_bytes += len(message.get("body", b""))
            return message

        await APP(scope, counted, send)

    def wait_for(self, num_bytes: int) -> None:
        while self.num_bytes < num_bytes:
            time.sleep(0.01)


def test_large_bodies_keep_no_small_ones_out() -> None:
    large = bytes(SMALL_BODY_BYTES + 1)
    app = Counting()
    with serving(app, max_body_bytes=5 * len(large) // 2) as port, ExitStack() as open_:
        waiting = [open_.enter_context(begin(port, large)) for _ in range(2)]
        app.wait_for(2 * len(large))
        assert ask(port, large) == (
            503,
            b"Expected fewer uploads at once. Received: more than this server takes. Send it again",
        )
        assert ask(port, bytes(SMALL_BODY_BYTES)) == (200, str(SMALL_BODY_BYTES).encode())
        for connection in waiting:
            connection.sendall(b"x")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        # What they held is free again.
        assert ask(port, large) == (200, str(len(large)).encode())


@pytest.mark.timeout(30)
def test_who_is_refused_takes_no_others_along() -> None:
    """Its bytes are free before it has been told."""
    large = bytes(2 * SMALL_BODY_BYTES)
    is_told = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Request(scope, receive).body()
        except HTTPException as refusal:
            assert refusal.status_code == 503
            await is_told.wait()
            raise

    async def run() -> None:
        limited = Limited(app, max_body_bytes=3 * len(large) // 2)
        parts: list[asyncio.Queue[Message]] = [asyncio.Queue(), asyncio.Queue()]

        async def send(_: Message) -> None: ...

        scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
        first, second = (asyncio.create_task(limited(scope, part.get, send)) for part in parts)
        for part in parts:
            part.put_nowait({"type": "http.request", "body": large, "more_body": True})
            await asyncio.sleep(0.01)
        parts[0].put_nowait({"type": "http.request", "body": b"x"})
        await first
        is_told.set()
        with pytest.raises(HTTPException):
            await second

    asyncio.run(run())


def test_too_many_requests_at_work_are_told_to_come_again() -> None:
    app = Counting()
    with serving(Limited(app, max_at_work=1)) as port:
        with begin(port, b"x"):
            app.wait_for(1)
            assert ask(port, b"") == (
                503,
                b"Expected fewer requests at once. Received: more than this server takes. Ask "
                b"again shortly\n",
            )
        while ask(port, b"")[0] == 503:
            pass
