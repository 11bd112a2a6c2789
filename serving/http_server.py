"""An HTTP server that waits for no one for ever: uvicorn, with limits that no honest client meets.

Connections are not counted, since a browser keeps six of them and most are idle; what is limited is
what costs something: how long a request may take to arrive, how many are at work, and how many
bytes of bodies are held.
"""

import asyncio
import resource
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 20.0
"""Longest that a connection may be open before the head of its first request is there, and that the
head of another may take."""
BODY_S = 120.0
"""Longest that a body may take to arrive: 8 MB at half a megabit a second."""
MAX_AT_WORK = 2000
"""Most requests that have begun and are not answered."""
MAX_BODY_BYTES = 256 * 2**20
"""Most bytes of the bodies of requests at work, beside those of up to SMALL_BODY_BYTES each."""
SMALL_BODY_BYTES = 2**20
"""What is always taken: large bodies do not keep small ones out."""
_BUSY = (
    b"Expected fewer requests at once. Received: more than this server takes. Ask again shortly\n"
)


def http_server(
    app: ASGIApp, *, max_body_bytes: int = MAX_BODY_BYTES, **options: Any
) -> uvicorn.Server:
    """A server of an application.

    Args:
        app: What answers.
        max_body_bytes: Most bytes of all bodies at once.
        **options: As `uvicorn.Config` takes them.
    """
    # Each connection is an open file, and a shell allows 1,024.
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    limited = Limited(app, max_body_bytes=max_body_bytes)
    options = {"http": _Protocol, "access_log": False, "backlog": 2048, **options}
    return uvicorn.Server(uvicorn.Config(limited, **options))


class Limited:
    """An application whose requests have limits.

    Too many at work, or too many bytes, are answered 503 with `Retry-After`; a body that does not
    arrive in time 408. Both close the connection.

    Args:
        app: The application.
        max_at_work: Most requests at work.
        max_body_bytes: Most bytes of the bodies of requests at work.
        body_s: Longest that a body may take.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_at_work: int = MAX_AT_WORK,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_s: float = BODY_S,
    ) -> None:
        self.app = app
        self._max_at_work, self._max_body_bytes, self._body_s = max_at_work, max_body_bytes, body_s
        self._at_work = 0
        self._body_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._at_work >= self._max_at_work:
            await _answer_busy(send)
            return
        self._at_work += 1
        deadline = asyncio.get_running_loop().time() + self._body_s
        mine = 0
        has_all = False

        async def receive_in_limits() -> Message:
            nonlocal mine, has_all
            if has_all:  # what comes now is that the client goes
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise _refused(
                    408, f"Expected a body within {self._body_s:g} s", "part of it"
                ) from None
            has_all = not message.get("more_body", False)
            size = len(message.get("body", b""))
            mine += size
            self._body_bytes += size
            if self._body_bytes > self._max_body_bytes and mine > SMALL_BODY_BYTES:
                # At once, so that this one goes and not all.
                self._body_bytes -= mine
                mine = 0
                raise _refused(503, "Expected fewer uploads at once", "more than this server takes")
            return message

        try:
            await self.app(scope, receive_in_limits, send)
        finally:
            self._at_work -= 1
            self._body_bytes -= mine


def _refused(status: int, expected: str, received: str) -> HTTPException:
    headers = {"Connection": "close", **({"Retry-After": "5"} if status == 503 else {})}
    return HTTPException(status, f"{expected}. Received: {received}. Send it again", headers)


async def _answer_busy(send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"retry-after", b"5"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _BUSY})


class _Protocol(H11Protocol):
    """Closes a connection on which the head of a request is not complete in time.

    uvicorn itself waits for ever, but for the moments after an answer.
    """

    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """See whether this completes the head of a request, or begins one."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._too_late is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._too_late = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None
