"""Authorities, certificates and TensorFlow Serving's file of them, made anew for each test run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from serving.messages import SSLConfig
from serving.tls import Tls


class Certificates:
    """An authority, a server that it vouches for, and clients of all kinds."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority, self.stranger = trustme.CA(), trustme.CA()
        expired = datetime.now(UTC) - timedelta(days=1)
        self.server = self.authority.issue_cert("localhost")
        self.expired_server = self.authority.issue_cert("localhost", not_after=expired)
        self.ca_file = self._write("ca.pem", self.authority.cert_pem)
        self.other_ca_file = self._write("other-ca.pem", self.stranger.cert_pem)
        client, foreign = (
            ca.issue_cert("client@example.org") for ca in (self.authority, self.stranger)
        )
        expired_client = self.authority.issue_cert("client@example.org", not_after=expired)
        self.clients = {
            "client": client,
            "stranger": foreign,
            "expired client": expired_client,
        }

    def _write(self, name: str, blob: trustme.Blob) -> Path:
        blob.write_to_path(str(self._folder / name))
        return self._folder / name

    def tls(self, client: str | None = None, ca_file: Path | None = None) -> Tls:
        """What a client brings along."""
        if client is None:
            return Tls(ca_file or self.ca_file)
        certificate = self.clients[client]
        (chain,) = certificate.cert_chain_pems[:1]
        return Tls(
            ca_file or self.ca_file,
            self._write(f"{client}.pem", chain),
            self._write(f"{client}.key", certificate.private_key_pem),
        )

    def ssl_config(self, *, mutual: bool, server: Any = None) -> Path:
        """The file for the server."""
        server = server or self.server
        config: Any = SSLConfig(
            server_key=server.private_key_pem.bytes().decode(),
            server_cert=server.cert_chain_pems[0].bytes().decode(),
        )
        if mutual:
            config.custom_ca = self.authority.cert_pem.bytes().decode()
            config.client_verify = True
        from google.protobuf import text_format

        path = self._folder / f"ssl-{mutual}.config"
        path.write_text(text_format.MessageToString(config))
        return path
