"""A real HTTP server on loopback whose paths give pictures, or play tricks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = bytes | Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Pictures:
    """The content of each path: the bytes of a picture, or a function that answers."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)

    def at(self, path: str, answer: Answer) -> str:
        """Serve content at a path and return its URL."""
        self.answers[path] = answer
        return self.url + path


def status(code: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with a status, and with headers."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, text in {"Content-Length": "0", **headers}.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.end_headers()

    return answer


def in_turn(*answers: Answer) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer each request with the next of these."""
    left = list(answers)
    return lambda handler: _give(handler, left.pop(0))


def _give(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    if callable(answer):
        answer(handler)
        return
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")  # the media type must not matter
    handler.send_header("Content-Length", str(len(answer)))
    handler.end_headers()
    handler.wfile.write(answer)


@contextmanager
def serving() -> Iterator[Pictures]:
    """Serve until closed."""
    pictures = Pictures()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            pictures.asked[path] += 1
            _give(self, pictures.answers.get(path, status(404)))

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    pictures.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield pictures
    finally:
        server.shutdown()
        server.server_close()
