"""Chunks: claimed under a lease, worked on, settled once, on both databases."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from enrolling import ask, claim, enroll_labels, items_of, settle, submit, vector
from sqlalchemy import event
from tiny import DEFAULT

from core.collections import Labels, Rule, Views
from core.jobs import Chunk, Item, JobState, Lane
from core.settings import Settings
from store.migrate import ensure_schema
from store.record.enrolment import Enrolment
from store.store import Store, open_store
from store.work.chunks import Chunks
from store.work.settlement import Settlement


def lose(store: Store, chunk: Chunk, owner: str = "w:1", reason: str | None = None) -> None:
    """Let a chunk's worker die, or its processing fail with a reason, and sweep."""
    if reason is None:
        assert store.chunks.expire_leases(owner.partition(":")[0]) >= 1
    else:
        store.chunks.fail_attempt(owner, [chunk], reason)
    assert store.chunks.sweep() >= 1


def impatient(store: Store) -> Chunks:
    return Chunks(store.database, lease_s=-1, max_attempts=3)


def sizes(chunks: list[Chunk]) -> list[int]:
    return [len(chunk.items) for chunk in chunks]


def test_interactive_job_is_cut_into_single_pictures(things: Store) -> None:
    ask(things, 3)
    assert sizes(claim(things)) == [1, 1, 1]


def test_bulk_job_is_cut_into_chunks(things: Store) -> None:
    ask(things, 150, lane=Lane.BULK)
    assert sizes(claim(things, items=1000)) == [64, 64, 22]


def test_claimed_chunk_is_what_was_submitted(things: Store) -> None:
    items = (Item(0, "aa", "cat", "c1", "e1", {"a": [1]}), Item(1, problem={"code": "picture_empty"}))
    job = submit(things, *items, lane=Lane.BULK, top=7)
    [chunk] = claim(things)
    assert (chunk.items, chunk.job_id, chunk.top, chunk.attempts) == (items, job, 7, 1)
    assert chunk.collection_id == things.collections.get("things").id


@pytest.mark.parametrize("views", list(Views))
def test_claimed_chunk_says_how_its_collection_looks_at_pictures(store: Store, views: Views) -> None:
    store.collections.create("things", DEFAULT, Rule(), views=views, labels=Labels.MANY)
    ask(store, 1)
    assert [chunk.views for chunk in claim(store)] == [views]


def test_chunk_of_a_collection_that_is_gone_is_claimed_all_the_same(store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule(), views=Views.FULL)
    ask(store, 1)
    store.collections.delete("things")
    assert [(chunk.collection_id, chunk.views) for chunk in claim(store)] == [(None, Views.ONE)]


def test_chunk_of_a_collection_that_is_gone_is_swept_all_the_same(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things)
    things.collections.delete("things")
    lose(things, chunk)
    assert len(claim(things)) == 1


def test_claim_takes_no_more_than_fills_the_batch(things: Store) -> None:
    ask(things, 10)
    assert len(claim(things, items=4)) == 4
    assert len(claim(things, items=64)) == 6
    assert claim(things) == []


def test_interactive_work_goes_first_and_bulk_fills_up(things: Store) -> None:
    bulk = ask(things, 64, lane=Lane.BULK)
    interactive = ask(things, 2)
    assert [chunk.job_id for chunk in claim(things, items=128)] == [interactive, interactive, bulk]


def test_large_chunk_waits_for_a_batch_of_its_own(things: Store) -> None:
    ask(things, 64, lane=Lane.BULK)
    ask(things, 2)
    assert sizes(claim(things, items=32)) == [1, 1]
    assert sizes(claim(things, items=32)) == [64]


def test_worker_of_one_lane_leaves_the_other_alone(things: Store) -> None:
    ask(things, 1)
    assert claim(things, lanes=[Lane.BULK]) == []
    assert len(claim(things, lanes=[Lane.INTERACTIVE])) == 1


def test_work_for_another_encoder_is_left_alone(things: Store) -> None:
    things.collections.create("others", "another", Rule())
    ask(things, 1, collection="others")
    assert claim(things) == []
    assert len(things.chunks.claim("w:1", "another", list(Lane), 8)) == 1


def test_two_claimers_never_get_the_same_chunk(things: Store) -> None:
    ask(things, 60)

    def take_all(number: int) -> list[int]:
        taken: list[int] = []
        while chunks := claim(things, items=3, owner=f"w:{number}"):
            taken += [chunk.id for chunk in chunks]
        return taken

    with ThreadPoolExecutor(4) as pool:
        counted = Counter(chunk for taken in pool.map(take_all, range(4)) for chunk in taken)
    assert len(counted) >= 60 - 3 * 4  # a worker that finds everything locked may end early
    assert set(counted.values()) == {1}


def test_claimed_job_is_running(things: Store) -> None:
    job = ask(things, 1)
    assert things.jobs.get(job).state is JobState.QUEUED
    claim(things)
    running = things.jobs.get(job)
    assert running.state is JobState.RUNNING
    assert running.started_at is not None


