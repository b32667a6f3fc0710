"""`/readyz` reports the state of record, disk, blobs, queue and workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import httpx
import pytest
import redis
from sqlalchemy import text
from structlog.testing import capture_logs
from tiny import DEFAULT

from api.app import create_app
from api.readiness import check_workers
from core.errors import ExemplarError
from core.jobs import Lane
from core.settings import Settings
from store.migrate import HEAD
from store.store import Store
from store.work.chunks import Waiting
from store.work.workers import Worker

pytestmark = pytest.mark.processes

OTHER = "timm:resnet18"


def worker(*encoders: str, idle_s: float = 0.0, lanes: Sequence[Lane] = tuple(Lane)) -> Worker:
    return Worker("w", "w:a", encoders, "cpu", lanes, idle_s=idle_s)


def waiting(encoder: str, oldest_s: float) -> Waiting:
    return Waiting(encoder, Lane.BULK, 1, 1, oldest_s)


@pytest.mark.parametrize(
    ("alive", "queued", "code"),
    [
        ([], [], "no_worker"),
        ([worker(DEFAULT)], [waiting(DEFAULT, 300)], None),  # it makes progress, there is much to do
        ([worker(DEFAULT, idle_s=300)], [], None),  # there is nothing to do
        ([worker(DEFAULT, idle_s=300)], [waiting(DEFAULT, 30)], None),  # the work may have just arrived
        ([worker(DEFAULT, idle_s=300)], [waiting(DEFAULT, 300)], "work_stalled"),
        ([worker(DEFAULT, idle_s=300), worker(DEFAULT)], [waiting(DEFAULT, 300)], None),
        ([worker(DEFAULT, idle_s=300), worker(OTHER)], [waiting(DEFAULT, 300)], "work_stalled"),
        ([worker(DEFAULT)], [waiting(OTHER, 30)], "work_unserved"),
        ([worker(DEFAULT)], [waiting(OTHER, 3)], None),
        ([worker(DEFAULT, lanes=[Lane.INTERACTIVE])], [waiting(DEFAULT, 30)], "work_unserved"),
    ],
)
def test_workers_are_fit_where_they_get_on_with_what_waits(
    alive: list[Worker], queued: list[Waiting], code: str | None
) -> None:
    if code is None:
        check_workers(alive, queued, stall_s=60)
        return
    with pytest.raises(ExemplarError) as caught:
        check_workers(alive, queued, stall_s=60)
    assert caught.value.code == code


@pytest.fixture
def manned(local: httpx.Client, store: Store) -> httpx.Client:
    store.workers.beat(worker(DEFAULT))
    return local


def found(client: httpx.Client) -> dict[str, str]:
    response = client.get("/readyz")
    checks = response.json()["checks"]
    assert (response.status_code == 200) == (set(checks.values()) == {"ok"})
    return {what: code for what, code in checks.items() if code != "ok"}


def test_service_is_ready_where_all_is_well(manned: httpx.Client) -> None:
    assert found(manned) == {}


def test_service_without_workers_is_not_ready(local: httpx.Client) -> None:
    assert found(local) == {"workers": "no_worker"}


def set_migration(store: Store, version: str) -> None:
    with store.database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_record_that_was_not_migrated_is_not_ready(manned: httpx.Client, store: Store) -> None:
    set_migration(store, "0001")
    assert found(manned) == {"record": "record_not_migrated"}
    set_migration(store, HEAD)  # the following tests use the same record
    assert found(manned) == {}


@pytest.fixture
def full_redis(redis_url: str) -> Iterator[None]:
    """Redis answers, and refuses writes."""
    with redis.Redis.from_url(redis_url) as connection:
        connection.config_set("maxmemory", "1")
        connection.config_set("maxmemory-policy", "noeviction")
        yield
        connection.config_set("maxmemory", "0")


def test_redis_that_refuses_writes_is_not_ready(manned: httpx.Client, full_redis: None) -> None:
    assert found(manned) == {"queue": "queue_unavailable"}


def test_disk_that_is_nearly_full_is_not_ready(settings: Settings, store: Store) -> None:
    store.workers.beat(worker(DEFAULT))
    crowded = settings.model_copy(update={"min_free_bytes": 1 << 60})
    app = create_app(crowded, store, needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        assert found(client) == {"disk": "disk_full"}


def test_what_changes_is_logged_once(local: httpx.Client, store: Store) -> None:
    with capture_logs() as lines:
        for _ in range(3):
            local.get("/readyz")
        store.workers.beat(worker(DEFAULT))
        local.get("/readyz")
    logged = [(line["what"], line["found"]) for line in lines if line["event"] == "readiness"]
    assert logged == [("workers", "no_worker"), ("workers", "ok")]
