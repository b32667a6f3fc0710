"""Control: jobs paused, resumed, cancelled and retried, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from enrolling import ask, claim, enroll, items_of, settle, submit
from sqlalchemy import update
from tiny import DEFAULT

from core.errors import ExemplarError
from core.jobs import Chunk, Item, JobKind, JobState, Lane
from store import tables as t
from store.store import Store
from store.work import claims, control
from store.work.settlement import Settlement


def code_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(ExemplarError) as caught:
        call(*arguments)
    return caught.value.code


def state_of(store: Store, job: str) -> JobState:
    return store.jobs.get(job).state


def fail(store: Store, chunk: Chunk, *indices: int) -> None:
    assert settle(store, chunk, failing=indices)


def done_in(store: Store, job: str) -> list[int]:
    return [r["item"] for r in store.jobs.results(job, limit=10_000).results if r["status"] == "done"]


def test_paused_work_is_not_claimed_and_continues_when_resumed(things: Store) -> None:
    job = ask(things, 3)
    assert things.control.pause(job).state is JobState.PAUSED
    assert claim(things) == []
    assert things.chunks.waiting() == []  # so no wake-up is repeated for it, and no worker counts as stalled
    revived = things.control.resume(job)
    assert (revived.job.state, revived.encoder) == (JobState.QUEUED, DEFAULT)
    assert len(claim(things)) == 3


def test_job_that_had_begun_is_running_when_resumed(things: Store) -> None:
    job = ask(things, 3)
    claim(things, items=1)
    things.control.pause(job)
    begun = things.jobs.get(job).started_at
    assert things.control.resume(job).job.state is JobState.RUNNING
    claim(things)
    assert things.jobs.get(job).started_at == begun


def test_pausing_twice_and_resuming_twice_change_nothing(things: Store) -> None:
    job = ask(things, 2)
    assert things.control.resume(job).job.state is JobState.QUEUED
    assert things.control.pause(job) == things.control.pause(job)
    assert things.control.resume(job).job == things.control.resume(job).job
    assert len(claim(things)) == 2


def test_chunk_that_was_begun_is_settled_while_its_job_is_paused(things: Store) -> None:
    job = ask(things, 3)
    [chunk] = claim(things, items=1)
    things.control.pause(job)
    assert settle(things, chunk)
    assert (state_of(things, job), things.jobs.get(job).done) == (JobState.PAUSED, 1)


def test_paused_job_ends_when_all_of_it_had_been_begun(things: Store) -> None:
    job = ask(things, 2)
    chunks = claim(things)
    things.control.pause(job)
    for chunk in chunks:
        settle(things, chunk)
    assert state_of(things, job) is JobState.SUCCEEDED


@pytest.mark.parametrize("how", ["lost", "released"])
def test_chunk_that_comes_back_to_a_paused_job_waits(things: Store, how: str) -> None:
    job = ask(things, 2, lane=Lane.BULK)
    [chunk] = claim(things)
    things.control.pause(job)
    if how == "lost":
        things.chunks.expire_leases("w")
        assert things.chunks.sweep() == 1
    else:
        things.chunks.requeue("w:1", [chunk])
    assert claim(things) == []
    things.control.resume(job)
    while chunks := claim(things):
        for chunk in chunks:
            settle(things, chunk)
    assert (state_of(things, job), items_of(things, job)) == (JobState.SUCCEEDED, [0, 1])


def test_resumed_job_waits_behind_what_came_meanwhile(things: Store) -> None:
    first = ask(things, 1)
    things.control.pause(first)
    second = ask(things, 1)
    things.control.resume(first)
    assert [chunk.job_id for chunk in claim(things)] == [second, first]


def test_paused_job_can_be_cancelled(things: Store) -> None:
    job = ask(things, 2)
    things.control.pause(job)
    assert things.control.cancel(job).state is JobState.CANCELLED
    assert claim(things) == []
    assert things.jobs.results(job).next_item is None


def test_paused_items_count_as_waiting(things: Store) -> None:
    from store.work.jobs import Jobs, new_job_id

    things.control.pause(ask(things, 3))
    jobs = Jobs(things.database, chunk_items=64, max_queued_items=3)
    from core.jobs import JobRequest

    request = JobRequest("things", JobKind.CLASSIFY, Lane.INTERACTIVE, (Item(0, "aa"),))
    assert code_of(jobs.submit, new_job_id(), request) == "queue_full"


def test_ended_job_can_be_neither_held_nor_resumed(things: Store) -> None:
    job = ask(things, 1)
    things.control.cancel(job)
    for call in (things.control.pause, things.control.resume, things.control.retry):
        assert code_of(call, job) == "job_state_invalid"


def test_missing_job_cannot_be_controlled(things: Store) -> None:
    for call in (things.control.pause, things.control.resume, things.control.cancel, things.control.retry):
        assert code_of(call, "nothing") == "job_not_found"


def test_only_failed_items_are_tried_again(things: Store) -> None:
    job = ask(things, 70, lane=Lane.BULK)
    first, second = claim(things, items=128)
    fail(things, first, 3, 4, 9)
    fail(things, second, 69)
    revived = things.control.retry(job)
    assert (revived.job.state, revived.job.failed, revived.job.done) == (JobState.QUEUED, 0, 66)
    assert (revived.encoder, revived.job.finished_at) == (DEFAULT, None)
    again = claim(things, items=128)
    assert [[item.index for item in chunk.items] for chunk in again] == [[3, 4], [9], [69]]
    for chunk in again:
        fail(things, chunk, 9)
    ended = things.jobs.get(job)
    assert (ended.state, ended.done, ended.failed) == (JobState.PARTIAL, 69, 1)
    assert items_of(things, job) == list(range(70))
    assert done_in(things, job) == [n for n in range(70) if n != 9]


def test_job_whose_last_failures_succeed_has_succeeded(things: Store) -> None:
    job = ask(things, 2)
    for chunk in claim(things):
        fail(things, chunk, 0, 1)
    assert state_of(things, job) is JobState.FAILED
    things.control.retry(job)
    for chunk in claim(things):
        settle(things, chunk)
    assert state_of(things, job) is JobState.SUCCEEDED


def test_enrolment_that_is_tried_again_makes_no_support_twice(things: Store) -> None:
    items = [Item(n, f"p{n}", "cat") for n in range(6)]
    job = submit(things, *items, lane=Lane.BULK)
    [chunk] = claim(things)
    fail(things, chunk, 2)
    before = things.jobs.results(job).results
    things.control.retry(job)
    [again] = claim(things)
    assert [item.index for item in again.items] == [2]
    settle(things, again)
    assert things.collections.get("things").supports == 6
    after = things.jobs.results(job).results
    assert [r for r in after if r["item"] != 2] == [r for r in before if r["item"] != 2]
    assert not settle(things, chunk)  # the earlier worker continues after losing its lease
    assert things.collections.get("things").supports == 6


def test_items_refused_at_the_door_are_not_tried_again(things: Store) -> None:
    refused = Item(1, problem={"code": "picture_empty", "detail": "0 bytes"})
    job = submit(things, Item(0, "aa"), refused, Item(2, "cc"), kind=JobKind.CLASSIFY, lane=Lane.BULK)
    [chunk] = claim(things)
    fail(things, chunk, 1, 2)
    things.control.retry(job)
    [again] = claim(things)
    assert [item.index for item in again.items] == [2]
    settle(things, again)
    assert state_of(things, job) is JobState.PARTIAL
    assert code_of(things.control.retry, job) == "retry_empty"
    assert things.jobs.get(job).state is JobState.PARTIAL


def test_cancelled_retry_leaves_the_errors_of_the_time_before(things: Store) -> None:
    job = ask(things, 4, lane=Lane.BULK)
    [chunk] = claim(things)
    fail(things, chunk, 1, 3)
    before = things.jobs.results(job).results
    things.control.retry(job)
    ended = things.control.cancel(job)
    assert (ended.state, ended.done, ended.failed) == (JobState.PARTIAL, 2, 2)
    assert things.jobs.results(job).results == before
    assert things.jobs.tally(job)["errors"] == {"picture_unreadable": 2}


@pytest.mark.parametrize("how", ["lost", "released"])
def test_retry_that_comes_back_after_a_cancel_leaves_the_errors_too(things: Store, how: str) -> None:
    job = ask(things, 4, lane=Lane.BULK)
    [chunk] = claim(things)
    fail(things, chunk, 1, 2)
    before = things.jobs.results(job).results
    things.control.retry(job)
    again = claim(things)
    things.control.cancel(job)
    if how == "lost":
        things.chunks.expire_leases("w")
        things.chunks.sweep()
    else:
        things.chunks.requeue("w:1", again)
    assert things.jobs.results(job).results == before
    assert things.jobs.get(job).failed == 2


def test_lost_retry_of_many_is_split_and_settled_once(things: Store) -> None:
    job = ask(things, 4, lane=Lane.BULK)
    [chunk] = claim(things)
    fail(things, chunk, 1, 2)
    things.control.retry(job)
    claim(things)
    things.chunks.expire_leases("w")
    things.chunks.sweep()
    while chunks := claim(things):
        for part in chunks:
            settle(things, part)
    ended = things.jobs.get(job)
    assert (ended.state, ended.done, ended.failed) == (JobState.SUCCEEDED, 4, 0)


def test_two_retries_at_once_try_once(things: Store) -> None:
    job = ask(things, 4, lane=Lane.BULK)
    [chunk] = claim(things)
    fail(things, chunk, 0, 1)

    def one(_: int) -> str:
        try:
            things.control.retry(job)
        except ExemplarError as error:
            return error.code
        return "tried"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == ["job_state_invalid"] * 3 + ["tried"]
    assert [len(part.items) for part in claim(things)] == [2]


def hold_open(monkeypatch: pytest.MonkeyPatch, *, longest_s: float) -> tuple[Event, Event]:
    """Block claims once they have locked chunks; return an event for that, and one that unblocks them."""
    locked, go_on = Event(), Event()
    real = claims._lock_queued

    def pick(*arguments: Any) -> Any:
        found = real(*arguments)
        locked.set()
        go_on.wait(longest_s)
        return found

    monkeypatch.setattr(claims, "_lock_queued", pick)
    return locked, go_on


@pytest.mark.parametrize("how", ["cancel", "pause"])
def test_chunks_that_a_claim_holds_are_taken_back_with_their_job(
    things: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    job = ask(things, 200, lane=Lane.BULK)
    with monkeypatch.context() as held, ThreadPoolExecutor(1) as pool:
        # on SQLite no other process can write meanwhile, so it ends by itself
        locked, go_on = hold_open(held, longest_s=0.3 if things.database.is_sqlite else 100)
        claiming = pool.submit(claim, things, 64)
        assert locked.wait(100)
        getattr(things.control, how)(job)
        was_first = not claiming.done()
        go_on.set()
        claimed = claiming.result()
    if not things.database.is_sqlite:
        assert was_first and claimed == []
        assert things.jobs.get(job).started_at is None
    assert claim(things) == []
    assert things.chunks.waiting() == []
    if how == "pause":
        things.control.resume(job)
        count = len(claimed)
        while chunks := claim(things):
            count += len(chunks)
        assert count == 4
        assert things.jobs.get(job).started_at is not None


def test_claim_passes_over_jobs_that_are_held_to_those_that_wait(things: Store) -> None:
    held, free = ask(things, 2), ask(things, 1)
    with things.database.write() as connection:  # like a claim that died between two locks
        connection.execute(update(t.job).where(t.job.c.id == held).values(state=JobState.PAUSED.value))
    assert [chunk.job_id for chunk in claim(things, 2)] == [free]
    assert things.chunks.waiting() == []


def test_tried_again_in_many_transactions_the_job_ends_once(
    things: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "CUT_AT_ONCE", 1)
    job = ask(things, 192, lane=Lane.BULK)
    for chunk in claim(things, 192):
        fail(things, chunk, 0, 64, 128)
    real, ended = things.database.write, []

    def work_before() -> Any:
        with monkeypatch.context() as plain:
            plain.setattr(things.database, "write", real)
            for chunk in claim(things):
                settle(things, chunk)
        ended.append(things.jobs.get(job).finished_at is not None)
        return real()

    with monkeypatch.context() as retrying:
        retrying.setattr(things.database, "write", work_before)
        things.control.retry(job)
    assert ended == [True, False, False]  # it had ended before, and then only with the last
    chunks = claim(things)
    assert [item.index for chunk in chunks for item in chunk.items] == [0, 64, 128]
    for chunk in chunks:
        settle(things, chunk)
    assert state_of(things, job) is JobState.SUCCEEDED


def test_results_are_counted_by_label_decision_and_error(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    job = ask(things, 5, lane=Lane.BULK)
    [chunk] = claim(things)
    results: list[Any] = [
        {"item": 0, "status": "done", "decision": "known", "label": "cat"},
        {"item": 1, "status": "done", "decision": "known", "label": "dog"},
        {"item": 2, "status": "done", "decision": "unknown", "label": None},
        {"item": 3, "status": "done", "decision": "known", "label": "dog"},
        {"item": 4, "status": "failed", "error": {"code": "picture_bomb"}},
    ]
    assert things.jobs.tally(job) == {"labels": {}, "decisions": {}, "errors": {}}
    things.chunks.settle("w:1", [Settlement(chunk, results)])
    tally = things.jobs.tally(job)
    assert list(tally["labels"].items()) == [("dog", 2), ("cat", 1)]
    assert tally["decisions"] == {"known": 3, "unknown": 1}
    assert tally["errors"] == {"picture_bomb": 1}
    assert code_of(things.jobs.tally, "nothing") == "job_not_found"


@pytest.mark.slow
def test_pausing_and_working_at_once_lose_and_double_nothing(things: Store) -> None:
    jobs = [submit(things, *(Item(n, f"{j}-{n}", f"l{n}") for n in range(4))) for j in range(6)]
    jobs += [ask(things, 4) for _ in range(6)]

    def work(number: int) -> None:
        owner = f"w{number}:1"
        for _ in range(25):
            for chunk in claim(things, items=2, owner=owner):
                assert settle(things, chunk, owner)
            things.chunks.sweep()

    def hold() -> None:
        for job in jobs * 2:
            for call in (things.control.pause, things.control.resume):
                try:
                    call(job)
                except ExemplarError as error:
                    assert error.code == "job_state_invalid"

    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(work, n) for n in range(3)] + [pool.submit(hold) for _ in range(2)]
        for future in futures:
            future.result()
    for job in jobs:
        if state_of(things, job) is JobState.PAUSED:
            things.control.resume(job)
    work(9)
    work(9)
    assert {state_of(things, job) for job in jobs} == {JobState.SUCCEEDED}
    assert things.collections.get("things").supports == 24
