"""Asking a server again that is away for a moment, with growing pauses of random length.

The pauses grow, so that a server that starts is not asked by everybody all the time, and are of
random length, so that clients who lost it together do not come back together (exponential backoff
with full jitter: a pause is anything between nothing and its limit).

gRPC's own retry policy would make five attempts at most, of no more than the 256 KiB that it keeps
of a request, and goes by the code alone, not by the words that come with it.
"""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc

from serving.errors import ServerError

_T = TypeVar("_T")

_REMEDIES = {
    grpc.StatusCode.UNAVAILABLE: "Is the server running, and is the address right? "
    "Does it ask for TLS, or for a certificate?",
    grpc.StatusCode.DEADLINE_EXCEEDED: "Give it more time (timeout_s) or fewer genes (batch_size)",
    grpc.StatusCode.NOT_FOUND: "The server's models.config names the models that it serves",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "Send fewer genes at once (batch_size, concurrency)",
}
# A batch fails as a whole where one of its requests, maybe another client's, has another shape.
_SPOILT_BATCH = "from different tasks have different shapes"
# A server whose certificate is wrong is unavailable too, to gRPC.
_BAD_CERTIFICATE = re.compile(
    r"certificate|hostname verification|hostname .* doesn't match", re.IGNORECASE
)


class TemporaryError(ServerError):
    """A server refused a request that it may answer a moment later."""


def is_not_served(code: grpc.StatusCode, details: str) -> bool:
    """Whether a server refuses because it has no such model, version or label."""
    return code is grpc.StatusCode.NOT_FOUND or "servable version label" in details


def server_error(
    target: str, model: str, code: grpc.StatusCode, details: str, served: str = ""
) -> ServerError:
    """What a server's refusal is to the user.

    Args:
        target: Who was asked.
        model: Name of the served model.
        code: The status that came back.
        details: The text that came with it.
        served: What it serves instead, in words, where that is known.

    Returns:
        A `TemporaryError` if the server was not there, its queue was full, or another request
        spoilt the batch.
    """
    details = " ".join(details.split()).rstrip(".:")
    if '"describe" not found' in details:
        return ServerError(
            code,
            f"Expected a model that describes itself. Received: model={model}, without the "
            "signature describe. Export it with: python -m export",
        )
    remedy = served or _REMEDIES.get(code, "See Client.metadata() for what the model takes")
    message = (
        f"Expected an answer from {target}, model={model}. Received: {code.name}: {details}. "
        f"{remedy}"
    )
    is_temporary = _SPOILT_BATCH in details or (
        code is grpc.StatusCode.UNAVAILABLE and not _BAD_CERTIFICATE.search(details)
    )
    return (TemporaryError if is_temporary else ServerError)(code, message)


@dataclass(frozen=True)
class Backoff:
    """How long to pause before a server is asked again.

    Attributes:
        initial_s: Limit of the first pause; each further one has twice the limit.
        max_s: Largest limit.
        random: Draws the share of its limit that a pause takes, in [0, 1).
        clock: Tells the time in seconds.
        on_wait: Is told, once a request, how many seconds are left to ask again.
    """

    initial_s: float = 0.1
    max_s: float = 2.0
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    on_wait: Callable[[float], None] | None = None


def ask_until_answered(
    ask: Callable[[float], _T],
    timeout_s: float,
    backoff: Backoff,
    sleep: Callable[[float], None] = time.sleep,
) -> _T:
    """Ask, and ask again as long as the error is temporary and there is time.

    Args:
        ask: Takes the seconds that are left; raises `ServerError`.
        timeout_s: Time for all attempts and the pauses between them.
        backoff: The pauses.
        sleep: Pauses for so many seconds.

    Raises:
        ServerError: The last one.
    """
    deadline = backoff.clock() + timeout_s
    limit_s = backoff.initial_s
    last: TemporaryError | None = None
    while True:
        try:
            return ask(deadline - backoff.clock())
        except TemporaryError as error:
            left_s = deadline - backoff.clock()
            if left_s <= backoff.initial_s:
                raise
            if last is None and backoff.on_wait is not None:
                backoff.on_wait(left_s)
            last = error
        except ServerError as error:
            if last and error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                # The last attempt had next to no time. Why there was none left says more.
                raise last from error
            raise
        # Never all the time that is left: a server that comes back late is found.
        sleep(min(limit_s, left_s) * backoff.random())
        limit_s = min(2 * limit_s, backoff.max_s)
