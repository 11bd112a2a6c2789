"""SSLConfig: what is written is what gRPC needs, and what would not work is refused."""

import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from serving.container.ssl_config import main, make_ssl_config, write_ssl_config
from serving.errors import InputError
from serving.messages import SSLConfig, read_text_proto

CONTAINER = Path(__file__).parents[3] / "serving" / "container"
CERTIFICATES = CONTAINER / "certificates.sh"


@pytest.fixture(scope="module")
def made(find_program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What certificates.sh makes, made once."""
    find_program("openssl")
    folder = tmp_path_factory.mktemp("certificates")
    subprocess.run(["bash", str(CERTIFICATES), str(folder), "serving.example.org"], check=True)
    return folder


@pytest.fixture
def certificates(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "certificates"))


def test_certificates_are_for_the_names_asked_for(certificates: Path) -> None:
    names = {path.name for path in certificates.iterdir()}
    assert names == {
        f"{who}.{what}" for who in ("ca", "server", "client") for what in ("pem", "key")
    }
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in certificates.iterdir())
    command = ["openssl", "x509", "-noout", "-ext", "subjectAltName,extendedKeyUsage", "-in"]
    texts = {
        who: subprocess.run(
            [*command, str(certificates / f"{who}.pem")], check=True, capture_output=True, text=True
        ).stdout
        for who in ("server", "client")
    }
    assert "DNS:localhost, IP Address:127.0.0.1, DNS:serving.example.org" in texts["server"]
    assert "TLS Web Server Authentication" in texts["server"]
    assert "TLS Web Client Authentication" in texts["client"]


def test_certificates_are_not_replaced(certificates: Path) -> None:
    before = (certificates / "ca.key").read_bytes()
    (certificates / "client.pem").unlink()
    result = subprocess.run(
        ["bash", str(CERTIFICATES), str(certificates)], check=False, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert f"Received: {certificates}/ca.key" in result.stderr
    assert (certificates / "ca.key").read_bytes() == before
    assert not (certificates / "client.pem").exists()


def test_the_file_holds_what_the_pem_files_hold(certificates: Path, tmp_path: Path) -> None:
    out = tmp_path / "ssl.config"
    paths = [certificates / name for name in ("server.pem", "server.key", "ca.pem")]
    authority = paths[2].read_text()
    # A key of the authority's that lies in the same file stays out.
    paths[2].write_text((certificates / "ca.key").read_text() + authority)
    write_ssl_config(out, make_ssl_config(*paths))
    config = read_text_proto(out, SSLConfig())
    assert config.server_cert == paths[0].read_text()
    assert config.server_key == paths[1].read_text()
    assert config.custom_ca == authority
    assert config.client_verify
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "ssl" in path.name] == ["ssl.config"]


def test_without_an_authority_any_client_may_connect(certificates: Path, tmp_path: Path) -> None:
    out = tmp_path / "ssl.config"
    write_ssl_config(out, make_ssl_config(certificates / "server.pem", certificates / "server.key"))
    config = read_text_proto(out, SSLConfig())
    assert not config.client_verify
    assert not config.custom_ca


@pytest.fixture
def call(certificates: Path, tmp_path: Path) -> Iterator[Callable[..., bytes]]:
    """Call a gRPC server that has its credentials from the file, as TensorFlow Serving takes them.

    Server::BuildAndStart, tensorflow_serving/model_servers/server.cc.
    """
    paths = [certificates / name for name in ("server.pem", "server.key", "ca.pem")]
    # What openssl and others write around a certificate, and Windows' ends of lines.
    for path in (paths[0], paths[2]):
        path.write_bytes(
            "Bag Attributes\n friendlyName: \u00fc\n".encode("latin-1") + path.read_bytes()
        )
    paths[1].write_bytes(paths[1].read_bytes().replace(b"\n", b"\r\n"))
    write_ssl_config(tmp_path / "ssl.config", make_ssl_config(*paths))
    config = read_text_proto(tmp_path / "ssl.config", SSLConfig())
    server = grpc.server(ThreadPoolExecutor(1))
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    service = grpc.method_handlers_generic_handler("echo.Echo", {"Echo": handler})
    server.add_generic_rpc_handlers((service,))
    credentials = grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        config.custom_ca.encode(),
        config.client_verify,
    )
    port = server.add_secure_port("localhost:0", credentials)
    server.start()

    def call(*, ca: str | None = None, client: str | None = None) -> bytes:
        own = [
            (certificates / f"{client}.{kind}").read_bytes() if client else None
            for kind in ("key", "pem")
        ]
        root = (certificates / ca).read_bytes() if ca else None
        credentials = grpc.ssl_channel_credentials(root, *own)
        with grpc.secure_channel(f"localhost:{port}", credentials) as channel:
            return channel.unary_unary("/echo.Echo/Echo")(b"here", timeout=60)

    yield call
    server.stop(None).wait()


@pytest.mark.serving
def test_a_client_with_a_certificate_is_answered(call) -> None:
    assert call(ca="ca.pem", client="client") == b"here"


@pytest.mark.serving
def test_a_client_with_a_certificate_of_the_readme_is_answered(
    call, certificates: Path, tmp_path: Path
) -> None:
    (tmp_path / "tls").symlink_to(certificates)
    readme = (CONTAINER / "README.md").read_text()
    (commands,) = re.findall(r"```sh\n(openssl req .+?)```", readme, re.DOTALL)
    subprocess.run(["bash", "-ec", commands], check=True, capture_output=True, cwd=tmp_path)
    for name in ("another.pem", "another.key"):
        (tmp_path / name).rename(certificates / name)
    assert call(ca="ca.pem", client="another") == b"here"


@pytest.mark.serving
@pytest.mark.parametrize("known", [{"ca": "ca.pem"}, {"client": "client"}, {}])
def test_others_are_refused(known: dict[str, str], call) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        call(**known)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("cert", "text.pem", r"a certificate and its key, both PEM. .*text.pem and .*\(no PEM"),
        ("cert", "cut.pem", r"a certificate and its key, both PEM. .*cut.pem and .*\(no PEM"),
        ("cert", "rubbish.pem", r"a certificate and its key, both PEM. .*rubbish.pem and"),
        ("cert", "client.pem", r"a certificate and its key, both PEM. .*MISMATCH"),
        ("key", "server.pem", r"a certificate and its key, both PEM. .*and .*server.pem \(no PEM"),
        ("key", "encrypted.key", "not encrypted. .*openssl pkey -in .*encrypted.key"),
        ("client_ca", "ca.key", "certificates, PEM. .*ca.key .no PEM"),
        ("client_ca", "client.pem", "certificates of authorities. .*client.pem"),
        ("client_ca", "rubbish.pem", "certificates, PEM. .*rubbish.pem .no PEM"),
    ],
)
def test_what_would_not_work_is_refused(
    kind: str, name: str, message: str, certificates: Path
) -> None:
    good = {"cert": "server.pem", "key": "server.key", "client_ca": "ca.pem"}
    key, cert = certificates / "server.key", (certificates / "server.pem").read_text()
    (certificates / "text.pem").write_text("not a certificate\n")
    (certificates / "cut.pem").write_text(cert[:200])
    (certificates / "rubbish.pem").write_text(
        "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
    )
    command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out"]
    subprocess.run([*command, str(certificates / "encrypted.key")], check=True)
    with pytest.raises(InputError, match=f"Expected .*{message}") as refused:
        make_ssl_config(*(certificates / file for file in {**good, kind: name}.values()))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("there", ["file", "link"])
def test_a_file_that_is_there_stays(there: str, tmp_path: Path) -> None:
    out = tmp_path / "ssl.config"
    if there == "file":
        out.write_text("another's")
    else:
        out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="Expected a file that is not there yet"):
        write_ssl_config(out, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["ssl.config"]
    assert there == "link" or out.read_text() == "another's"


def test_a_file_that_is_missing_is_told(certificates: Path) -> None:
    for missing in ("cert_file", "key_file", "client_ca_file"):
        files = {"cert_file": certificates / "server.pem", "key_file": certificates / "server.key"}
        with pytest.raises(InputError, match=r"a PEM file. .*none\.pem .No such file"):
            make_ssl_config(**files | {missing: certificates / "none.pem"})


def test_the_command_writes_and_refuses(
    certificates: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ssl.config"
    arguments = [
        "--cert",
        str(certificates / "server.pem"),
        "--key",
        str(certificates / "server.key"),
    ]
    main([*arguments, "--client-ca", str(certificates / "ca.pem"), "--out", str(out)])
    assert "clients with a certificate" in capsys.readouterr().out
    with pytest.raises(InputError, match="Expected a file that is not"):
        main([*arguments, "--out", str(out)])
