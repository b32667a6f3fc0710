"""A free port for a process that is about to listen."""

from __future__ import annotations

import secrets
import socket

# systems do not use these for outgoing connections, which could take a port before the process listens
_QUIET = range(20_000, 32_768)
_TRIES = 50


def free_port(host: str = "127.0.0.1", port: int = 0) -> int:
    """Return an unused port of the host: the requested one, or any. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    for tries_left in reversed(range(_TRIES)):
        found = port or secrets.choice(_QUIET)
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address[0], found, *address[2:]))
            return found
        except OSError:
            if port or tries_left == 0:
                raise
    raise AssertionError("the last try returns or raises")
