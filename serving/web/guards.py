"""What every answer carries, and what a request with a body has to pass."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With no-referrer, browsers would send `Origin: null` with the page's own form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

# How many times the limit is read, and dropped, before the connection is cut.
_DROPPED = 16


class SecurityHeaders:
    """Adds the headers that keep a browser from more than the page needs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Files may be kept if they are asked for again; what people sent may not.
                if "etag" in headers:
                    headers.setdefault("Cache-Control", "no-cache")
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def check_same_origin(headers: Headers) -> None:
    """Refuse what the pages of others make a browser send.

    There are no cookies that could be abused, but somebody else's page has no business to ask
    this server through the browsers of its visitors. Clients that are no browsers send neither
    header.

    Raises:
        HTTPException: 403, if the request comes from another origin.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    is_other = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if is_other or site not in (None, "same-origin", "none"):
        raise HTTPException(
            403,
            "Expected a request of this page's own. Received: one from another site, origin="
            f"{origin or site}. Open this page itself and send it from there",
        )


def limited(receive: Receive, headers: Headers, max_bytes: int) -> Receive:
    """A request's body, refused where it is longer than it may be.

    What is too long is read to its end and dropped, up to a multiple of the limit: a browser that
    is cut off while it sends does not show what it is told.

    Raises:
        HTTPException: 413; also by what is returned.
    """
    too_large = HTTPException(
        413,
        f"Expected an upload of at most {max_bytes / 2**20:g} MB. Received: more. Split the file, "
        "or use python -m serving.client",
        # Or the server would go on reading what nobody wants.
        {"Connection": "close"},
    )
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > _DROPPED * max_bytes:
        raise too_large
    received = 0

    async def receive_within_limit() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received <= max_bytes:
            return message
        while message.get("more_body") and received <= _DROPPED * max_bytes:
            message = await receive()
            received += len(message.get("body", b""))
        raise too_large

    return receive_within_limit
