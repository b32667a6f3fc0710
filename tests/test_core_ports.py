"""Ports for processes that are about to listen."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from runtime.ports import free_port

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_free_port_is_none_that_a_connection_may_be_given() -> None:
    if not RANGE.exists():
        pytest.skip(f"{RANGE} is not here")
    first, last = map(int, RANGE.read_text().split())
    assert all(not first <= free_port() <= last for _ in range(100))


def test_port_that_is_listened_on_is_not_free() -> None:
    port = free_port()
    assert free_port("127.0.0.1", port) == port
    with socket.create_server(("127.0.0.1", port)), pytest.raises(OSError, match="in use"):
        free_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_host_may_be_any_of_this_machine(host: str) -> None:
    assert free_port(host) > 0
