"""Jobs: accepted once, reported without gaps, removed in time, on both databases."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from enrolling import ask, claim, enroll_labels, items_of, settle, submit
from sqlalchemy import event, func, select, update
from tiny import DEFAULT

from core.collections import Rule
from core.errors import ExemplarError
from core.jobs import Item, JobKind, JobRequest, JobState, Lane
from store import tables as t
from store.store import Store
from store.work.jobs import Jobs, new_job_id
from store.work.submission import Idempotency

REQUEST = JobRequest("things", JobKind.CLASSIFY, Lane.INTERACTIVE, (Item(0, "aa"),))


def code_of(call: object, *arguments: object) -> str:
    with pytest.raises(ExemplarError) as caught:
        call(*arguments)  # type: ignore[operator]
    return caught.value.code


def jobs_in(store: Store) -> int:
    with store.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(t.job)).scalar_one())


def test_submitted_job_stands_in_the_record(things: Store) -> None:
    submitted = things.jobs.submit(new_job_id(), REQUEST)
    assert (submitted.encoder, submitted.replayed) == (DEFAULT, False)
    job = things.jobs.get(submitted.job.id)
    assert job == submitted.job
    assert (job.state, job.total, job.done, job.failed) == (JobState.QUEUED, 1, 0, 0)


def test_ids_sort_by_time_and_are_their_own() -> None:
    ids = [new_job_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert sorted(ids, key=lambda id_: id_[:12]) == ids


def test_jobs_stand_with_the_newest_first(things: Store) -> None:
    ids = [f"{n:04}" for n in range(5)]
    for id_ in ids:
        things.jobs.submit(id_, REQUEST)
    first = things.jobs.page(limit=3)
    rest = things.jobs.page(before=first[-1].id, limit=3)
    assert [job.id for job in first + rest] == ids[::-1]


def test_missing_job_is_not_found(things: Store) -> None:
    for call in (things.jobs.get, things.jobs.results, things.control.cancel):
        assert code_of(call, "nothing") == "job_not_found"


def test_same_key_and_same_request_give_the_first_job(things: Store) -> None:
    key = Idempotency("me:1", "digest")
    first = things.jobs.submit(new_job_id(), REQUEST, key)
    second = things.jobs.submit(new_job_id(), REQUEST, key)
    assert second.replayed
    assert second.job.id == first.job.id
    assert jobs_in(things) == 1


def test_same_key_and_another_request_is_a_conflict(things: Store) -> None:
    things.jobs.submit(new_job_id(), REQUEST, Idempotency("me:1", "digest"))
    assert code_of(things.jobs.submit, new_job_id(), REQUEST, Idempotency("me:1", "other")) == (
        "idempotency_conflict"
    )


def test_twenty_submissions_of_one_key_at_once_make_one_job(things: Store) -> None:
    def one(_: int) -> str:
        return things.jobs.submit(new_job_id(), REQUEST, Idempotency("me:1", "digest")).job.id

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(one, range(20)))) == 1
    assert jobs_in(things) == 1


def test_too_much_waiting_work_is_refused_and_leaves_nothing(things: Store) -> None:
    jobs = Jobs(things.database, chunk_items=64, max_queued_items=2)
    jobs.submit(new_job_id(), REQUEST)
    jobs.submit(new_job_id(), REQUEST)
    with pytest.raises(ExemplarError) as caught:
        jobs.submit(new_job_id(), REQUEST)
    assert (caught.value.code, caught.value.retry) == ("queue_full", True)
    assert jobs_in(things) == 2
    claim(things)
    jobs.submit(new_job_id(), REQUEST)


def test_version_that_is_not_reached_yet_cannot_be_asked_for(things: Store) -> None:
    enroll_labels(things, "cat")
    assert things.jobs.submit(new_job_id(), replace(REQUEST, min_version=1)).job.total == 1
    for wanted in (2, 2**70):
        assert code_of(things.jobs.submit, new_job_id(), replace(REQUEST, min_version=wanted)) == (
            "min_version_ahead"
        )


def test_results_come_in_pages(things: Store) -> None:
    job = ask(things, 10, lane=Lane.BULK)
    [chunk] = claim(things)
    settle(things, chunk)
    pages: list[list[int]] = []
    after: int | None = 0
    while after is not None:
        page = things.jobs.results(job, after=after, limit=4)
        pages.append([result["item"] for result in page.results])
        after = page.next_item
    assert pages == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("limit", [1, 2, 5, 100])
def test_results_over_many_chunks_come_once_each(things: Store, limit: int) -> None:
    job = submit(things, *(Item(n, f"p{n}") for n in range(7)), kind=JobKind.CLASSIFY)
    for chunk in claim(things):
        settle(things, chunk)
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = things.jobs.results(job, after=after, limit=limit)
        seen += [result["item"] for result in page.results]
        after = page.next_item
    assert seen == list(range(7))


def test_running_job_shows_results_up_to_the_first_gap(things: Store) -> None:
    job = ask(things, 4)
    chunks = claim(things)
    for number in (0, 2, 3):
        settle(things, chunks[number])
    page = things.jobs.results(job)
    assert ([result["item"] for result in page.results], page.next_item) == ([0], 1)
    settle(things, chunks[1])
    rest = things.jobs.results(job, after=1)
    assert ([result["item"] for result in rest.results], rest.next_item) == ([1, 2, 3], None)


def test_waiting_job_has_an_empty_page_with_a_cursor(things: Store) -> None:
    page = things.jobs.results(ask(things, 2))
    assert (list(page.results), page.next_item) == ([], 0)


def test_cancelled_job_ends_with_what_was_done(things: Store) -> None:
    job = ask(things, 5)
    for chunk in claim(things, items=2):
        settle(things, chunk)
    things.control.cancel(job)
    page = things.jobs.results(job, limit=2)
    assert [result["item"] for result in page.results] == [0, 1]
    assert page.next_item is None


def test_cancelled_items_hide_no_later_ones(things: Store) -> None:
    job = ask(things, 4)
    chunks = claim(things)
    settle(things, chunks[3])
    things.control.cancel(job)
    things.chunks.requeue("w:1", chunks)
    assert items_of(things, job) == [3]
    assert [r["item"] for r in things.jobs.results(job, limit=1).results] == [3]


def test_jobs_and_items_are_counted_by_kind_and_state(things: Store) -> None:
    ask(things, 2)
    for chunk in claim(things):
        settle(things, chunk, failing=(1,))
    ask(things, 1)
    counted = {(c.kind, c.state): (c.jobs, c.done, c.failed) for c in things.jobs.counts()}
    assert counted == {
        (JobKind.CLASSIFY, JobState.PARTIAL): (1, 1, 1),
        (JobKind.CLASSIFY, JobState.QUEUED): (1, 0, 0),
    }


def test_finished_jobs_are_distinguished(things: Store) -> None:
    done, waiting = ask(things, 1), ask(things, 1)
    settle(things, claim(things, items=1)[0])
    assert things.jobs.finished_among([done, waiting, "nothing"]) == {done}


def test_jobs_that_ended_long_ago_are_removed_with_their_keys(things: Store) -> None:
    key = Idempotency("me:1", "digest")
    old = things.jobs.submit(new_job_id(), REQUEST, key).job.id
    settle(things, claim(things)[0])
    fresh = ask(things, 1)
    settle(things, claim(things)[0])
    waiting = ask(things, 1)
    with things.database.write() as connection:
        connection.execute(update(t.job).where(t.job.c.id == old).values(finished_at=1.0))
    assert things.jobs.remove_old(3600) == [old]
    assert things.jobs.remove_old(3600) == []
    assert {job.id for job in things.jobs.page()} == {fresh, waiting}
    assert not things.jobs.submit(new_job_id(), REQUEST, key).replayed


def test_two_sweepers_remove_a_job_once(things: Store) -> None:
    jobs = [ask(things, 1) for _ in range(8)]
    for chunk in claim(things):
        settle(things, chunk)
    with ThreadPoolExecutor(4) as pool:
        removed = list(pool.map(things.jobs.remove_old, [-60.0] * 4))
    assert sorted(job for some in removed for job in some) == sorted(jobs)


def test_job_that_is_tried_again_while_old_ones_are_removed_stays(
    things: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(things, 1)
    settle(things, claim(things)[0], failing=(0,))
    real, looked = things.database.write, []

    def retried_first() -> Any:
        if not looked:
            looked.append(True)
            things.control.retry(job)  # after the first read, before anything is locked
        return real()

    monkeypatch.setattr(things.database, "write", retried_first)
    assert things.jobs.remove_old(-60.0) == []
    assert things.jobs.get(job).state is JobState.QUEUED and looked


def test_submission_reads_no_job_that_has_ended(things: Store) -> None:
    """With a million of them a scan would take seconds, within the transaction that all others wait for."""
    if not things.database.is_sqlite:
        pytest.skip("PostgreSQL scans small tables; its index is the same")
    statements: list[tuple[str, object]] = []

    @event.listens_for(things.database.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        statements.append((statement, parameters))

    ask(things, 3)
    event.remove(things.database.engine, "before_cursor_execute", note)
    reads = [(sql, given) for sql, given in statements if sql.startswith("SELECT")]
    assert any("job.state" in sql for sql, _ in reads)
    with things.database.read() as connection:
        for sql, given in reads:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", given).all()
            scans = [row[3] for row in plan if re.match(r"SCAN job\b", row[3])]
            assert all("INDEX ix_job_paused" in scan for scan in scans)


KEY = Idempotency("me:1", "digest")


def test_key_of_a_cancelled_job_is_free_again(things: Store) -> None:
    first = things.jobs.submit(new_job_id(), REQUEST, KEY).job.id
    things.control.cancel(first)
    again = things.jobs.submit(new_job_id(), REQUEST, KEY)
    assert (again.replayed, again.job.id == first) == (False, False)
    assert things.jobs.submit(new_job_id(), REQUEST, KEY).job.id == again.job.id


def test_key_of_a_failed_job_is_free_again(things: Store) -> None:
    things.jobs.submit(new_job_id(), REQUEST, KEY)
    settle(things, claim(things)[0], failing=(0,))
    assert not things.jobs.submit(new_job_id(), REQUEST, KEY).replayed


def test_key_is_free_again_once_its_collection_is_another(things: Store) -> None:
    first = things.jobs.submit(new_job_id(), REQUEST, KEY).job.id
    things.collections.delete("things")
    assert code_of(things.jobs.submit, new_job_id(), REQUEST, KEY) == "collection_not_found"
    things.collections.create("things", DEFAULT, Rule())
    assert things.jobs.submit(new_job_id(), REQUEST, KEY).job.id != first


def test_key_of_an_enrolment_is_free_again_once_nothing_of_it_is_left(things: Store) -> None:
    asked = replace(
        REQUEST, kind=JobKind.ENROLL, items=(Item(0, "aa", label="cat"), Item(1, "bb", label="cat"))
    )
    things.jobs.submit(new_job_id(), asked, KEY)
    for chunk in claim(things):
        settle(things, chunk)
    supports = things.supports.page("things")
    things.supports.delete("things", supports[0].id)
    assert things.jobs.submit(new_job_id(), asked, KEY).replayed  # one of two was removed on purpose
    things.classes.delete("things", "cat")
    assert not things.jobs.submit(new_job_id(), asked, KEY).replayed


def test_twenty_replays_of_a_free_key_at_once_make_one_job(things: Store) -> None:
    things.control.cancel(things.jobs.submit(new_job_id(), REQUEST, KEY).job.id)
    with ThreadPoolExecutor(20) as pool:
        made = set(pool.map(lambda _: things.jobs.submit(new_job_id(), REQUEST, KEY).job.id, range(20)))
    assert len(made) == 1
    assert jobs_in(things) == 2
