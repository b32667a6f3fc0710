"""Addresses that the service may connect to for callers: public ones only, unless configured otherwise."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from core.errors import ExemplarError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> list[Network]:
    return [ipaddress.ip_network(text) for text in texts]


MAX_URL = 2048
PORTS = (80, 443)  # and those from 1024 on: others belong to mail, shells and the like
# Cloud metadata services, which reveal secrets, and link-local addresses: never allowed, private or not.
_NEVER_V4 = _networks(
    "169.254.0.0/16",  # link-local; AWS, Google, Azure and others
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure
    "192.0.0.192/32",  # Oracle
)
_NEVER_V6 = _networks(
    "fe80::/10",  # link-local
    "fd00:ec2::254/128",  # AWS
    "fd20:ce::254/128",  # Google
)
# Ranges that `is_global` of some Python versions allows, and no caller needs: the relays of
# 6to4 (RFC 7526), and ranges reserved for protocols (RFC 6890).
_REFUSED_V4 = _networks("192.88.99.0/24", "192.0.0.0/24")
_GLOBAL_V6 = ipaddress.ip_network("2000::/3")  # all unicast addresses assigned so far (RFC 4291)
# Tunnels, whose addresses contain another one that a router unpacks: Teredo and 6to4; and ranges
# in 2000::/3 that are not on the internet: for protocols, benchmarks, documentation (RFC 6890, 9637).
_REFUSED_V6 = _networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # reaches IPv4 from networks with only IPv6 (RFC 6052)
# Forms whose last 32 bits are an IPv4 address: NAT64, its local ones (RFC 8215), SIIT, and IPv4-compatible.
_ENDS_IN_V4 = _networks("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """An allowed URL by its parts; `path` is everything after the host, including the query."""

    scheme: str
    host: str
    port: int
    path: str


def check_url(url: str, *, hosts: Sequence[str], private_too: bool) -> Target:
    """Return the parts of a URL that may be called; raises `target_invalid` or `target_not_allowed`.

    `hosts` are names, `*.example.com` for all subdomains, or `*` for every host. Plain http is
    allowed only together with private addresses. Names are not resolved here; see `resolve`.
    """
    if len(url) > MAX_URL or not url.isascii() or any(character <= " " for character in url):
        raise _invalid(f"expected a URL of at most {MAX_URL} ASCII characters without spaces")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(f"expected a URL: {error}") from error
    host = (parts.hostname or "").rstrip(".")
    if not host or "@" in parts.netloc or "\\" in url or "%" in host:
        raise _invalid("expected a URL with a host, and without a user, a password or a backslash")
    schemes = ("https", "http") if private_too else ("https",)
    if parts.scheme not in schemes:
        raise _invalid(f"expected {' or '.join(schemes)}://, got {parts.scheme[:20] or 'no scheme'!r}")
    port = port or (443 if parts.scheme == "https" else 80)
    if port < 1024 and port not in PORTS:
        raise _invalid(f"expected port 80, 443 or one from 1024 on, got {port}")
    if not any(_is_under(host, allowed) for allowed in hosts):
        raise ExemplarError(
            "target_not_allowed", f"the host {host[:100]!r} is not among those that this service may call"
        )
    literal = _literal(host)
    if literal is not None:
        check_address(literal, private_too=private_too)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path)


def check_picture_url(url: str, *, hosts: Sequence[str], private_too: bool) -> Target:
    """Return the parts of a URL that a picture may be fetched from.

    Raises `url_fetch_off` if no host is allowed, or `url_refused`.
    """
    if not hosts:
        raise ExemplarError("url_fetch_off", "this service fetches no pictures by URL; upload them")
    try:
        return check_url(url, hosts=hosts, private_too=private_too)
    except ExemplarError as error:
        raise ExemplarError("url_refused", error.message) from error


def check_address(address: Address, *, private_too: bool) -> None:
    """Raise `target_not_allowed` unless an address is public, or private if that is allowed too."""
    if not _is_never(address) and (is_public(address) or (private_too and _is_private(address))):
        return
    # without the address: how a name resolves inside the network is not for callers to know
    raise ExemplarError("target_not_allowed", "expected a host that has public addresses only")


def is_public(address: Address) -> bool:
    """Return whether an address is on the public internet, in any of its notations."""
    if _is_never(address):
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return (
            address.is_global
            and not address.is_multicast
            and not address.is_reserved
            and not any(address in network for network in _REFUSED_V4)
        )
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if address.scope_id is not None or any(address in network for network in _REFUSED_V6):
        return False
    return address in _GLOBAL_V6 and address.is_global


def resolve(host: str, port: int, *, private_too: bool) -> list[Address]:
    """Return the addresses of a host after checking each of them.

    Callers must connect to one of these and not resolve the name again, since it may have changed by
    then. Raises `target_not_allowed`, or `target_unresolved` (retry) if the name has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ExemplarError(
            "target_unresolved", f"the name {host[:100]!r} has no address: {error}", retry=True
        ) from error
    addresses = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))
    for address in addresses:
        check_address(address, private_too=private_too)
    return addresses


def _is_never(address: Address) -> bool:
    """Return whether an address, or one that it contains for a router to unpack, is never allowed."""
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in network for network in _NEVER_V4)
    plain = ipaddress.IPv6Address(int(address))  # without a scope
    return any(plain in network for network in _NEVER_V6) or any(map(_is_never, _held_by(plain)))


def _held_by(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses inside an IPv6 address, in each form that routers unpack."""
    held = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _ENDS_IN_V4):
        held.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in held if one is not None]


def _is_private(address: Address) -> bool:
    """Return whether this is an address of a private network, and no tunnel out of it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_private(address.ipv4_mapped)
        if any(address in network for network in (*_REFUSED_V6, *_ENDS_IN_V4)) and not address.is_loopback:
            return False
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_loopback or (address.is_private and not address.is_reserved)


def is_loopback(host: str) -> bool:
    """Return whether a host, `localhost` or an address without brackets, is this machine."""
    address = _literal(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_under(host: str, allowed: str) -> bool:
    if allowed == "*":
        return True
    if allowed.startswith("*."):
        return host.endswith(allowed[1:].lower())
    return host == allowed.lower()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _invalid(message: str) -> ExemplarError:
    return ExemplarError("target_invalid", message)
