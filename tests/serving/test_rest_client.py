"""What only the REST client can meet: proxies, other web servers, and TLS before the server."""

import signal as signals
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
import numpy as np
import pytest
import trustme

from serving.errors import InputError, ServerError
from serving.local import LocalServer
from serving.rest_client import RestClient
from serving.retries import Backoff
from serving.tls import Tls

pytestmark = pytest.mark.serving
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
AT_ONCE = Backoff(initial_s=0.001)
# Status and body of the answer to a method, a path and a body.
Answer = Callable[[str, str, bytes], tuple[int, bytes]]


@contextmanager
def web_server(answer: Answer, certificate: trustme.LeafCert | None = None) -> Iterator[str]:
    """A web server that answers so; yields its `host:port`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = answer(self.command, self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that refuses the certificate is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def passing_on(url: str | None) -> Answer:
    """As a load balancer in front of the stand-in."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            with urlopen(Request(f"{url}{path}", body or None, method=method)) as response:
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    return answer


def test_asks_the_version_behind_a_label_and_stays_with_it(
    server: LocalServer, signal: np.ndarray
) -> None:
    asked: list[str] = []
    pass_on = passing_on(server.rest_url)

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        asked.append(f"{method} {path}")
        return pass_on(method, path, body)

    with (
        web_server(answer) as target,
        RestClient(f"http://{target}/", "tiny", label="stable") as client,
    ):
        client.predict(signal)
        client.saliency(signal)
    assert asked == [
        "GET /v1/models/tiny/labels/stable/metadata",
        *["POST /v1/models/tiny/versions/3:predict"] * 3,
    ]


@pytest.mark.parametrize("status", [502, 503])
def test_asks_again_while_a_proxy_finds_no_server(
    server: LocalServer, signal: np.ndarray, status: int
) -> None:
    pass_on = passing_on(server.rest_url)
    refusals = iter([(status, b"<html>no server</html>")] * 6)

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        return next(refusals, None) or pass_on(method, path, body)

    with (
        web_server(answer) as target,
        RestClient(f"http://{target}", "tiny", backoff=AT_ONCE) as client,
    ):
        assert len(client.predict(signal).probability) == 7


@pytest.mark.parametrize(
    ("status", "content", "code", "message"),
    [
        (200, b"<html>Welcome</html>", "INTERNAL", "no answer of TensorFlow Serving's REST"),
        (200, b"[]", "INTERNAL", "no answer of TensorFlow Serving's REST"),
        (200, b"{}", "INTERNAL", "no answer of TensorFlow Serving's REST"),
        (200, b'{"model_spec": null}', "INTERNAL", "no answer of TensorFlow Serving's REST"),
        (302, b"", "UNKNOWN", "HTTP 302"),
        (401, b"log in", "UNAUTHENTICATED", "HTTP 401, 'log in'"),
        (404, b'{"error": "no such\\nmodel"}', "NOT_FOUND", "NOT_FOUND: no such model"),
        (413, b"too large", "RESOURCE_EXHAUSTED", "HTTP 413.*batch_size"),
        (500, b'{"oops": 1}', "INTERNAL", "HTTP 500"),
    ],
)
def test_says_what_another_web_server_answers(
    status: int, content: bytes, code: str, message: str
) -> None:
    with (
        web_server(lambda *_: (status, content)) as target,
        RestClient(f"http://{target}", "tiny") as client,
    ):
        for ask in (lambda: client.description, client.metadata, client.status):
            with pytest.raises(ServerError, match=message) as caught:
                ask()
            assert caught.value.code.name == code
            assert "\n" not in str(caught.value)


def test_refuses_an_answer_without_the_outputs(server: LocalServer, signal: np.ndarray) -> None:
    pass_on = passing_on(server.rest_url)

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if b"serving_default" in body:
            return 200, b'{"outputs": {"probability": [[0.5], [0.5, 0.5]]}}'
        if b"saliency" in body:
            return 200, b'{"outputs": [0.5]}'
        return (200, b"{}") if b'"predict"' in body else pass_on(method, path, body)

    with (
        web_server(answer) as target,
        RestClient(f"http://{target}", "tiny") as client,
    ):
        with pytest.raises(
            ServerError, match=r"numbers probability of shape \(7,\).*Received: out"
        ):
            client.predict(signal)
        with pytest.raises(
            ServerError, match=r"gradient of shape \(7, 8, 5\).*outputs=probability"
        ):
            client.saliency(signal)
        with pytest.raises(ServerError, match="no answer of TensorFlow Serving's REST interface"):
            client.predict(signal, attention=False)


