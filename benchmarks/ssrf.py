"""Addresses and tricks that lead where a service must not go: how many are let through to a connection.

Each is asked for as a picture's URL, as a webhook's, as what a public host sends on to, and, where it is an
address, as what the name of a harmless host turns out to mean. Nothing is really connected to.

python -m benchmarks.ssrf
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any
from unittest import mock

import httpcore

from benchmarks.common import emit
from core.errors import ExemplarError
from core.settings import Settings
from runtime.addresses import check_url
from worker import fetch, outbound
from worker.fetch import fetch_picture
from worker.outbound import send

PUBLIC = "93.184.216.34"
ADDRESSES = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 100.100.100.200 127.0.0.1 127.1.2.3
127.255.255.254 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255
192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1
::a9fe:a9fe ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1 ::ffff:0:127.0.0.1
64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b:1::1 64:ff9b:1::169.254.169.254 100::1
2001::1 2001:0:7f00:1:: 2001:0:a9fe:a9fe::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::
2002:a9fe:a9fe::1 2002:a00:1::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fd20:ce::254 fdff::1 fe80::1
febf::1 fec0::1 ff02::1 ff05::1:3
""".split()  # noqa: SIM905 - a list of literals would be four times as long
SPELLINGS = """
https://2130706433/ https://0x7f000001/ https://0x7f.0.0.1/ https://0x7f.1/ https://0177.0.0.1/
https://017700000001/ https://127.1/ https://127.0.1/ https://0/ https://127.0.0.1./ https://localhost/
https://LOCALHOST./ https://localhost:8443/ https://2852039166/ https://0xa9fea9fe/
https://0xa9.0xfe.0xa9.0xfe/ https://0251.0376.0251.0376/ https://169.254.43518/
https://[0:0:0:0:0:0:0:1]/ https://[::1%25lo]/ https://[::1%lo]/ https://[fe80::1%25eth0]/
https://[::ffff:7f00:1]/ https://①②⑦.⓪.⓪.①/ https://１２７.０.０.１/ https://127。0。0。1/ https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/
https://127.0.0.1%00.example.com/ https://user@127.0.0.1/ https://example.com@127.0.0.1/
https://127.0.0.1@example.com/ https://example.com:pass@[::1]/ https://example.com\\@127.0.0.1/
https://127.0.0.1\\.example.com/ https://example.com#@127.0.0.1/../ https:127.0.0.1/ https:///127.0.0.1/
https://127.0.0.1?@example.com/ https://127.0.0.1;example.com/ //127.0.0.1/ https:/\\127.0.0.1/
http://example.com/ http://127.0.0.1/ http://169.254.169.254/latest/meta-data/ HTTP://127.0.0.1/
file:///etc/passwd file://127.0.0.1/etc/passwd ftp://127.0.0.1/ gopher://127.0.0.1:6379/_FLUSHALL
dict://127.0.0.1:11211/ ldap://127.0.0.1/ data:image/png;base64,AAAA jar:https://127.0.0.1!/
netdoc:///etc/passwd unix:///run/docker.sock s3://169.254.169.254/ https://example.com:22/
https://example.com:25/ https://example.com:0/ https://example.com:99999/ https://example.com:x/
https://metadata.google.internal/ https://metadata/ https://instance-data/
https://169.254.169.254.nip.io/ https://127.0.0.1.nip.io/ https://kubernetes.default.svc/ https://[::]/
https://[]/ https://./ https:// https://%31%32%37.0.0.1/ https://example.com%2f@127.0.0.1/
https://127%2e0%2e0%2e1/ https://[::1].example.com/ https://[127.0.0.1]/
""".split()  # noqa: SIM905 - a list of literals would be four times as long
SPACED = [
    "https://example.com /",
    "https://example.com\r\nHost: 127.0.0.1/",
    "\thttps://127.0.0.1/",
    "https://exa\nmple.com/",
]
# what the names above mean to a name server that means harm, or to the one of a cloud's own network
NAMES = {
    "metadata.google.internal": ["169.254.169.254"],
    "metadata": ["169.254.169.254"],
    "instance-data": ["169.254.169.254"],
    "169.254.169.254.nip.io": ["169.254.169.254"],
    "127.0.0.1.nip.io": ["127.0.0.1"],
    "kubernetes.default.svc": ["10.96.0.1"],
}
HARMLESS = "harmless.example.com"
SENDS_ON = "sends-on.example.com"
ALL = Settings(fetch_hosts=("*",), fetch_s=2.0)


