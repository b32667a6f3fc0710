"""Addresses that the service may call for callers, in every notation."""

from __future__ import annotations

import ipaddress
import socket
from itertools import product
from typing import Any

import pytest

from core.errors import ExemplarError
from runtime.addresses import check_url, is_public, resolve

FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.100",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:82f::200e"]
MAPPED = ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]


def code_of(url: str, *, hosts: tuple[str, ...] = ("*",), private_too: bool = False) -> str:
    try:
        check_url(url, hosts=hosts, private_too=private_too)
    except ExemplarError as error:
        return error.code
    return ""


def answer(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Make every name resolve to these addresses."""

    def found(host: str, port: int, **_: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def code_of_resolving(*, private_too: bool) -> str:
    try:
        resolve("example.com", 443, private_too=private_too)
    except ExemplarError as error:
        return error.code
    return ""


def test_address_that_is_not_of_the_internet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in FORBIDDEN:
        assert not is_public(ipaddress.ip_address(address)), address
        answer(monkeypatch, "8.8.8.8", address)  # one bad address among good ones is enough
        assert code_of_resolving(private_too=False) == "target_not_allowed", address
        if "%" not in address:
            host = f"[{address}]" if ":" in address else address
            assert code_of(f"https://{host}/") == "target_not_allowed", address


@pytest.mark.parametrize("address", PUBLIC + MAPPED)
def test_public_address_may_be_called(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    answer(monkeypatch, address)
    assert resolve("example.com", 443, private_too=False) == [ipaddress.ip_address(address)]


@pytest.mark.parametrize(
    "spelled", ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "127.0.1", "localhost"]
)
def test_other_spellings_of_loopback_are_refused_once_they_are_resolved(spelled: str) -> None:
    with pytest.raises(ExemplarError) as caught:
        resolve(spelled, 443, private_too=False)
    assert caught.value.code in ("target_not_allowed", "target_unresolved")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "240.0.0.1"])
def test_private_allowance_stops_short_of_links_and_groups(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    answer(monkeypatch, address)
    with pytest.raises(ExemplarError):
        resolve("example.com", 443, private_too=True)


NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:192.0.0.192",
    "::a9fe:a9fe",
    "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::192.0.0.192",
    "64:ff9b:1::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "2002:6464:64c8::1",
    "2001::1",
    "2001:0:a9fe:a9fe::1",
    "2001:0:808:808:0:0:5601:5601",
    "2001:0:7f00:1::",
    "2002:7f00:1::",
]


def test_places_of_machines_secrets_are_never_called(monkeypatch: pytest.MonkeyPatch) -> None:
    for address, private_too in product(NEVER, (False, True)):
        answer(monkeypatch, address)
        assert code_of_resolving(private_too=private_too) == "target_not_allowed", address


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fd00::1", "::ffff:10.0.0.1"])
def test_private_addresses_are_allowed_where_the_operator_says_so(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    answer(monkeypatch, address)
    assert resolve("example.com", 80, private_too=True)


def test_name_without_an_address_may_have_one_later() -> None:
    with pytest.raises(ExemplarError) as caught:
        resolve("nowhere.invalid", 443, private_too=False)
    assert (caught.value.code, caught.value.retry) == ("target_unresolved", True)


INVALID = [
    "",
    "example.com",
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "https://",
    "https:///path",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://example.com\\@internal/",
    "https://example.com:99999/",
    "https://example.com:25/",
    "https://example.com:22/",
    "https://exa mple.com/",
    "https://example.com/\r\nX: y",
    "https://exämple.com/",
    "https://[::1/",
    "https://[fe80::1%25eth0]/",
    "https://example.com/" + "a" * 2048,
]


def test_invalid_url_is_refused() -> None:
    assert {url: code_of(url) for url in INVALID} == dict.fromkeys(INVALID, "target_invalid")


def test_url_is_taken_apart() -> None:
    target = check_url("https://Example.com.:8443/a/b?c=d#e", hosts=("example.com",), private_too=False)
    assert (target.scheme, target.host, target.port) == ("https", "example.com", 8443)
    assert target.path == "/a/b?c=d"


def test_hosts_are_those_that_were_named() -> None:
    hosts = ("example.com", "*.Example.org")
    assert code_of("https://example.com/", hosts=hosts) == ""
    assert code_of("https://a.example.org/", hosts=hosts) == ""
    for other in ("a.example.com", "example.org", "badexample.org", "example.com.evil.net"):
        assert code_of(f"https://{other}/", hosts=hosts) == "target_not_allowed"
    assert code_of("https://example.com/", hosts=()) == "target_not_allowed"


def test_plain_http_goes_with_private_addresses() -> None:
    assert code_of("http://10.0.0.1:8000/", private_too=True) == ""
    assert code_of("http://169.254.169.254/", private_too=True) == "target_not_allowed"
