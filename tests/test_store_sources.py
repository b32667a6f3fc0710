"""Sources on both databases: held by one worker, read once, and a job that ends when all has been read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from enrolling import OWNER, claim, settle

from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobRequest, JobState, Lane, Source
from store import tables as t
from store.store import Store
from store.work.jobs import new_job_id
from store.work.leases import Lease


def submit(store: Store, kind: JobKind = JobKind.CLASSIFY) -> str:
    request = JobRequest("things", kind, Lane.BULK, (), source=Source(archive="a" * 64, label="cat"))
    return store.jobs.submit(new_job_id(), request).job.id


def items(start: int, count: int) -> list[Item]:
    return [Item(start + n, f"{start + n:064x}", "cat") for n in range(count)]


def feed(store: Store, job: str, passed: int, count: int, *, last: bool = False, owner: str = OWNER) -> bool:
    return store.sources.feed(owner, job, passed, items(passed, count), last=last)


def work(store: Store) -> int:
    done = 0
    while chunks := claim(store, 1000):
        for chunk in chunks:
            assert settle(store, chunk)
            done += len(chunk.items)
    return done


def test_source_is_held_by_one(things: Store) -> None:
    job = submit(things)
    [held] = things.sources.hold(OWNER, 4)
    assert (held.job_id, held.position, held.attempts, held.unsettled) == (job, 0, 1, 0)
    assert held.source == Source(archive="a" * 64, label="cat")
    assert things.sources.hold("v:2", 4) == []
    assert [again.attempts for again in things.sources.hold(OWNER, 4)] == [1]


def test_no_more_sources_are_held_than_asked_for(things: Store) -> None:
    jobs = [submit(things) for _ in range(3)]
    assert [held.job_id for held in things.sources.hold(OWNER, 2)] == jobs[:2]
    assert [held.job_id for held in things.sources.hold("v:2", 2)] == jobs[2:]


def test_job_grows_and_ends_once_all_is_read_and_settled(things: Store) -> None:
    job = submit(things)
    things.sources.hold(OWNER, 4)
    assert feed(things, job, 0, 100)
    assert (things.jobs.get(job).total, things.jobs.get(job).expanding) == (100, True)
    assert work(things) == 100
    assert things.jobs.get(job).state is JobState.RUNNING
    assert feed(things, job, 100, 30, last=True)
    assert not things.jobs.get(job).expanding
    assert work(things) == 30
    assert things.jobs.get(job).state is JobState.SUCCEEDED
    assert things.sources.hold(OWNER, 4) == []


def test_job_ends_with_its_source_where_all_is_settled(things: Store) -> None:
    job = submit(things)
    things.sources.hold(OWNER, 4)
    feed(things, job, 0, 3)
    [chunk] = claim(things, 10)
    settle(things, chunk, failing=[1])
    assert feed(things, job, 3, 0, last=True)
    assert things.jobs.get(job).state is JobState.PARTIAL
    assert things.jobs.get(job).finished_at is not None


def test_same_entries_are_fed_once(things: Store) -> None:
    job = submit(things)
    things.sources.hold(OWNER, 4)
    assert feed(things, job, 0, 10)
    assert not feed(things, job, 0, 10)
    assert not feed(things, job, 20, 10)
    assert things.jobs.get(job).total == 10


def test_who_lost_the_lease_feeds_nothing(things: Store) -> None:
    job = submit(things)
    things.sources.hold("w:earlier", 4)
    things.sources.expire_leases("w")
    [held] = things.sources.hold("v:2", 4)
    assert held.attempts == 2
    assert not feed(things, job, 0, 10, owner="w:earlier")
    assert feed(things, job, 0, 10, owner="v:2")
    assert [held.attempts for held in things.sources.hold("v:2", 4)] == [0]


def test_lease_runs_out_unless_it_is_renewed(things: Store) -> None:
    submit(things)
    things.sources._lease = Lease(t.source, -1.0)
    things.sources.hold("w:1", 4)
    things.sources._lease = Lease(t.source, 60.0)
    assert things.sources.renew("w:1") == 1
    assert things.sources.hold("v:2", 4) == []
    things.sources._lease = Lease(t.source, -1.0)
    things.sources.renew("w:1")
    assert len(things.sources.hold("v:2", 4)) == 1


def test_released_source_counts_no_attempt_and_a_failed_one_does(things: Store) -> None:
    job = submit(things)
    things.sources.hold("w:1", 4)
    things.sources.release("w:1")
    [held] = things.sources.hold("w:2", 4)
    assert held.attempts == 1
    things.sources.fail_attempt("w:2", job, "on fire")
    [held] = things.sources.hold("w:3", 4)
    assert (held.attempts, held.reason) == (2, "on fire")


def test_cancelled_job_is_read_no_further(things: Store) -> None:
    job = submit(things)
    things.sources.hold(OWNER, 4)
    feed(things, job, 0, 10)
    things.control.cancel(job)
    assert not feed(things, job, 10, 10)
    assert things.sources.hold(OWNER, 4) == []
    assert not things.jobs.get(job).expanding


def test_what_is_fed_into_a_paused_job_waits(things: Store) -> None:
    job = submit(things)
    things.sources.hold(OWNER, 4)
    things.control.pause(job)
    assert [held.paused for held in things.sources.hold(OWNER, 4)] == [True]
    assert feed(things, job, 0, 10, last=True)
    assert work(things) == 0
    things.control.resume(job)
    assert work(things) == 10
    assert things.jobs.get(job).state is JobState.SUCCEEDED


def test_results_of_a_growing_job_go_on(things: Store) -> None:
    job = submit(things)
    things.sources.hold(OWNER, 4)
    feed(things, job, 0, 10)
    work(things)
    page = things.jobs.results(job, limit=100)
    assert (len(page.results), page.next_item) == (10, 10)
    feed(things, job, 10, 5, last=True)
    work(things)
    page = things.jobs.results(job, after=10, limit=100)
    assert (len(page.results), page.next_item) == (5, None)


def test_too_many_bulk_jobs_are_refused(things: Store) -> None:
    things.jobs._limits = replace(things.jobs._limits, max_sources=2)
    submit(things)
    submit(things)
    with pytest.raises(ExemplarError) as caught:
        submit(things)
    assert (caught.value.code, caught.value.retry) == ("queue_full", True)


def test_removed_job_takes_its_source_along(things: Store) -> None:
    job = submit(things)
    things.jobs.remove([job])
    assert things.sources.hold(OWNER, 4) == []
