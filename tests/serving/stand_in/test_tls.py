"""Who may ask: with which certificates, and over what."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from asking import Asking
from certificates import Certificates

from serving.errors import InputError
from serving.local import LocalServer
from serving.tls import Tls

pytestmark = pytest.mark.serving


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def models_dir(tmp_path: Path, make_version: Any) -> Path:
    make_version(tmp_path / "models/adder/1", 1)
    return tmp_path / "models"


@pytest.fixture
def server(models_dir: Path, certificates: Certificates) -> Iterator[LocalServer]:
    """Asks for certificates of clients."""
    ssl_config = certificates.ssl_config(mutual=True)
    with LocalServer(models_dir, host="localhost", ssl_config_file=ssl_config) as server:
        yield server


def answers(server: LocalServer, tls: Tls | None) -> bool:
    with Asking(server.target, tls.credentials() if tls else None) as asking:
        try:
            return bool(asking.answer("adder", timeout_s=60) == [1])
        except grpc.RpcError as error:
            assert error.code() is grpc.StatusCode.UNAVAILABLE
            return False


def test_a_client_that_is_vouched_for_is_answered(
    server: LocalServer, certificates: Certificates
) -> None:
    assert answers(server, certificates.tls("client"))


@pytest.mark.parametrize("client", [None, "stranger", "expired client"])
def test_a_client_that_is_not_is_refused(
    server: LocalServer, certificates: Certificates, client: str | None
) -> None:
    assert not answers(server, certificates.tls(client))
    assert answers(server, certificates.tls("client"))


def test_plain_text_to_an_encrypted_port_is_refused(
    server: LocalServer, certificates: Certificates
) -> None:
    assert not answers(server, None)
    host, port = server.target.split(":")
    with socket.create_connection((host, int(port))) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        plain.settimeout(60)
        received = b""
        while chunk := plain.recv(1000):
            received += chunk
        assert b"HTTP/1.1 200" not in received
    assert answers(server, certificates.tls("client"))


def test_a_server_that_is_not_vouched_for_is_refused(
    server: LocalServer, certificates: Certificates
) -> None:
    assert not answers(server, certificates.tls("client", certificates.other_ca_file))


def test_a_server_whose_certificate_has_expired_is_refused(
    models_dir: Path, certificates: Certificates
) -> None:
    ssl_config = certificates.ssl_config(mutual=False, server=certificates.expired_server)
    with LocalServer(models_dir, host="localhost", ssl_config_file=ssl_config) as server:
        assert not answers(server, certificates.tls())


def test_a_server_of_another_name_is_refused(models_dir: Path, certificates: Certificates) -> None:
    ssl_config = certificates.ssl_config(mutual=False)
    with LocalServer(models_dir, ssl_config_file=ssl_config) as server:
        assert server.target.startswith("127.0.0.1:")
        assert not answers(server, certificates.tls())


def test_without_mutual_tls_anybody_may_ask_who_trusts_the_server(
    models_dir: Path, certificates: Certificates
) -> None:
    ssl_config = certificates.ssl_config(mutual=False)
    with LocalServer(models_dir, host="localhost", ssl_config_file=ssl_config) as server:
        assert answers(server, certificates.tls())
        assert not answers(server, Tls(certificates.other_ca_file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server_key: 'x' server_cert: 'y'", "Expected PEM text. .*server_key, which has none"),
        ("server_keys: 'x'", "Expected a SSLConfig in protobuf's text format"),
    ],
)
def test_refuses_a_file_without_certificates(
    models_dir: Path, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "ssl.config").write_text(text)
    with pytest.raises(InputError, match=message):
        LocalServer(models_dir, ssl_config_file=tmp_path / "ssl.config")


def test_refuses_to_ask_for_certificates_that_nobody_can_vouch_for(
    models_dir: Path, certificates: Certificates
) -> None:
    path = certificates.ssl_config(mutual=False)
    path.write_text(path.read_text() + "client_verify: true\n")
    with pytest.raises(InputError, match="Expected custom_ca"):
        LocalServer(models_dir, ssl_config_file=path)


def test_refuses_files_that_are_no_certificates(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("trust me")
    with pytest.raises(InputError, match="which has no BEGIN line"):
        Tls(tmp_path / "ca.pem").credentials()
    with pytest.raises(InputError, match="No such file"):
        Tls(tmp_path / "none.pem").credentials()
    with pytest.raises(InputError, match="Expected a certificate and its key"):
        Tls(cert_file="client.pem")
