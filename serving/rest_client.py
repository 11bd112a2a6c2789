"""A client of TensorFlow Serving's REST interface, which needs neither gRPC's port nor TensorFlow.

Numbers travel as text, five times as long as in gRPC and much slower to write and to read, and
exact: a float32 reads as the number that was written.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import grpc
import requests
from requests.adapters import HTTPAdapter

from serving.any_client import AnyClient
from serving.errors import InputError, ServerError
from serving.questions import (
    Answer,
    Request,
    Signatures,
    VersionChoice,
    read_signatures,
    read_states,
)
from serving.retries import is_not_served

__all__ = ["RestClient"]

_T = TypeVar("_T")

# The status code that TensorFlow Serving, or a proxy before it, turned into HTTP's.
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    409: grpc.StatusCode.ABORTED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    500: grpc.StatusCode.INTERNAL,
    501: grpc.StatusCode.UNIMPLEMENTED,
    502: grpc.StatusCode.UNAVAILABLE,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_READ_BYTES = 2**16
# Where TensorFlow Serving's container tells Prometheus how it fares, and what it says of a version
# that it has loaded from a folder NAME/VERSION.
_METRICS = "/monitoring/prometheus/metrics"
_LOADED = re.compile(
    r':tensorflow:cc:saved_model:load_attempt_count\{model_path="[^"]*?([^"/]+)/(\d+)/?",'
    r'status="success"\}'
)
# Longest wait for what only makes an error clearer.
_METRICS_S = 3.0


class RestClient(AnyClient):
    """`serving.client.Client` over REST: the same methods and arguments, but the target is a URL.

        with RestClient("http://localhost:8501", "e012") as client:
            prediction = client.predict(signal, marks=marks)

    The target is `http://host:port` or `https://host:port`, where TensorFlow Serving's REST
    interface answers at `/v1`. `https` also works without `tls`: the authorities that `requests`
    trusts then vouch for the server.

    Raises:
        InputError: If the target is no such URL, or as `Client`.
        ServerError: By every method, if the server refuses or cannot be asked.
    """

    # Such as -1.1754943508222875e-38, a comma and brackets.
    _bytes_a_number = 32

    def _open(self) -> None:
        scheme = urlsplit(self.target).scheme
        if scheme not in ("http", "https") or (self._tls is not None and scheme == "http"):
            raise InputError(
                "Expected a URL, https://host:port, or http://host:port without TLS. Received: "
                f"target={self.target}"
            )
        self._url = f"{self.target.rstrip('/')}/v1/models/{quote(self.model, safe='')}"
        self._session = requests.Session()
        self._session.mount(f"{scheme}://", _Adapter(self._tls.server_name if self._tls else None))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def metadata(self) -> Signatures:
        """The signatures of the model; see `Client.metadata`."""
        reply = self._get_metadata(self._choice)
        return self._of(reply, lambda: read_signatures(reply["metadata"]["signature_def"]))

    def status(self) -> dict[int, str]:
        """The state of each version that the server knows; see `Client.status`."""
        version = self._choice if isinstance(self._choice, int) else None
        reply = self._send("GET", self._path(version))
        return self._of(reply, lambda: read_states(reply))

    def _ask(self, request: Request[Any], choice: VersionChoice) -> Answer:
        if not isinstance(choice, int):
            # An answer does not say which version it is of.
            metadata = self._get_metadata(choice)
            choice = self._of(metadata, lambda: int(metadata["model_spec"]["version"]))
        body = {
            "signature_name": request.signature,
            "inputs": {request.input_name: request.values.tolist()},
        }
        reply = self._send("POST", f"{self._path(choice)}:predict", json.dumps(body))
        outputs = self._of(reply, lambda: reply["outputs"])
        if not isinstance(outputs, dict):
            # The only output of a signature comes without its name.
            outputs = {request.output_name: outputs}
        return Answer(outputs, choice)

    def _get_metadata(self, choice: VersionChoice) -> Mapping[str, Any]:
        return self._send("GET", f"{self._path(choice)}/metadata")

    def _path(self, choice: VersionChoice) -> str:
        if choice is None:
            return self._url
        if isinstance(choice, int):
            return f"{self._url}/versions/{choice}"
        return f"{self._url}/labels/{quote(choice, safe='')}"

    def _send(self, method: str, url: str, body: str | None = None) -> Mapping[str, Any]:
        """Send until there is an answer, and return its JSON object."""
        return self._persist(lambda left_s: self._send_once(method, url, body, left_s))

    def _send_once(
        self, method: str, url: str, body: str | None, timeout_s: float
    ) -> Mapping[str, Any]:
        deadline = time.monotonic() + timeout_s
        try:
            with self._session.request(
                method,
                url,
                data=body,
                timeout=max(timeout_s, 1e-3),
                stream=True,
                # A redirected POST would arrive as a GET.
                allow_redirects=False,
                headers={"Content-Type": "application/json"},
                **self._tls_options(),
            ) as response:
                content = self._read(response, deadline)
        except requests.Timeout as error:
            raise self._error(grpc.StatusCode.DEADLINE_EXCEEDED, _reason(error)) from error
        except requests.RequestException as error:
            raise self._error(grpc.StatusCode.UNAVAILABLE, _reason(error)) from error
        try:
            reply = json.loads(content)
        except ValueError:
            reply = content.decode(errors="replace")
        if response.status_code != requests.codes.ok:
            code = _CODES.get(response.status_code, grpc.StatusCode.UNKNOWN)
            if isinstance(reply, dict) and "error" in reply:
                details = str(reply["error"])
                served = self._served() if is_not_served(code, details) else ""
                raise self._error(code, details, served)
            raise self._error(code, f"HTTP {response.status_code}, {str(reply)[:80]!r}")
        if not isinstance(reply, dict):
            raise self._unexpected(reply)
        return reply

    def _served(self) -> str:
        """What the server has loaded, as its metrics tell where they are on; or nothing."""
        try:
            with self._session.get(
                f"{self.target.rstrip('/')}{_METRICS}",
                timeout=_METRICS_S,
                stream=True,
                **self._tls_options(),
            ) as response:
                metrics = self._read(response, time.monotonic() + _METRICS_S).decode()
        except (requests.RequestException, ServerError, UnicodeDecodeError):
            return ""
        loaded = sorted({(name, int(version)) for name, version in _LOADED.findall(metrics)})
        listed = ", ".join(f"{name} {version}" for name, version in loaded)
        return f"It has loaded {listed}" if listed else ""

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(_READ_BYTES):
            content += chunk
            # `requests` bounds the wait for each piece alone.
            if time.monotonic() > deadline:
                raise requests.Timeout("the answer was not complete in time")
            if len(content) > self.max_message_bytes:
                raise self._error(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"Received message larger than max ({self.max_message_bytes})",
                )
        return bytes(content)

    def _tls_options(self) -> dict[str, Any]:
        if self._tls is None:
            return {}
        options: dict[str, Any] = {}
        if self._tls.ca_file is not None:
            # With the request, not the session, where an environment variable overrides it.
            options["verify"] = str(self._tls.ca_file)
        if self._tls.cert_file is not None:
            options["cert"] = (str(self._tls.cert_file), str(self._tls.key_file))
        return options

    def _of(self, reply: object, read: Callable[[], _T]) -> _T:
        """What is read of a reply, if that is what it should be."""
        try:
            return read()
        except (LookupError, TypeError, ValueError) as error:
            raise self._unexpected(reply) from error

    def _unexpected(self, reply: object) -> ServerError:
        return self._error(
            grpc.StatusCode.INTERNAL,
            f"no answer of TensorFlow Serving's REST interface: {str(reply)[:80]!r}",
        )


class _Adapter(HTTPAdapter):
    """Keeps a connection for each of many threads, to a server whose certificate has that name."""

    def __init__(self, server_name: str | None) -> None:
        self._server_name = server_name
        super().__init__(pool_maxsize=100)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        if self._server_name is not None:
            options |= {"server_hostname": self._server_name, "assert_hostname": self._server_name}
        super().init_poolmanager(*args, **options)


def _reason(error: BaseException) -> str:
    """The innermost text of an error of `requests`, which wraps those of `urllib3`."""
    inner = error.args[0] if error.args else None
    return str(getattr(inner, "reason", inner) or error)
