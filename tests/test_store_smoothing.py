"""Jobs that end with their smoothing, on both databases: held by one worker, updated, ended once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from enrolling import OWNER, ask, claim

from core.jobs import Chunk, Item, JobKind, JobRequest, JobState, Lane, Source
from store import tables as t
from store.store import Store
from store.work.jobs import new_job_id
from store.work.leases import Lease
from store.work.settlement import Settlement

OTHER = "v:2"


def settle(store: Store, chunk: Chunk, *failing: int) -> None:
    """Settle a chunk like a worker: every picture is ambiguous, some fail."""

    def outcome(item: Item) -> dict[str, Any]:
        if item.index in failing:
            return {"item": item.index, "status": "failed", "error": {"code": "picture_unreadable"}}
        return {"item": item.index, "status": "done", "decision": "ambiguous", "smoothed": False}

    done = any(item.index not in failing for item in chunk.items)
    name = f"{chunk.items[0].index:064x}" if done else None
    assert store.chunks.settle(OWNER, [Settlement(chunk, [outcome(item) for item in chunk.items], name)]) == [
        True
    ]


def answered(store: Store, count: int, *failing: int) -> str:
    """A job to be smoothed whose pictures are all settled, four in a chunk."""
    job = ask(store, count, lane=Lane.BULK, smooth=True)
    for chunk in claim(store):
        settle(store, chunk, *failing)
    return job


@pytest.fixture
def things(things: Store) -> Store:
    things.jobs._limits = replace(things.jobs._limits, chunk_items=4)
    return things


def known(result: Mapping[str, Any]) -> dict[str, Any]:
    return {**result, "decision": "known", "smoothed": True} if result["status"] == "done" else dict(result)


def decisions(store: Store, job: str) -> list[str | None]:
    return [result.get("decision") for result in store.jobs.results(job).results]


def state_of(store: Store, job: str) -> JobState:
    return store.jobs.get(job).state


def test_job_ends_with_its_smoothing(things: Store) -> None:
    job = answered(things, 6)
    found = things.jobs.get(job)
    assert (found.state, found.smooth, found.done, found.finished_at) == (JobState.RUNNING, True, 6, None)
    held = things.smoothings.claim(OWNER)
    assert held is not None and (held.job_id, held.items, held.top, held.attempts) == (job, 6, 5, 1)
    chunks = things.smoothings.chunks(job)
    assert [(c.first_item, c.size, c.name) for c in chunks] == [(0, 4, f"{0:064x}"), (4, 2, f"{4:064x}")]
    assert things.smoothings.write(OWNER, job, chunks, known)
    assert things.smoothings.finish(OWNER, job, chunks)
    found = things.jobs.get(job)
    assert (found.state, found.note) == (JobState.SUCCEEDED, None) and found.finished_at is not None
    assert decisions(things, job) == ["known"] * 6
    assert things.jobs.tally(job)["decisions"] == {"known": 6}
    assert things.smoothings.claim(OWNER) is None


def test_results_go_on_until_the_job_has_ended(things: Store) -> None:
    job = answered(things, 6)
    assert things.jobs.results(job).next_item == 6
    assert things.jobs.results(job, after=6).next_item == 6
    things.smoothings.claim(OWNER)
    things.smoothings.finish(OWNER, job, things.smoothings.chunks(job))
    assert things.jobs.results(job).next_item is None


def test_job_with_pictures_to_come_is_not_smoothed_yet(things: Store) -> None:
    job = ask(things, 8, lane=Lane.BULK, smooth=True)
    first, second = claim(things)
    settle(things, first)
    assert things.smoothings.claim(OWNER) is None
    settle(things, second)
    assert things.smoothings.claim(OWNER) is not None
    assert state_of(things, job) is JobState.RUNNING


@pytest.mark.parametrize("items", [0, 3])
def test_job_that_is_still_read_is_not_smoothed_yet(things: Store, items: int) -> None:
    request = JobRequest(
        "things", JobKind.CLASSIFY, Lane.BULK, (), source=Source(archive="a" * 64), smooth=True
    )
    job = things.jobs.submit(new_job_id(), request).job.id
    things.sources.hold(OWNER, 4)
    things.sources.feed(OWNER, job, 0, [Item(n, f"{n:064x}") for n in range(items)], last=False)
    for chunk in claim(things):
        settle(things, chunk)
    assert things.smoothings.claim(OWNER) is None
    things.sources.feed(OWNER, job, items, [], last=True)
    assert things.jobs.get(job).finished_at is None
    assert things.smoothings.claim(OWNER) is not None
    assert things.smoothings.finish(OWNER, job, things.smoothings.chunks(job))
    assert state_of(things, job) is JobState.SUCCEEDED


def test_job_is_smoothed_by_one_and_by_the_next_when_that_dies(things: Store) -> None:
    job = answered(things, 6)
    chunks = things.smoothings.chunks(job)
    assert things.smoothings.claim(OWNER) is not None
    assert things.smoothings.claim(OTHER) is None
    assert things.smoothings.write(OWNER, job, chunks[:1], known)
    assert things.smoothings.renew(OWNER) == 1 and things.smoothings.renew(OTHER) == 0
    things.smoothings.expire_leases("w")
    held = things.smoothings.claim(OTHER)
    assert held is not None and held.attempts == 2
    assert not things.smoothings.write(OWNER, job, chunks[1:], known)
    assert not things.smoothings.finish(OWNER, job, chunks)
    assert decisions(things, job) == ["known"] * 4 + ["ambiguous"] * 2
    assert things.smoothings.write(OTHER, job, chunks, known)
    assert things.smoothings.finish(OTHER, job, chunks)
    assert decisions(things, job) == ["known"] * 6


def test_lease_that_ran_out_is_no_lease(things: Store) -> None:
    job = answered(things, 2)
    things.smoothings._lease = Lease(t.smoothing, -1.0)
    things.smoothings.claim(OWNER)
    held = things.smoothings.claim(OTHER)
    assert held is not None and (held.job_id, held.attempts) == (job, 2)


def test_release_counts_no_attempt_and_failure_does(things: Store) -> None:
    job = answered(things, 2)
    things.smoothings.claim(OWNER)
    things.smoothings.release(OWNER)
    held = things.smoothings.claim(OWNER)
    assert held is not None and (held.attempts, held.reason) == (1, None)
    things.smoothings.fail_attempt(OWNER, job, "no memory")
    held = things.smoothings.claim(OWNER)
    assert held is not None and (held.attempts, held.reason) == (2, "no memory")


def test_cancelled_job_is_not_written_any_more(things: Store) -> None:
    job = answered(things, 6)
    chunks = things.smoothings.chunks(job)
    things.smoothings.claim(OWNER)
    things.smoothings.write(OWNER, job, chunks[:1], known)
    assert things.control.cancel(job).state is JobState.CANCELLED
    assert not things.smoothings.write(OWNER, job, chunks[1:], known)
    assert not things.smoothings.finish(OWNER, job, chunks)
    assert decisions(things, job) == ["known"] * 4 + ["ambiguous"] * 2
    assert things.jobs.tally(job)["decisions"] == {"known": 4, "ambiguous": 2}
    assert things.smoothings.claim(OWNER) is None


def test_paused_job_is_smoothed_once_it_is_resumed(things: Store) -> None:
    job = answered(things, 2)
    things.control.pause(job)
    assert things.smoothings.claim(OWNER) is None
    assert things.control.resume(job).job.state is JobState.RUNNING
    assert things.smoothings.claim(OWNER) is not None


def test_smoothing_that_was_begun_ends_a_paused_job(things: Store) -> None:
    job = answered(things, 2)
    things.smoothings.claim(OWNER)
    things.control.pause(job)
    assert things.smoothings.finish(OWNER, job, things.smoothings.chunks(job))
    assert state_of(things, job) is JobState.SUCCEEDED


def test_retried_job_is_smoothed_again(things: Store) -> None:
    job = answered(things, 6, 1, 5)
    things.smoothings.claim(OWNER)
    before = things.smoothings.chunks(job)
    things.smoothings.write(OWNER, job, before, known)
    assert things.smoothings.finish(OWNER, job, before, "a note")
    assert (state_of(things, job), things.jobs.get(job).note) == (JobState.PARTIAL, "a note")
    assert things.control.retry(job).job.note is None
    assert things.smoothings.claim(OWNER) is None
    for chunk in claim(things):
        settle(things, chunk)
    after = things.smoothings.chunks(job)
    assert [(c.first_item, c.size, c.name) for c in after] == [
        (0, 1, f"{0:064x}"),
        (1, 1, f"{1:064x}"),
        (2, 2, f"{0:064x}"),
        (4, 1, f"{4:064x}"),
        (5, 1, f"{5:064x}"),
    ]
    assert decisions(things, job) == ["known", "ambiguous", "known", "known", "known", "ambiguous"]
    assert things.smoothings.claim(OWNER) is not None
    assert things.smoothings.write(OWNER, job, after, known)
    assert things.smoothings.finish(OWNER, job, after)
    assert state_of(things, job) is JobState.SUCCEEDED
    assert things.jobs.tally(job)["decisions"] == {"known": 6}


def test_smoothing_of_what_a_retry_has_changed_meanwhile_does_not_end_the_job(things: Store) -> None:
    job = answered(things, 6, 1)
    things.smoothings.claim(OWNER)
    before = things.smoothings.chunks(job)
    assert things.smoothings.finish(OWNER, job, before)
    things.control.retry(job)
    for chunk in claim(things):
        settle(things, chunk)
    things.smoothings.claim(OWNER)
    assert not things.smoothings.finish(OWNER, job, before)
    assert state_of(things, job) is JobState.RUNNING
    assert things.smoothings.claim(OTHER) is not None


def test_job_of_which_all_failed_ends_as_failed(things: Store) -> None:
    job = answered(things, 2, 0, 1)
    things.smoothings.claim(OWNER)
    assert [chunk.name for chunk in things.smoothings.chunks(job)] == [None]
    assert things.smoothings.finish(OWNER, job, things.smoothings.chunks(job))
    assert state_of(things, job) is JobState.FAILED


def test_job_without_smoothing_ends_as_ever(things: Store) -> None:
    job = ask(things, 2, lane=Lane.BULK)
    [chunk] = claim(things)
    settle(things, chunk)
    assert (state_of(things, job), things.jobs.get(job).smooth) == (JobState.SUCCEEDED, False)
    assert things.smoothings.claim(OWNER) is None


def test_removed_job_leaves_nothing_to_smooth(things: Store) -> None:
    job = answered(things, 2)
    things.jobs.remove([job])
    assert things.smoothings.claim(OWNER) is None
