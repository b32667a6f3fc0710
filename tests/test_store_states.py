"""States: the table of transitions is what the store does, and what it refuses, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from enrolling import OWNER, ask, claim, items_of, settle, vector
from sqlalchemy import select, text, update

from core.jobs import FINAL, ChunkState, Item, JobKind, JobRequest, JobState, Lane, Source
from store import tables as t
from store.record.enrolment import Enrolment
from store.store import Store
from store.work.jobs import new_job_id
from store.work.states import (
    CHUNK_TRANSITIONS,
    FINAL_CHUNK,
    JOB_TRANSITIONS,
    change_chunks,
    change_jobs,
    final_state,
    waiting_state,
)

NOTE_CHANGES = {
    "sqlite": (
        "CREATE TRIGGER note_{0} AFTER UPDATE OF state ON {0} WHEN OLD.state <> NEW.state "
        "BEGIN INSERT INTO state_change VALUES ('{0}', OLD.state, NEW.state); END"
    ),
    "postgresql": (
        "CREATE FUNCTION note_{0}() RETURNS trigger AS $$ BEGIN INSERT INTO state_change "
        "VALUES ('{0}', OLD.state, NEW.state); RETURN NEW; END $$ LANGUAGE plpgsql; "
        "CREATE TRIGGER note_{0} AFTER UPDATE OF state ON {0} FOR EACH ROW "
        "WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION note_{0}()"
    ),
}
FORGET_CHANGES = {
    "sqlite": "DROP TRIGGER note_{0}",
    "postgresql": "DROP TRIGGER note_{0} ON {0}; DROP FUNCTION note_{0}",
}


class Changes:
    """The state changes that the database saw."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, table: str) -> set[tuple[str, str]]:
        statement = text("SELECT old_state, new_state FROM state_change WHERE table_name = :table")
        with self._store.database.read() as connection:
            return {(row[0], row[1]) for row in connection.execute(statement, {"table": table})}


@pytest.fixture
def changes(things: Store) -> Iterator[Changes]:
    """Every state change from now on, recorded by triggers."""
    name = "sqlite" if things.database.is_sqlite else "postgresql"
    with things.database.write() as connection:
        connection.execute(
            text("CREATE TABLE state_change (table_name TEXT, old_state TEXT, new_state TEXT)")
        )
        for table in ("job", "chunk"):
            connection.execute(text(NOTE_CHANGES[name].format(table)))
    yield Changes(things)
    with things.database.write() as connection:
        for table in ("job", "chunk"):
            connection.execute(text(FORGET_CHANGES[name].format(table)))
        connection.execute(text("DROP TABLE state_change"))


def bulk(store: Store, kind: JobKind = JobKind.CLASSIFY) -> str:
    """Submit a job with a source, held by OWNER."""
    request = JobRequest("things", kind, Lane.BULK, (), source=Source(archive="a" * 64))
    job = store.jobs.submit(new_job_id(), request).job.id
    store.sources.hold(OWNER, 9)
    return job


def partial(store: Store, failing: tuple[int, ...] = (1,)) -> str:
    """End a job of two pictures in one chunk, with some of them failed."""
    job = ask(store, 2, lane=Lane.BULK)
    for chunk in claim(store):
        assert settle(store, chunk, failing=failing)
    return job


def test_every_state_is_in_its_table_and_final_ones_lead_nowhere() -> None:
    assert set(JOB_TRANSITIONS) == set(JobState) and set(CHUNK_TRANSITIONS) == set(ChunkState)
    assert {state for state, after in CHUNK_TRANSITIONS.items() if not after} == FINAL_CHUNK
    assert {state for state in FINAL if not JOB_TRANSITIONS[state]} == {
        JobState.SUCCEEDED,
        JobState.CANCELLED,
    }
    assert JOB_TRANSITIONS[JobState.PARTIAL] == JOB_TRANSITIONS[JobState.FAILED] == {JobState.PAUSED}


def test_chunk_waits_as_its_job_does() -> None:
    waiting = {state: waiting_state(state) for state in JobState}
    assert waiting.pop(JobState.PAUSED) is ChunkState.PAUSED
    assert waiting.pop(JobState.CANCELLED) is ChunkState.CANCELLED
    assert set(waiting.values()) == {ChunkState.QUEUED}


