"""TLS for a channel to a server, with or without a certificate of one's own."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from serving.command_line import option
from serving.errors import InputError

__all__ = ["Tls"]


@dataclass(frozen=True)
class Tls:
    """Files that a client needs to reach a server over TLS.

    Attributes:
        ca_file: Certificates, PEM, of the authorities that may vouch for the server; by default
            those that gRPC trusts.
        cert_file: The client's own certificate chain, PEM, where the server asks for one.
        key_file: The key of that certificate, PEM.
        server_name: Name that the server's certificate must carry, where it is not the one in the
            address: a server behind a tunnel.

    Raises:
        InputError: If only one of `cert_file` and `key_file` is given.
    """

    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            raise InputError(
                "Expected a certificate and its key. Received: "
                f"cert_file={self.cert_file}, key_file={self.key_file}"
            )

    def credentials(self) -> grpc.ChannelCredentials:
        """What a gRPC channel takes.

        Raises:
            InputError: If a file cannot be read.
        """
        ca, key, cert = map(_read, (self.ca_file, self.key_file, self.cert_file))
        return grpc.ssl_channel_credentials(ca, key, cert)

    def channel_options(self) -> list[tuple[str, str]]:
        """Options of a gRPC channel that go with the credentials."""
        if self.server_name is None:
            return []
        return [("grpc.ssl_target_name_override", self.server_name)]


@dataclass(frozen=True, kw_only=True)
class TlsOptions:
    """Options of a command that may reach its server over TLS; `Tls` describes them."""

    tls: bool = option("TLS, with no file of one's own", default=False, group="TLS")
    tls_ca: Path | None = option(
        "authorities that vouch for the server", default=None, group="TLS", metavar="PEM"
    )
    tls_cert: Path | None = option(
        "certificate to show to the server", default=None, group="TLS", metavar="PEM"
    )
    tls_key: Path | None = option("its key", default=None, group="TLS", metavar="PEM")
    tls_server_name: str | None = option(
        "name in the server's certificate", default=None, group="TLS", metavar="NAME"
    )

    def make_tls(self) -> Tls | None:
        """What the options say; None where there are none.

        Raises:
            InputError: As `Tls`.
        """
        files = (self.tls_ca, self.tls_cert, self.tls_key, self.tls_server_name)
        return Tls(*files) if self.tls or any(files) else None


def _read(path: str | Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"Expected a PEM file. Received: {path} ({error.strerror})") from error
    # gRPC itself says only that a handshake failed, and long after.
    if b"-----BEGIN " not in content:
        raise InputError(f"Expected a PEM file. Received: {path}, which has no BEGIN line")
    return content