def test_lease_that_is_renewed_does_not_run_out(things: Store) -> None:
    ask(things, 2)
    impatient(things).claim("w:1", DEFAULT, list(Lane), 8)
    assert things.chunks.renew("w:1") == 2
    assert things.chunks.sweep() == 0


def test_renewing_is_for_ones_own_chunks(things: Store) -> None:
    ask(things, 1)
    impatient(things).claim("w:1", DEFAULT, list(Lane), 8)
    assert things.chunks.renew("w:2") == 0
    assert things.chunks.sweep() == 1


def test_released_chunk_gets_its_attempt_back(things: Store) -> None:
    ask(things, 2)
    things.chunks.requeue("w:1", claim(things))
    assert [chunk.attempts for chunk in claim(things)] == [1, 1]


def test_lost_chunk_is_queued_again_with_its_attempt_counted(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things)
    lose(things, chunk)
    assert [again.attempts for again in claim(things)] == [2]


def test_retried_chunk_is_taken_alone(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things)
    lose(things, chunk)
    ask(things, 2)
    assert sizes(claim(things)) == [1]
    assert sizes(claim(things)) == [1, 1]


def test_lost_chunk_of_many_is_split(things: Store) -> None:
    job = ask(things, 3, lane=Lane.BULK)
    [chunk] = claim(things)
    lose(things, chunk)
    parts = [claim(things) for _ in range(3)]
    assert [[item.index for item in part.items] for [part] in parts] == [[0], [1], [2]]
    for [part] in parts:
        assert settle(things, part)
    assert items_of(things, job) == [0, 1, 2]
    assert things.jobs.get(job).state is JobState.SUCCEEDED


def test_picture_that_kills_worker_after_worker_fails_alone(things: Store) -> None:
    job = ask(things, 3, lane=Lane.BULK)
    [chunk] = claim(things)
    lose(things, chunk)
    while chunks := claim(things):
        for part in chunks:
            if part.items[0].index == 1:
                lose(things, part)
            else:
                assert settle(things, part)
    ended = things.jobs.get(job)
    assert (ended.state, ended.done, ended.failed) == (JobState.PARTIAL, 2, 1)
    bad = things.jobs.results(job).results[1]
    assert bad["error"]["code"] == "worker_lost"
    assert f"{Settings().max_attempts} workers died" in bad["error"]["detail"]


def test_work_that_fails_again_and_again_says_why(things: Store) -> None:
    job = ask(things, 1)
    for _ in range(Settings().max_attempts):
        [chunk] = claim(things)
        lose(things, chunk, reason="RuntimeError: no memory")
    assert claim(things) == []
    [result] = things.jobs.results(job).results
    assert result["error"]["code"] == "work_failed"
    assert "RuntimeError: no memory" in result["error"]["detail"]
    assert things.jobs.get(job).state is JobState.FAILED


def test_handing_back_is_for_ones_own_chunks(things: Store) -> None:
    ask(things, 1)
    [chunk] = claim(things)
    things.chunks.fail_attempt("w:2", [chunk], "not mine")
    assert things.chunks.sweep() == 0


def test_new_life_of_a_worker_ends_the_leases_of_the_earlier(things: Store) -> None:
    ask(things, 2)
    claim(things, items=1, owner="alpha:1")
    claim(things, items=1, owner="alphabet:1")
    assert things.chunks.expire_leases("alpha") == 1


def test_new_life_of_a_worker_leaves_others_whose_name_begins_so(things: Store) -> None:
    ask(things, 2)
    claim(things, items=1, owner="gpu:1")
    claim(things, items=1, owner="gpu:2:1")
    assert things.chunks.expire_leases("gpu") == 1
    assert things.chunks.expire_leases("gpu:2") == 1


def test_name_of_a_worker_is_no_pattern(things: Store) -> None:
    ask(things, 1)
    claim(things, owner="host:1")
    assert things.chunks.expire_leases("h_st") == things.chunks.expire_leases("%") == 0


def test_many_chunks_are_settled_at_once_and_each_is_fenced(things: Store) -> None:
    first, second = ask(things, 2), ask(things, 1)
    chunks = claim(things)
    assert settle(things, chunks[1])
    done = [Settlement(chunk, [{"item": chunk.items[0].index, "status": "done"}]) for chunk in chunks]
    assert things.chunks.settle("w:1", done) == [True, False, True]
    assert things.chunks.settle("w:2", done) == [False, False, False]
    assert [things.jobs.get(job).done for job in (first, second)] == [2, 1]


def test_settling_is_all_or_nothing(things: Store) -> None:
    job = submit(things, Item(0, "aa", "cat"), Item(1, "bb", "cat"))
    good, bad = claim(things)
    broken = replace(bad, items=(Item(1, None, "cat"),))  # a support without a picture cannot be written
    settlements = [Settlement(c, [Enrolment(c.items[0], vector(1), "t")]) for c in (good, broken)]
    with pytest.raises(Exception, match=r"(?i)null"):
        things.chunks.settle("w:1", settlements)
    assert things.collections.get("things").supports == things.collections.get("things").version == 0
    assert things.jobs.get(job).done == 0
    assert things.chunks.renew("w:1") == 2