@dataclass
class Network:
    """Names as a hostile name server tells them, and the connections that would have been made."""

    meant: dict[str, list[list[str]]] = field(default_factory=dict)
    location: str = ""
    connected: list[str] = field(default_factory=list)

    def means(self, name: str, *answers: list[str]) -> None:
        """Let a name mean something, another thing each time it is asked for."""
        self.meant[name] = list(answers)
        self._turns = {one: cycle(found) for one, found in self.meant.items()}

    def getaddrinfo(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        """Answer for the socket module; what looks like an address is read as the system reads it."""
        if host in self.meant:
            return [(0, 0, 0, "", (address, port)) for address in next(self._turns[host])]
        try:
            return _SYSTEM(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except OSError:
            if host.lower().rstrip(".") == "localhost":
                return [(0, 0, 0, "", ("127.0.0.1", port))]
            return [(0, 0, 0, "", (PUBLIC, port))]  # any other name is one of the internet

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Note the connection; only the public host that sends on answers anything."""
        self.connected.append(host)
        answer = f"HTTP/1.1 302 Found\r\nLocation: {self.location}\r\nContent-Length: 0\r\n\r\n"
        if not self.location:
            raise httpcore.ConnectError("nothing is really connected to")
        return httpcore.MockStream([answer.encode("utf-8", "replace")])


_SYSTEM = socket.getaddrinfo


@contextmanager
def network() -> Iterator[Network]:
    """Put a hostile network in the place of the real one."""
    made = Network()
    backend = mock.Mock(connect_tcp=made.connect_tcp)
    with (
        mock.patch.object(socket, "getaddrinfo", made.getaddrinfo),
        mock.patch.object(outbound.httpcore, "SyncBackend", lambda: backend),
        mock.patch.object(fetch, "FIRST_PAUSE_S", 0.0),
    ):
        yield made


def cases() -> Iterator[tuple[str, str]]:
    """Yield each trick's URL, and the address that the harmless name means in it, if any."""
    for address in ADDRESSES:
        host = f"[{address}]" if ":" in address else address
        yield f"https://{host}/", ""
        yield f"https://{host}:8443/x?y=z", ""
        yield f"https://{HARMLESS}/", address
    for url in (*SPELLINGS, *SPACED):
        yield url, ""


def let_through() -> tuple[int, list[str]]:
    """Return how many ways were tried, and those that came to a connection with what is not public."""
    tried, wrong = 0, []
    for url, meaning in cases():
        for way in ("picture", "webhook", "redirect", "rebinding"):
            if way == "rebinding" and not meaning:
                continue
            tried += 1
            with network() as found:
                for name, addresses in NAMES.items():
                    found.means(name, addresses)
                _try(found, way, url, meaning)
            bad = [address for address in found.connected if not _is_public(address)]
            if bad:
                wrong.append(f"{way}: {url!r} {meaning}: connected to {bad}")
    return tried, wrong


def _try(found: Network, way: str, url: str, meaning: str) -> None:
    if meaning:
        # a name server that is asked twice may say another thing the second time
        answers = [[PUBLIC], [meaning]] if way == "rebinding" else [[PUBLIC, meaning]]
        found.means(HARMLESS, *answers)
    try:
        if way == "webhook":
            target = check_url(url, hosts=("*",), private_too=False)
            send(target, "POST", headers={}, body=b"{}", total_s=2, max_bytes=10, private_too=False)
        elif way == "redirect":
            found.location = url
            found.means(SENDS_ON, [PUBLIC])
            fetch_picture(f"https://{SENDS_ON}/1.jpg", ALL)
        else:
            fetch_picture(url, ALL)
    except ExemplarError:
        pass


def _is_public(address: str) -> bool:
    # not by the rule under test: every connection here may only be to the one public address there is
    return ipaddress.ip_address(address) == ipaddress.ip_address(PUBLIC)


def main() -> None:
    tried, wrong = let_through()
    for line in wrong:
        print(line)
    emit(
        "ssrf",
        addresses=len(ADDRESSES),
        tricks=len(SPELLINGS) + len(SPACED),
        tried=tried,
        let_through=len(wrong),
    )


if __name__ == "__main__":
    main()
