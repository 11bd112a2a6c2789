"""Writes the file from which TensorFlow Serving takes its certificate.

    python -m serving.container.ssl_config --cert server.pem --key server.key \
        --client-ca ca.pem --out ssl.config

`--ssl_config_file` does not take the names of PEM files but a message, SSLConfig in protobuf's text
format, that holds what is in them. TensorFlow Serving checks little of it: with a key that is not
the certificate's it starts, and every handshake fails. So all is checked here.
"""

import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from serving.atomic import unfinished
from serving.command_line import option, parse, run_command
from serving.errors import InputError
from serving.messages import SSLConfig

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\n.+?\n-----END \1-----\n", re.DOTALL)
_CERTIFICATE = ("CERTIFICATE",)
_KEY = ("PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY")


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
    config = SSLConfig(
        server_cert=_read_pem(cert_file, _CERTIFICATE, "a certificate"),
        server_key=_read_pem(key_file, _KEY, "one private key"),
    )
    _check_pair(cert_file, key_file)
    if client_ca_file is not None:
        config.custom_ca = _read_pem(client_ca_file, _CERTIFICATE, "a certificate")
        config.client_verify = True
        _check_authorities(client_ca_file, config.custom_ca)
    return str(text_format.MessageToString(config))


def write_ssl_config(path: str | Path, text: str) -> None:
    """Write a new file that its owner alone may read, all of it or nothing.

    Raises:
        InputError: If the file is there already or cannot be written.
    """
    path = Path(path)
    try:
        with unfinished(path.parent) as folder:
            temporary = folder / "new"
            # Private from the start, not after a chmod.
            temporary.touch(0o600)
            temporary.write_text(text)
            # A rename would replace a file that is there; a link does not.
            os.link(temporary, path)
    except FileExistsError as error:
        raise InputError(
            f"Expected a file that is not there yet. Received: {path}. Take another name, or "
            "remove it"
        ) from error
    except OSError as error:
        raise InputError(
            f"Expected a file that can be written. Received: {path} ({error.strerror})"
        ) from error


def _read_pem(path: str | Path, labels: tuple[str, ...], kind: str) -> str:
    """The PEM blocks of a file, without the remarks that may stand between them."""
    try:
        content = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"Expected a PEM file. Received: {path} ({error.strerror})") from error
    content = content.replace("\r\n", "\n") + "\n"
    blocks = [(match[1], match[0]) for match in _BLOCK.finditer(content)]
    found = ", ".join(label for label, _ in blocks) or "no PEM block"
    if any("ENCRYPTED" in block for _, block in blocks):
        raise InputError(
            f"Expected a key that is not encrypted. Received: {path}. Decrypt it: openssl pkey "
            f"-in {path} -out PLAIN.key"
        )
    if not blocks or any(label not in labels for label, _ in blocks):
        raise InputError(f"Expected a PEM file with {kind}. Received: {path}: {found}")
    if labels is _KEY and len(blocks) > 1:
        raise InputError(f"Expected a PEM file with {kind}. Received: {path}: {found}")
    return "".join(block for _, block in blocks)


def _check_pair(cert_file: str | Path, key_file: str | Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_file, key_file)
    except ssl.SSLError as error:
        raise InputError(
            "Expected a certificate and its key. Received: "
            f"{cert_file} and {key_file} ({error.reason or error})"
        ) from error


def _check_authorities(path: str | Path, pem: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_verify_locations(cadata=pem)
    except ssl.SSLError as error:
        raise InputError(
            f"Expected certificates. Received: {path} ({error.reason or error})"
        ) from error
    loaded = context.cert_store_stats()
    if loaded["x509_ca"] < loaded["x509"]:
        raise InputError(
            f"Expected certificates of authorities. Received: {path}, with one that is not. Take "
            "the file of the authority that signed the clients' certificates"
        )


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
        InputError: As `make_ssl_config` and `write_ssl_config`.
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
