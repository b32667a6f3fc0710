"""Serving the app with waitress, which buffers requests so that slow senders hold no thread."""

from __future__ import annotations

import ipaddress
import json
import signal
import sys
from http import HTTPStatus

import structlog
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.utilities import Error

from api.app import create_app
from core.errors import ExemplarError, problem_of
from core.logs import set_up_logs
from core.processes import give_large_memory_back
from core.settings import Settings
from store.migrate import ensure_schema
from store.store import open_store

log = structlog.get_logger("exemplar.api")


def serve(settings: Settings) -> None:
    """Serve until told to stop; refuses to listen beyond loopback while there is no key."""
    set_up_logs(settings.log_level)
    give_large_memory_back()
    store = open_store(settings)
    ensure_schema(store.database)
    public = not _is_loopback(settings.host)
    if public and not store.keys.any_living():
        raise ExemplarError(
            "key_missing",
            f"listening on {settings.host} needs a key; make one with `exemplar keys create NAME`, "
            "or listen on 127.0.0.1",
        )
    HTTPChannel.parser_class = _Parser  # waitress has no setting for the form of its refusals
    server = create_server(
        create_app(settings, store, needs_key=public),
        host=settings.host,
        port=settings.port,
        threads=settings.http_threads,
        connection_limit=1000,
        channel_timeout=30,
        max_request_body_size=settings.max_body_bytes + 1,  # the app refuses what is one byte longer
        ident="exemplar",
        clear_untrusted_proxy_headers=True,
    )
    port = getattr(server, "effective_port", settings.port)  # two sockets, of localhost say, have none
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # waitress then lets requests under way finish
    log.info("api_ready", url=f"http://{settings.host}:{port}")
    server.run()


class _RefusedError(Error):
    """What waitress refuses before the app sees it, as a problem object."""

    def __init__(self, error: Error) -> None:
        too_large = error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        super().__init__(f"the body {error.body}; send fewer pictures at once" if too_large else error.body)
        self.code = error.code
        self.reason = error.reason

    def to_response(  # type: ignore[override]  # the stubs say str, but waitress sends bytes
        self, ident: str | None = None
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        codes = {413: "body_too_large", 431: "headers_too_large"}
        problem = problem_of(ExemplarError(codes.get(self.code, "request_refused"), self.body))
        body = json.dumps({**problem, "status": self.code}).encode()
        headers = [
            ("Content-Type", "application/problem+json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        return f"{self.code} {self.reason}", headers, body


class _Parser(HTTPRequestParser):
    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if self.error is not None and not isinstance(self.error, _RefusedError):
            self.error = _RefusedError(self.error)
        return consumed


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