@pytest.mark.parametrize(
    ("failing", "state"),
    [((), JobState.SUCCEEDED), ((1,), JobState.PARTIAL), ((0, 1, 2), JobState.FAILED)],
)
def test_job_ends_as_its_items_did(things: Store, failing: tuple[int, ...], state: JobState) -> None:
    job = ask(things, 3)
    *most, last = claim(things)
    for chunk in most:
        settle(things, chunk, failing=failing)
    assert things.jobs.get(job).state is JobState.RUNNING
    settle(things, last, failing=failing)
    ended = things.jobs.get(job)
    assert (ended.state, ended.done, ended.failed) == (state, 3 - len(failing), len(failing))
    assert ended.finished_at is not None


def test_cancelled_work_is_not_claimed(things: Store) -> None:
    job = ask(things, 3)
    assert things.control.cancel(job).state is JobState.CANCELLED
    assert claim(things) == []


def test_chunk_that_was_begun_is_settled_after_a_cancel(things: Store) -> None:
    job = ask(things, 3)
    [chunk] = claim(things, items=1)
    things.control.cancel(job)
    assert settle(things, chunk)
    ended = things.jobs.get(job)
    assert (ended.state, ended.done) == (JobState.CANCELLED, 1)
    assert items_of(things, job) == [0]


@pytest.mark.parametrize("how", ["lost", "released"])
def test_cancelled_chunk_that_comes_back_is_dropped(things: Store, how: str) -> None:
    job = ask(things, 2, lane=Lane.BULK)
    [chunk] = claim(things)
    things.control.cancel(job)
    if how == "lost":
        lose(things, chunk)
    else:
        things.chunks.requeue("w:1", [chunk])
    assert claim(things) == []
    assert things.jobs.results(job).next_item is None


def test_cancel_after_the_end_changes_nothing(things: Store) -> None:
    job = ask(things, 1)
    [chunk] = claim(things)
    settle(things, chunk)
    assert things.control.cancel(job).state is JobState.SUCCEEDED


def test_waiting_work_is_counted_by_encoder_and_lane(things: Store) -> None:
    ask(things, 3)
    ask(things, 70, lane=Lane.BULK)
    claim(things, items=1, lanes=[Lane.INTERACTIVE])
    waiting = {w.lane: w for w in things.chunks.waiting()}
    assert (waiting[Lane.INTERACTIVE].chunks, waiting[Lane.INTERACTIVE].items) == (2, 2)
    assert (waiting[Lane.BULK].chunks, waiting[Lane.BULK].items) == (2, 70)
    assert 0 <= waiting[Lane.BULK].oldest_s < 60


def test_everything_at_once_is_done_once_and_without_deadlock(things: Store) -> None:
    jobs = [submit(things, *(Item(n, f"{j}-{n}", f"l{n}") for n in range(4))) for j in range(6)]
    jobs += [ask(things, 4) for _ in range(6)]

    def work(number: int) -> None:
        owner = f"w{number}:1"
        while chunks := claim(things, items=3, owner=owner):
            things.chunks.renew(owner)
            things.chunks.sweep()
            for chunk in chunks:
                assert settle(things, chunk, owner)

    def look_after() -> None:
        for _ in range(10):
            for number in range(3):
                things.chunks.renew(f"w{number}:1")

    with ThreadPoolExecutor(4) as pool:
        for future in [*(pool.submit(work, n) for n in range(3)), pool.submit(look_after)]:
            future.result()
    work(9)
    assert {things.jobs.get(job).state for job in jobs} == {JobState.SUCCEEDED}
    assert things.collections.get("things").supports == 24


def test_deleting_a_collection_and_settling_its_work_do_not_lock_each_other(things: Store) -> None:
    enroll_labels(things, "cat")
    jobs = [ask(things, 3) for _ in range(5)]
    chunks = claim(things)
    done = [Settlement(chunk, [{"item": chunk.items[0].index, "status": "done"}]) for chunk in chunks]
    with ThreadPoolExecutor(2) as pool:
        settling = pool.submit(things.chunks.settle, "w:1", done)
        pool.submit(things.collections.delete, "things").result()
        assert settling.result() == [True] * 15
    assert {things.jobs.get(job).state for job in jobs} == {JobState.SUCCEEDED}


@pytest.mark.parametrize("step", ["renew", "sweep", "waiting", "waits"])
def test_heartbeat_on_sqlite_reads_only_the_chunks_it_needs(tmp_path: Path, step: str) -> None:
    store = open_store(Settings(data=tmp_path))
    ensure_schema(store.database)
    said: list[tuple[str, Any]] = []

    @event.listens_for(store.database.engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        said.append((statement, parameters))

    asks = {"renew": ("w:1",), "waits": (DEFAULT, tuple(Lane))}
    getattr(store.chunks, step)(*asks.get(step, ()))
    event.remove(store.database.engine, "before_cursor_execute", _note)
    plans = []
    with store.database.read() as connection:
        for statement, parameters in said:
            if "chunk" in statement:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans += [row[3] for row in rows]
    store.database.close()
    assert plans
    assert not [plan for plan in plans if plan.startswith("SCAN chunk") and "INDEX ix_chunk_" not in plan]
