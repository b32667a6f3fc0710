"""The address of a service, and whether it is this machine."""

from __future__ import annotations

import ipaddress

import httpx

from exemplar_client.errors import ServiceError


def check_address(url: str) -> str:
    """Return a service's URL without a slash at its end; `http://` is understood where no scheme is given.

    Raises ServiceError with the code `url_invalid`.
    """
    full = url if "://" in url else f"http://{url}"
    try:
        parsed = httpx.URL(full)
    except httpx.InvalidURL as error:
        raise _invalid(url, str(error)) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise _invalid(url, "it needs http:// or https:// and a host")
    return full.rstrip("/")


def is_loopback(url: str) -> bool:
    """Return whether a URL leads to this machine; no proxy of the environment is asked for it."""
    host = httpx.URL(url).host
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _invalid(url: str, why: str) -> ServiceError:
    detail = f"expected the URL of a service, http://127.0.0.1:8000 say, got {url!r}: {why}"
    return ServiceError("url_invalid", detail)
