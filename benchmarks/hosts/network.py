"""Hosts as Linux network namespaces on one bridge, with links that can be taken down."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PREFIX = f"xm{os.getpid() % 10000}"
BRIDGE = f"{PREFIX}br"
BACKBONE = "10.77.0.1"
"""The address of everything that hosts share: record, queue and blobs."""


@contextmanager
def network(hosts: Sequence[str]) -> Iterator[None]:
    """Lay a bridge with one namespace a host; root is needed. All of it is gone afterwards."""
    try:
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{BACKBONE}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for number, host in enumerate(hosts, 2):
            _lay_link(host, number)
        yield
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "delete", _space(host)], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["ip", "link", "delete", BRIDGE], stderr=subprocess.DEVNULL, check=False)


def inside(host: str, *command: str) -> list[str]:
    """Return the command that runs another as on a host."""
    return ["ip", "netns", "exec", _space(host), *command]


def cut(host: str) -> None:
    """Take a host's link down: nothing is refused, nothing arrives."""
    _ip("link", "set", _link(host), "down")


def join(host: str) -> None:
    """Bring it up again."""
    _ip("link", "set", _link(host), "up")


def _lay_link(host: str, number: int) -> None:
    space, link, other = _space(host), _link(host), f"{PREFIX}i{number}"
    _ip("netns", "add", space)
    _ip("link", "add", link, "type", "veth", "peer", "name", other)
    _ip("link", "set", link, "master", BRIDGE, "up")
    _ip("link", "set", other, "netns", space)
    _ip("-n", space, "link", "set", "lo", "up")
    _ip("-n", space, "address", "add", f"10.77.0.{number}/24", "dev", other)
    _ip("-n", space, "link", "set", other, "up")


def _space(host: str) -> str:
    return f"{PREFIX}-{host}"


def _link(host: str) -> str:
    return f"{PREFIX}{host}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
