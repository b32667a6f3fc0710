"""A clock that is set back: leases that would last for an hour, and signs of life from the future."""

from __future__ import annotations

from enrolling import ask, claim
from sqlalchemy import select, update
from tiny import DEFAULT

from core.settings import Settings
from store import tables as t
from store.clock import now_s
from store.store import Store
from store.work.workers import Worker

HOUR_S = 3600.0


def set_back(store: Store, *columns: object) -> None:
    """Let the clock go back an hour: what was written before stands in the future now."""
    with store.database.write() as connection:
        for column in columns:
            connection.execute(update(column.table).values({column.name: column + HOUR_S}))  # type: ignore[attr-defined]


def test_lease_that_ends_later_than_any_can_has_run_out(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things, owner="dead:1")
    assert things.chunks.sweep() == 0
    set_back(things, t.chunk.c.lease_until)
    assert things.chunks.sweep() == 1
    [again] = claim(things, owner="living:1")
    assert (again.job_id, again.items) == (chunk.job_id, chunk.items)


def test_worker_that_holds_a_chunk_renews_its_lease_by_the_new_clock(
    things: Store, settings: Settings
) -> None:
    ask(things, 1)
    claim(things, owner="living:1")
    set_back(things, t.chunk.c.lease_until)
    assert things.chunks.renew("living:1") == 1
    assert things.chunks.sweep() == 0
    with things.database.read() as connection:
        left_s = connection.execute(select(t.chunk.c.lease_until - now_s())).scalar_one()
    assert 0 < left_s <= settings.lease_s


def test_sign_of_life_from_the_future_is_none(things: Store) -> None:
    things.workers.beat(Worker("w", "w:1", (DEFAULT,), "cpu"))
    assert [worker.name for worker in things.workers.alive()] == ["w"]
    set_back(things, t.worker.c.beat_at)
    assert things.workers.alive() == []
