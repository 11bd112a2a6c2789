"""Writes the file from which TensorFlow Serving takes its certificate.

    python -m serving.container.ssl_config --cert server.pem --key server.key \
        --client-ca ca.pem --out ssl.config

`--ssl_config_file` does not take the names of PEM files but a message, SSLConfig in protobuf's text
format, that holds what is in them. TensorFlow Serving checks little of it: with a key that is not
the certificate's it starts, and every handshake fails. So all is checked here.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from serving.atomic import atomic_path
from serving.command_line import option, parse, run_command
from serving.errors import InputError
from serving.messages import SSLConfig

# OpenSSL has no word for it.
_NO_PEM = "no PEM of that kind"


def make_ssl_config(
    cert_file: str | Path, key_file: str | Path, client_ca_file: str | Path | None = None
) -> str:
    """The text of an SSLConfig.

    Args:
        cert_file: The server's certificate, PEM, and after it those between it and its authority.
        key_file: The key of that certificate, PEM, not encrypted: nobody is there to ask.
        client_ca_file: Certificates, PEM, of the authorities that vouch for clients. With them a
            client needs a certificate; without, anybody may connect.

    Returns:
        SSLConfig in protobuf's text format. It holds the key: keep it as you keep that.

    Raises:
        InputError: If a file cannot be read or is not PEM of its kind, if the key is encrypted or
            not the certificate's, or if a certificate of `client_ca_file` is no authority's.
    """
    config = SSLConfig(server_cert=_read_pem(cert_file), server_key=_read_pem(key_file))
    _check_pair(cert_file, key_file)
    if client_ca_file is not None:
        config.client_verify = True
        config.custom_ca = _authorities(client_ca_file)
    return str(text_format.MessageToString(config))


def write_ssl_config(path: str | Path, text: str) -> None:
    """Write a new file that its owner alone may read, all of it or nothing.

    Raises:
        InputError: If the file is there already.
        OSError: If it cannot be written.
    """
    path = Path(path)
    if path.exists() or path.is_symlink():
        raise InputError(
            f"Expected a file that is not there yet. Received: {path}. Take another name, or "
            "remove it"
        )
    with atomic_path(path) as new:
        # Private from the start, not after a chmod.
        new.touch(0o600)
        new.write_text(text)


def _read_pem(path: str | Path) -> str:
    """The text of a file; what is not ASCII can only be a remark beside PEM."""
    try:
        return Path(path).read_text("ascii", "ignore")
    except OSError as error:
        raise InputError(f"Expected a PEM file. Received: {path} ({error.strerror})") from error


def _check_pair(cert_file: str | Path, key_file: str | Path) -> None:
    def refuse() -> str:
        raise InputError(
            f"Expected a key that is not encrypted. Received: {key_file}. Decrypt it: "
            f"openssl pkey -in {key_file} -out PLAIN.key"
        )

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_file, key_file, refuse)
    except ssl.SSLError as error:
        raise InputError(
            "Expected a certificate and its key, both PEM. Received: "
            f"{cert_file} and {key_file} ({error.reason or _NO_PEM})"
        ) from error


def _authorities(path: str | Path) -> str:
    """The certificates of a file, and nothing else that may be in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=_read_pem(path))
    except ssl.SSLError as error:
        raise InputError(
            f"Expected certificates, PEM. Received: {path} ({error.reason or _NO_PEM})"
        ) from error
    authorities = context.get_ca_certs(binary_form=True)
    if len(authorities) < context.cert_store_stats()["x509"]:
        raise InputError(
            f"Expected certificates of authorities. Received: {path}, with one that is not. Take "
            "the file of the authority that signed the clients' certificates"
        )
    return "".join(map(ssl.DER_cert_to_PEM_cert, authorities))


@dataclass(frozen=True, kw_only=True)
class SslOptions:
    """Options of the command."""

    cert: Path = option("the server's certificate", metavar="PEM")
    key: Path = option("its key, not encrypted", metavar="PEM")
    client_ca: Path | None = option(
        "authorities that vouch for clients, which then need a certificate",
        default=None,
        metavar="PEM",
    )
    out: Path = option("a new file", metavar="FILE")


def main(argv: Sequence[str] | None = None) -> None:
    """Write an SSLConfig.

    Raises:
        InputError, OSError: As `make_ssl_config` and `write_ssl_config`.
    """
    options = parse(
        SslOptions,
        argv,
        prog="python -m serving.container.ssl_config",
        description="Write the file that TensorFlow Serving's --ssl_config_file takes.",
    )
    text = make_ssl_config(options.cert, options.key, options.client_ca)
    write_ssl_config(options.out, text)
    clients = "clients with a certificate" if options.client_ca else "any client"
    print(f"{options.out}: TLS, for {clients}. It holds the key; its owner alone may read it")


if __name__ == "__main__":
    run_command(main, InputError)
