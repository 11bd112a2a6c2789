"""Addresses to listen on."""

import socket


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on an address and a port; 0 takes a free port.

    Raises:
        OSError: If that cannot be had, with the reason in one line.
    """
    reason = "a port is a number from 0 to 65535"
    if 0 <= port < 2**16:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return socket.create_server((host, port), family=family)
        except OSError as error:
            # Python says the address once more.
            reason = (error.strerror or str(error)).partition(" (while ")[0]
    raise OSError(
        f"Expected an address and a port that can be listened on. Received: {host}:{port} "
        f"({reason}). Take another with --host or --port"
    )


def address(host: str, port: int) -> str:
    """`host:port`, with brackets around an address of IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