def test_reads_no_more_than_a_message_may_have() -> None:
    with (
        web_server(lambda *_: (200, b" " * 200_000)) as target,
        RestClient(f"http://{target}", "tiny", max_message_bytes=100_000) as client,
        pytest.raises(ServerError, match=r"larger than max \(100000\)") as caught,
    ):
        client.status()
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_answer_that_does_not_come_takes_no_longer_than_the_time() -> None:
    released = threading.Event()

    def answer(*_: object) -> tuple[int, bytes]:
        released.wait()
        return 200, b"{}"

    with web_server(answer) as target:
        with (
            RestClient(f"http://{target}", "tiny", timeout_s=0.2) as client,
            pytest.raises(ServerError, match=r"DEADLINE_EXCEEDED.*timed out"),
        ):
            client.status()
        released.set()


@pytest.mark.timeout(120)
def test_command_can_be_interrupted_while_requests_hang(
    server: LocalServer, signal: np.ndarray, tmp_path: Path
) -> None:
    pass_on = passing_on(server.rest_url)
    hanging, released = threading.Semaphore(0), threading.Event()

    def answer(method: str, path: str, body: bytes) -> tuple[int, bytes]:
        if b"serving_default" in body:
            hanging.release()
            released.wait()
            return 503, b""
        return pass_on(method, path, body)

    np.savez(tmp_path / "x.npz", signal=signal, marks=MARKS)
    with web_server(answer) as target:
        command = [sys.executable, "-m", "serving.client", "--model=tiny", "--timeout-s=300"]
        command += [f"--rest=http://{target}", f"--numpy={tmp_path / 'x.npz'}", "--batch-size=2"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert all(hanging.acquire(timeout=60) for _ in range(4))
            process.send_signal(signals.SIGINT)
            output = process.communicate(timeout=60)
        released.set()
    assert (process.returncode, output[1]) == (
        130,
        "stopped by SIGINT; no file is left half-written, and the same command begins again\n",
    )


@pytest.mark.parametrize("target", ["localhost:8501", "ftp://localhost", "", "localhost"])
def test_takes_urls_alone(target: str) -> None:
    with pytest.raises(InputError, match=f"Expected a URL.*target={target}"):
        RestClient(target, "tiny")


# === TLS ===


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def test_asks_over_tls(
    server: LocalServer,
    signal: np.ndarray,
    authority: trustme.CA,
    ca_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The client's own authority counts, not the environment's.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none")
    with (
        web_server(passing_on(server.rest_url), authority.issue_cert("127.0.0.1")) as target,
        RestClient(f"https://{target}", "tiny", tls=Tls(ca_file)) as client,
    ):
        assert len(client.predict(signal).probability) == 7


def test_server_may_have_another_name(
    server: LocalServer, signal: np.ndarray, authority: trustme.CA, ca_file: Path
) -> None:
    with web_server(passing_on(server.rest_url), authority.issue_cert("models.org")) as target:
        tls = Tls(ca_file, server_name="models.org")
        with RestClient(f"https://{target}", "tiny", tls=tls) as client:
            assert len(client.predict(signal).probability) == 7
        for tls in (Tls(ca_file), Tls(ca_file, server_name="other.org")):
            with (
                RestClient(f"https://{target}", "tiny", tls=tls) as client,
                pytest.raises(
                    ServerError, match=r"UNAVAILABLE: .*doesn't match|certificate is not valid for"
                ),
            ):
                client.status()


@pytest.mark.timeout(120)
def test_refuses_a_server_that_nobody_vouches_for_at_once(
    server: LocalServer, ca_file: Path
) -> None:
    stranger = trustme.CA().issue_cert("127.0.0.1")
    with web_server(passing_on(server.rest_url), stranger) as target:
        for tls in (None, Tls(ca_file)):
            with (
                RestClient(f"https://{target}", "tiny", tls=tls, timeout_s=300) as client,
                pytest.raises(ServerError, match=r"UNAVAILABLE.*certificate verify failed"),
            ):
                client.status()
