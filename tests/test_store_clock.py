"""A clock that is set back: leases that would last for an hour, and heartbeats from the future."""

from __future__ import annotations

import pytest
from enrolling import ask, claim, settle, submit
from sqlalchemy import select, update
from tiny import DEFAULT

from core.jobs import Item, JobKind, Lane, Source
from core.settings import Settings
from store import tables as t
from store.clock import now_s
from store.erasure.targets import Wanted
from store.store import Store
from store.work.deliveries import Outcome
from store.work.workers import Worker

HOUR_S = 3600.0


def set_back(store: Store, *columns: object) -> None:
    """Set the clock back an hour: earlier times are in the future now."""
    with store.database.write() as connection:
        for column in columns:
            connection.execute(update(column.table).values({column.name: column + HOUR_S}))  # type: ignore[attr-defined]


def test_lease_that_ends_later_than_any_can_has_run_out(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things, owner="dead:1")
    assert things.chunks.sweep() == 0
    set_back(things, t.chunk.c.lease_until)
    assert things.chunks.sweep() == 1
    [again] = claim(things, owner="active:1")
    assert (again.job_id, again.items) == (chunk.job_id, chunk.items)


def test_worker_that_holds_a_chunk_renews_its_lease_by_the_new_clock(
    things: Store, settings: Settings
) -> None:
    ask(things, 1)
    claim(things, owner="active:1")
    set_back(things, t.chunk.c.lease_until)
    assert things.chunks.renew("active:1") == 1
    assert things.chunks.sweep() == 0
    with things.database.read() as connection:
        left_s = connection.execute(select(t.chunk.c.lease_until - now_s())).scalar_one()
    assert 0 < left_s <= settings.lease_s


def test_sign_of_life_from_the_future_is_none(things: Store) -> None:
    things.workers.beat(Worker("w", "w:1", (DEFAULT,), "cpu"))
    assert [worker.name for worker in things.workers.alive()] == ["w"]
    set_back(things, t.worker.c.beat_at)
    assert things.workers.alive() == []


@pytest.fixture
def answered(things: Store) -> str:
    """A job with a webhook whose pictures are answered, and that waits to be smoothed."""
    job = ask(things, 1, lane=Lane.BULK, smooth=True, webhook="https://example.org/")
    [chunk] = claim(things)
    assert settle(things, chunk)
    return job


def test_every_table_with_leases_is_tested_here() -> None:
    leased = {table.name for table in t.metadata.tables.values() if "lease_until" in table.c}
    assert leased == {"chunk", "source", "smoothing", "delivery", "erasure"}


def test_lease_on_a_fetch_that_ends_later_than_any_can_has_run_out(things: Store) -> None:
    submit(things, Item(0, place="https://example.org/a.png"), kind=JobKind.CLASSIFY)
    assert things.fetches.claim("dead:1", Lane.INTERACTIVE) is not None
    assert things.fetches.claim("active:1", Lane.INTERACTIVE) is None
    set_back(things, t.chunk.c.lease_until)
    assert things.fetches.claim("active:1", Lane.INTERACTIVE) is not None


def test_lease_on_a_source_that_ends_later_than_any_can_has_run_out(things: Store) -> None:
    submit(things, kind=JobKind.CLASSIFY, lane=Lane.BULK, source=Source(archive="a" * 64))
    assert len(things.sources.hold("dead:1", 1)) == 1
    assert things.sources.hold("active:1", 1) == []
    set_back(things, t.source.c.lease_until)
    assert len(things.sources.hold("active:1", 1)) == 1


def test_lease_on_a_smoothing_that_ends_later_than_any_can_has_run_out(things: Store, answered: str) -> None:
    assert things.smoothings.claim("dead:1") is not None
    assert things.smoothings.claim("active:1") is None
    set_back(things, t.smoothing.c.lease_until)
    held = things.smoothings.claim("active:1")
    assert held is not None and held.job_id == answered


def test_lease_on_a_delivery_that_ends_later_than_any_can_has_run_out(things: Store, answered: str) -> None:
    end(things, answered)
    assert len(things.deliveries.claim("dead:1", 1)) == 1
    assert things.deliveries.claim("active:1", 1) == []
    set_back(things, t.delivery.c.lease_until, t.delivery.c.due_at)
    [delivery] = things.deliveries.claim("active:1", 1)
    assert delivery.attempts == 2


def test_lease_on_an_erasure_that_ends_later_than_any_can_has_run_out(things: Store) -> None:
    begun = things.erasures.begin(Wanted(external_id="x"), ["things"], key_id="local", request_id=None)
    assert things.erasures.claim("dead:1") is not None
    assert things.erasures.claim("active:1") is None
    set_back(things, t.erasure.c.lease_until)
    held = things.erasures.claim("active:1")
    assert held is not None and held.id == begun.id


def test_next_call_of_a_webhook_waits_no_longer_than_its_schedule(things: Store, answered: str) -> None:
    end(things, answered)
    [delivery] = things.deliveries.claim("w:1", 1)
    assert things.deliveries.settle("w:1", delivery, Outcome(1.0, status=500))
    assert things.deliveries.claim("w:1", 1) == []
    set_back(things, t.delivery.c.due_at)
    assert len(things.deliveries.claim("w:1", 1)) == 1


def end(store: Store, job: str) -> None:
    """End a job without smoothing, and create its delivery."""
    assert store.smoothings.claim("w:1") is not None
    assert store.smoothings.finish("w:1", job, store.smoothings.chunks(job))
    assert store.deliveries.announce() == 1


def test_work_that_was_queued_before_the_clock_was_set_back_is_claimed(things: Store) -> None:
    ask(things, 2)
    set_back(things, t.chunk.c.queued_at)
    assert len(claim(things)) == 2


def test_deferred_work_waits_no_longer_than_any_can(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things)
    things.chunks.defer("w:1", chunk, 60)
    assert claim(things) == []
    set_back(things, *3 * [t.chunk.c.queued_at])
    assert len(claim(things)) == 1


def test_metrics_from_the_future_are_none(things: Store) -> None:
    things.workers.beat(Worker("w", "w:1", (DEFAULT,), "cpu"), metrics="up 1")
    assert things.workers.metrics() == {"w": "up 1"}
    set_back(things, t.worker.c.beat_at)
    assert things.workers.metrics() == {}
