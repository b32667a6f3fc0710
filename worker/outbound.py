"""HTTP requests to external servers: only to checked addresses, within limits of time and size.

The address is checked where the socket is opened, so that nothing above it (a second name look-up,
a redirect, a proxy from the environment) can bypass the check. The certificate and the `Host` header
still use the host of the URL.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpcore

from core.errors import ExemplarError
from runtime.addresses import Address, Target, resolve

CONNECT_S = 5.0  # a host that drops packets gets less time than one that is working


@dataclass(frozen=True, slots=True)
class Reply:
    """Another server's answer; header names are lower case, and `body` is cut off at the size limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(
    target: Target,
    method: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    total_s: float,
    max_bytes: int,
    private_too: bool,
) -> Reply:
    """Send one request, follow no redirect, and return the answer.

    Raises `target_not_allowed` if the name resolves to an address that is not public, `target_unresolved`
    or `target_failed` (both retry).
    """
    host = f"[{target.host}]" if ":" in target.host else target.host
    # built from the checked parts: two parsers of one URL may disagree about its host
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    port = "" if target.port == {"https": 443, "http": 80}[target.scheme] else f":{target.port}"
    sent: list[tuple[bytes | str, bytes | str]] = [("Host", host + port), *headers.items()]
    backend = _Checked(time.monotonic() + total_s, private_too=private_too)
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
            pool.stream(method, url, headers=sent, content=body) as response,
        ):
            found = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in response.headers]
            body = _read(response.iter_stream(), max_bytes)
            return Reply(response.status, {name.lower(): text for name, text in found}, body)
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
        timed_out = isinstance(error, httpcore.TimeoutException | TimeoutError)
        detail = str(error)[:300] or ("it took too long" if timed_out else "the connection broke")
        raise ExemplarError("target_failed", f"no answer: {detail}", retry=True) from error


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads every root certificate, which takes 20 ms


def _read(parts: Iterable[bytes], max_bytes: int) -> bytes:
    body = bytearray()
    for part in parts:
        body += part
        if len(body) >= max_bytes:
            break
    return bytes(body[:max_bytes])


class _Checked(httpcore.NetworkBackend):
    """Opens connections to checked addresses only, each step within the remaining time."""

    def __init__(self, deadline: float, *, private_too: bool) -> None:
        self._deadline = deadline
        self._private_too = private_too
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failed: Exception | None = None
        for address in self._resolve(host, port):
            try:
                timeout = min(_left(self._deadline), CONNECT_S)
                stream = self._sockets.connect_tcp(str(address), port, timeout=timeout)
                return _Timed(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error  # the next address may answer
        raise failed or httpcore.ConnectError("the name has no address")

    def _resolve(self, host: str, port: int) -> list[Address]:
        """Resolve in a thread of its own: a hanging name server lookup cannot be cancelled."""
        found: Future[list[Address]] = Future()

        def ask() -> None:
            try:
                found.set_result(resolve(host, port, private_too=self._private_too))
            except Exception as error:  # the boundary of the thread: the caller must get any error
                found.set_exception(error)

        threading.Thread(target=ask, name="resolve", daemon=True).start()
        try:
            return found.result(_left(self._deadline))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error


class _Timed(httpcore.NetworkStream):
    """A connection with one deadline for all steps, so that slow sending cannot hold it open."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        except Exception:
            self._stream.close()  # httpcore leaves that to the caller after a failure
            raise
        return _Timed(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for the whole request is up")
    return left
