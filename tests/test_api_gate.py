"""Who may send a large body is decided quickly even if the record is slow: one thread reads all clients."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from waitress.adjustments import Adjustments

from api import serve
from api.serve import parser_for
from core.errors import ExemplarError
from core.settings import Settings
from store.record.keys import Scope
from store.store import Store

HEAD = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n"
BULK = b"/v1/collections/a/bulk?kind=classify"


class Stuck:
    """The keys of a record that does not answer until it is released."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.asked = 0

    def any_active(self) -> bool:
        self.asked += 1
        self.free.wait()
        raise ExemplarError("record_unavailable", "away", retry=True)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    keys = Stuck()
    yield keys
    keys.free.set()


def most_after(parser_class: type, *headers: bytes, path: bytes = BULK) -> int:
    """Return the largest body that is accepted after a header."""
    parser = parser_class(Adjustments(max_request_body_size=100_000_000))
    parser.received(HEAD % path + b"".join(line + b"\r\n" for line in headers) + b"\r\n")
    return int(parser.adj.max_request_body_size)


def test_large_body_is_for_those_with_a_key(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "KEY_S", 100)
    settings = Settings(max_body_bytes=1000)
    parser = parser_for(settings, store.keys, needs_key=False)
    assert most_after(parser) == 100_000_000
    key = store.keys.create("k", [Scope.CLASSIFY]).encode()
    assert most_after(parser) == 1001
    assert most_after(parser, b"Authorization: Bearer " + key) == 100_000_000
    assert most_after(parser, b"Authorization: Bearer ex_0_wrong") == 1001


@pytest.mark.parametrize("path", [BULK, b"/v1/import", b"/v1/import?name=b"])
def test_bulk_upload_and_import_may_be_large(store: Store, path: bytes) -> None:
    parser = parser_for(Settings(max_body_bytes=1000), store.keys, needs_key=False)
    assert most_after(parser, path=path) == 100_000_000


@pytest.mark.parametrize("path", [b"/v1/imports", b"/v1/collections/a/enroll", b"/v1/jobs", b"/"])
def test_other_bodies_are_small(store: Store, path: bytes) -> None:
    parser = parser_for(Settings(max_body_bytes=1000), store.keys, needs_key=False)
    assert most_after(parser, path=path) == 1001


def test_unresponsive_record_delays_requests_only_briefly(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits for its time limit, and until its answer comes the others do not wait at all."""
    parser = parser_for(Settings(max_body_bytes=1000), stuck, needs_key=False)  # type: ignore[arg-type]
    for wait_s in (0.05, *[3600.0] * 20):
        monkeypatch.setattr(serve, "KEY_S", wait_s)
        assert most_after(parser) == 1001
    assert stuck.asked == 1
