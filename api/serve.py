"""The waitress server, which buffers requests so that slow senders hold no thread."""

from __future__ import annotations

import json
import re
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from http import HTTPStatus
from pathlib import Path

import structlog
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import create_server
from waitress.utilities import Error

from api.app import GUARDS, create_app
from api.services import services_of
from api.stop import Sockets, run_until_stopped
from core.errors import ExemplarError, problem_of
from core.settings import Settings
from core.sizes import size_text
from runtime.addresses import is_loopback
from runtime.logs import set_up_logs
from runtime.open_tracing import open_tracing
from runtime.processes import keep_started, return_large_blocks
from store.migrate import ensure_schema
from store.record.keys import Keys
from store.store import open_store

KEY_S = 1.0  # how long a large request may wait for the record before its body is read; others wait too
_LARGE = re.compile(r"/v1/(collections/[^/]+/bulk|import)")

log = structlog.get_logger("exemplar.api")


def serve(settings: Settings) -> None:
    """Serve until stopped; refuses to listen beyond loopback without a key."""
    set_up_logs(settings.log_level)
    return_large_blocks()
    store = open_store(settings)
    ensure_schema(store.database)
    public = not is_loopback(settings.host)
    if public and not store.keys.any_active():
        raise ExemplarError(
            "key_missing",
            f"listening on {settings.host} needs a key; create one with `exemplar keys create NAME`, "
            "with the same --data, or listen on 127.0.0.1",
        )
    _spool_into(settings.data)
    HTTPChannel.parser_class = parser_for(settings, store.keys, needs_key=public)
    tracing = open_tracing(settings, "exemplar-api")
    app = create_app(settings, store, needs_key=public, tracing=tracing)
    sockets: Sockets = {}
    server = create_server(
        app,
        map=sockets,
        host=settings.host,
        port=settings.port,
        threads=settings.http_threads,
        connection_limit=1000,
        channel_timeout=30,
        max_request_body_size=settings.bulk_max_bytes
        + 1,  # the app rejects a body of one byte more than allowed
        recv_bytes=65536,
        ident="exemplar",
        clear_untrusted_proxy_headers=not settings.proxies,  # else the app reads them
    )
    port = getattr(server, "effective_port", settings.port)  # missing for two sockets, as of localhost
    log.info("api_ready", url=f"http://{settings.host}:{port}")
    keep_started()
    run_until_stopped(server, sockets, stop_s=settings.stop_s, ending=services_of(app).end)
    tracing.close()


class _RefusedError(Error):
    """A refusal of waitress, before the app sees the request, as a problem object."""

    def __init__(self, error: Error, max_bytes: int) -> None:
        too_large = error.code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        super().__init__(
            f"expected a body of at most {size_text(max_bytes)}; send fewer pictures at once, or use bulk "
            "with a key"
            if too_large
            else error.body
        )
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
            *GUARDS.items(),
        ]
        return f"{self.code} {self.reason}", headers, body


def parser_for(settings: Settings, keys: Keys, *, needs_key: bool) -> type[HTTPRequestParser]:
    """Return the request parser: waitress has settings neither for the form of its refusals nor for paths.

    Only bulk uploads and imports may be large, and if keys are in use only with a key: their bodies use
    disk before the app sees them.
    """
    allows = _Gate(keys, needs_key=needs_key).allows

    class Parser(HTTPRequestParser):
        def parse_header(self, header_plus: bytes) -> None:
            super().parse_header(header_plus)
            path: str = self.path  # type: ignore[attr-defined]  # the stubs lack it
            is_large = self.chunked or self.content_length > settings.max_body_bytes
            if is_large and not (_LARGE.fullmatch(path) and allows(self.headers.get("AUTHORIZATION", ""))):
                self.adj = copy(self.adj)
                self.adj.max_request_body_size = settings.max_body_bytes + 1

        def received(self, data: bytes) -> int:
            consumed: int = super().received(data)
            if self.error is not None and not isinstance(self.error, _RefusedError):
                self.error = _RefusedError(self.error, self.adj.max_request_body_size - 1)
            return consumed

    return Parser


class _Gate:
    """Decides who may send a large body, in the single thread that reads from all clients.

    So the record is queried in another thread; no answer within `KEY_S` is a no, and until a late answer
    arrives, everyone is refused immediately.
    """

    def __init__(self, keys: Keys, *, needs_key: bool) -> None:
        self._keys = keys
        self._needs_key = needs_key
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gate")
        self._late: Future[bool] | None = None

    def allows(self, authorization: str) -> bool:
        """Return whether the key is active, or none is needed."""
        if self._late is not None and not self._late.done():
            return False
        self._late = self._thread.submit(self._ask, authorization)
        try:
            return self._late.result(KEY_S)
        except (TimeoutError, ExemplarError):  # the record is slow or unavailable
            return False

    def _ask(self, authorization: str) -> bool:
        kind, _, key = authorization.partition(" ")
        if kind.lower() == "bearer":
            return self._keys.active(key.strip()) is not None
        return not self._needs_key and not self._keys.any_active()


def _spool_into(data: Path) -> None:
    """Buffer bodies that are too large for memory on the data folder's disk, not in a small `/tmp`."""
    folder = data.resolve() / "spool"
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(folder)
