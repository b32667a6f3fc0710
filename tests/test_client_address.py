"""Which address a client calls, and through which proxy."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from cli.stack import Stack
from exemplar_client import AsyncExemplar, Exemplar, ServiceError

pytestmark = pytest.mark.processes

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(params=["http://127.0.0.1:9", "socks5://127.0.0.1:9", "nonsense://"])
def proxied(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A proxy in every variable that names one, where none listens."""
    for name in PROXIES:
        monkeypatch.setenv(name, request.param)
    monkeypatch.delenv("NO_PROXY", raising=False)
    return request.param


def test_service_of_this_machine_is_called_without_the_proxy(service: Stack, proxied: str) -> None:
    port = httpx.URL(service.url).port
    for url in (service.url, f"http://localhost:{port}", f"127.0.0.1:{port}"):
        with Exemplar(url) as client:
            assert client.healthz().status == "alive"


def test_service_elsewhere_is_called_through_the_proxy(proxied: str) -> None:
    with pytest.raises(ServiceError) as caught, Exemplar("http://192.0.2.1") as client:
        client.healthz()
    assert caught.value.code == ("service_unreachable" if proxied.startswith("http:") else "proxy_invalid")


@pytest.mark.parametrize("url", ["localhost:8000", "127.0.0.1:8000", "things.lan", "http://things.lan/sub/"])
def test_address_without_a_scheme_is_http(url: str) -> None:
    with Exemplar(url) as client:
        assert client.url == f"http://{url.removeprefix('http://').rstrip('/')}"


@pytest.mark.parametrize("url", ["ftp://things.lan", "http://", "http://[::1", "unix:///run/x"])
def test_address_of_no_service_is_an_error(url: str) -> None:
    async def open_it() -> None:
        async with AsyncExemplar(url):
            pass

    for opening in (lambda: Exemplar(url), lambda: asyncio.run(open_it())):
        with pytest.raises(ServiceError, match="expected the URL of a service") as caught:
            opening()
        assert caught.value.code == "url_invalid"
