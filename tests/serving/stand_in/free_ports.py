"""Ports for servers that tests start."""

import random
import socket
from contextlib import ExitStack, suppress


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, and that the system gives to no connection meanwhile."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            # Systems give connections ports from 32768 on.
            port = random.randrange(20_000, 32_000)
            with suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
    return ports
