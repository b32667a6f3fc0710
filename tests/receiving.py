"""A real HTTP server on loopback that records requests and sends prepared answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from core.settings import Settings

SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0wMTIzNDU2Nzg5"
ALLOWED = {"webhooks": ("127.0.0.1", "localhost"), "webhook_private": True, "webhook_secret": SECRET}


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Received requests, and the answers: statuses, or a function that answers."""

    url: str = ""
    statuses: list[int | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    requests: list[Received] = field(default_factory=list)

    def wait(self, count: int, timeout_s: float = 100.0) -> None:
        """Wait until so many requests have arrived."""
        until = time.monotonic() + timeout_s
        while len(self.requests) < count:
            assert time.monotonic() < until, f"{len(self.requests)} of {count} requests came"
            time.sleep(0.02)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve until closed; answers 204 once the statuses are used up."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append(Received(self.path, headers, body))
            status = receiver.statuses.pop(0) if receiver.statuses else 204
            if callable(status):
                status(self)
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def allowing(settings: Settings) -> Settings:
    """Return settings under which loopback may be called."""
    return Settings.model_validate(settings.model_dump() | ALLOWED)