@pytest.mark.parametrize(
    ("done", "failed", "state"),
    [
        (0, 0, JobState.SUCCEEDED),
        (2, 0, JobState.SUCCEEDED),
        (1, 1, JobState.PARTIAL),
        (0, 2, JobState.FAILED),
    ],
)
def test_job_ends_as_its_items_did(done: int, failed: int, state: str) -> None:
    assert final_state(done, failed) is JobState(state)


def test_job_changes_only_as_the_table_allows(things: Store) -> None:
    job = ask(things, 1)
    of_job = t.job.c.id == job
    for before, after in product(JobState, JobState):
        with things.database.write() as connection:
            connection.execute(update(t.job).where(of_job).values(state=before))
            changed = change_jobs(connection, of_job, after, note="changed")
            found = connection.execute(select(t.job.c.state).where(of_job)).scalar_one()
        allowed = after in JOB_TRANSITIONS[before]
        assert (changed, found) == (int(allowed), after if allowed else before), (before, after)


def test_chunk_changes_only_as_the_table_allows(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things)
    of_chunk = t.chunk.c.id == chunk.id
    for before, after in product(ChunkState, ChunkState):
        with things.database.write() as connection:
            connection.execute(update(t.chunk).where(of_chunk).values(state=before))
            changed = change_chunks(connection, of_chunk, after)
            found = connection.execute(select(t.chunk.c.state).where(of_chunk)).scalar_one()
        allowed = after in CHUNK_TRANSITIONS[before]
        assert (changed, found) == (int(allowed), after if allowed else before), (before, after)


def test_store_makes_every_transition_of_the_tables_and_no_other(things: Store, changes: Changes) -> None:
    _end_jobs(things)
    _halt_jobs(things)
    _retry_jobs(things)
    _read_sources(things)
    made = {(before.value, after.value) for before, ways in JOB_TRANSITIONS.items() for after in ways}
    assert changes.of("job") == made
    made = {(before.value, after.value) for before, ways in CHUNK_TRANSITIONS.items() for after in ways}
    assert changes.of("chunk") == made


def _end_jobs(store: Store) -> None:
    """From running and from paused to each end."""
    for failing in ((), (1,), (0, 1)):
        partial(store, failing)
        job = ask(store, 2, lane=Lane.BULK)
        [chunk] = claim(store)
        store.control.pause(job)
        assert settle(store, chunk, failing=failing)


def _halt_jobs(store: Store) -> None:
    """Pause, resume and cancel before and after the first claim; chunks are requeued meanwhile."""
    job = ask(store, 1)
    store.control.pause(job)
    store.control.resume(job)
    store.control.cancel(job)
    job = ask(store, 1)
    store.control.pause(job)
    store.control.cancel(job)
    job = ask(store, 1)
    [chunk] = claim(store)
    store.chunks.requeue(OWNER, [chunk])
    [chunk] = claim(store)
    store.control.pause(job)
    store.chunks.requeue(OWNER, [chunk])
    store.control.resume(job)
    [chunk] = claim(store)
    store.control.cancel(job)
    store.chunks.requeue(OWNER, [chunk])


def _retry_jobs(store: Store) -> None:
    """Retry what failed, and cancel it while it is queued, and while it is paused."""
    for failing in ((1,), (0, 1)):
        job = partial(store, failing)
        store.control.retry(job)
        store.control.cancel(job)
        assert items_of(store, job) == [0, 1]
    job = partial(store)
    store.control.retry(job)
    store.control.pause(job)
    store.control.cancel(job)


def _read_sources(store: Store) -> None:
    """End jobs of which no worker has claimed anything."""
    store.sources.feed(OWNER, bulk(store), 0, [], last=True)
    refused = Item(0, problem={"code": "picture_empty", "detail": "no bytes"})
    good = Enrolment(Item(1, "aa", "cat"), vector(1), "t")
    store.imports.settle(OWNER, bulk(store, JobKind.IMPORT), 0, [refused], last=True)
    store.imports.settle(OWNER, bulk(store, JobKind.IMPORT), 0, [refused, good], last=True)
