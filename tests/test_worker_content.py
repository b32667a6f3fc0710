"""Remote pictures: transient errors are retried, permanent ones fail one item."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.exceptions import FSTimeoutError
from fsspec.spec import AbstractFileSystem

from core.errors import ExemplarError
from core.jobs import Chunk, Item, JobKind
from core.settings import Settings
from store.store import Store, open_store
from worker.content import read_content

URL = "faulty://bucket/1.jpg"


class Faulty(AbstractFileSystem):
    """A file system whose objects cannot be read, with the error that a test sets."""

    protocol = "faulty"
    cachable = False
    fault: ClassVar[Exception] = OSError()

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        raise self.fault


fsspec.register_implementation("faulty", Faulty, clobber=True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store whose blobs are used, and whose record is not."""
    return open_store(Settings(data=tmp_path / "data"))


class ServerAnsweredError(Exception):
    """As aiohttp, gcsfs and azure raise them."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class BotoError(Exception):
    """As botocore raises them."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


class EndpointConnectionError(Exception):
    """Like botocore's error of that name, which shares no base class with any other."""


def chunk_of(item: Item) -> Chunk:
    return Chunk(1, "0" * 32, 1, JobKind.CLASSIFY, (item,), 5, 0, 0, 1)


def error_of(store: Store, place: str) -> ExemplarError:
    settings = Settings(remote_prefixes=("faulty://bucket/",))
    item = Item(0, place=place)
    with pytest.raises(ExemplarError) as caught:
        read_content(store, settings, chunk_of(item), item)
    return caught.value


@pytest.mark.parametrize(
    "fault",
    [
        TimeoutError(),
        FSTimeoutError(),
        ConnectionResetError(),
        ConnectionRefusedError(),
        OSError(errno.EIO, "InternalError"),
        OSError(errno.EBUSY, "SlowDown"),
        OSError("no number"),
        ServerAnsweredError(500),
        ServerAnsweredError(503),
        ServerAnsweredError(429),
        BotoError(503),
        EndpointConnectionError(),
    ],
)
def test_fault_that_may_pass_is_no_verdict_on_the_picture(
    store: Store, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "fault", fault)
    error = error_of(store, URL)
    assert (error.code, error.retry) == ("remote_unavailable", True)


@pytest.mark.parametrize(
    "fault",
    [
        FileNotFoundError(),
        PermissionError(),
        IsADirectoryError(errno.EISDIR, "a folder"),
        OSError(errno.EINVAL, "InvalidRange"),
        ServerAnsweredError(403),
        ServerAnsweredError(404),
        BotoError(404),
        ValueError("no such bucket name"),
        RuntimeError(),
    ],
)
def test_object_that_is_not_there_or_denied_fails_for_good(
    store: Store, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Faulty, "fault", fault)
    error = error_of(store, URL)
    assert (error.code, error.retry) == ("picture_unreadable", False)


@pytest.mark.parametrize(
    "place",
    [
        "pack:x",
        "pack:",
        "pack:a:b:c:d",
        "pack:" + "a" * 64 + ":x:y",
        "",
        ":",
        "x",
        "faulty",
        "file:",
        "file:\0",
    ],
)
def test_place_that_makes_no_sense_fails_alone(store: Store, place: str) -> None:
    error = error_of(store, place)
    assert not error.retry
