"""Jobs: what callers submitted, and its results."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select

from core.jobs import FINAL, ChunkState, Job, JobKind, JobRequest, JobState
from core.results import Tally, sum_tallies
from store import tables as t
from store.clock import now_s
from store.database import Database, slices
from store.work.kinds import KINDS
from store.work.reviewed import with_reviews
from store.work.rows import job_row, overlaps, require_job, unpack_job
from store.work.submission import (
    Before,
    Idempotency,
    Limits,
    Submission,
    Submitted,
    check_room,
    check_room_to_read,
    submit,
    submit_within,
)
from store.work.versions import Version, as_of, check_version, past_counts, versions_of


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Results of a job in the order of the items; `next_item` is None after the last."""

    job: Job
    results: Sequence[Mapping[str, Any]]
    next_item: int | None


@dataclass(frozen=True, slots=True)
class JobCount:
    """Jobs of one kind in one state, and the outcomes of their items."""

    kind: JobKind
    state: JobState
    jobs: int
    done: int
    failed: int


def new_job_id() -> str:
    """Return an id that sorts by time and cannot be guessed."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def submitted_at(job_id: str) -> float:
    """Return when an id was created, in seconds since 1970; 0.0 if it is no job's id."""
    try:
        return int(job_id[:12], 16) / 1000
    except ValueError:
        return 0.0


class Jobs:
    """The jobs of the record."""

    def __init__(
        self, database: Database, *, chunk_items: int, max_queued_items: int, max_sources: int = 32
    ) -> None:
        self._database = database
        self._limits = Limits(chunk_items, max_queued_items, max_sources)

    def submit(
        self,
        job_id: str,
        request: JobRequest,
        idempotency: Idempotency | None = None,
        *,
        before: Before | None = None,
    ) -> Submitted:
        """Write a job and its chunks; once this returns the job is durable.

        `before` writes what the job needs in the same transaction, unless the key was already used.

        Raises `collection_not_found`, `queue_full`, `min_version_ahead`, or `idempotency_conflict` if the
        key was used for another request.
        """
        return submit(self._database, self._limits, Submission(job_id, request, idempotency, before))

    def submit_within(self, connection: Connection, job_id: str, request: JobRequest) -> Submitted:
        """Write a job in a transaction, as `submit` does in one of its own."""
        return submit_within(connection, self._limits, Submission(job_id, request))

    def get(self, job_id: str) -> Job:
        """Return one job; raises `job_not_found`."""
        with self._database.read() as connection:
            return require_job(connection, job_id)

    def submitter(self, job_id: str) -> str | None:
        """Return the id of the key that submitted a job, `local` without keys; raises `job_not_found`."""
        with self._database.read() as connection:
            row = job_row(connection, job_id)
        return None if row.origin is None else str(row.origin["key"])

    def page(
        self,
        *,
        before: str | None = None,
        limit: int = 100,
        of: Collection[str] | None = None,
        target: str | None = None,
    ) -> list[Job]:
        """Return jobs `of` some collections or of all, newest first, from the one before `before` on.

        Those that enrol reviewed pictures are left out; with `target`, return only the jobs about that job.
        """
        listed = t.job.c.target.is_(None) | (t.job.c.kind != JobKind.ENROLL)
        which = listed if target is None else t.job.c.target == target
        statement = select(t.job).where(which).order_by(t.job.c.id.desc()).limit(limit)
        if of is not None:
            statement = statement.where(t.job.c.collection_name.in_(of))
        if before is not None:
            statement = statement.where(t.job.c.id < before)
        with self._database.read() as connection:
            return [unpack_job(row) for row in connection.execute(statement)]

    def finished_among(self, job_ids: Sequence[str]) -> set[str]:
        """Return which of these jobs have ended."""
        statement = select(t.job.c.id).where(t.job.c.id.in_(job_ids), t.job.c.state.in_(FINAL))
        with self._database.read() as connection:
            return set(connection.execute(statement).scalars())

    def results(
        self, job_id: str, *, after: int = 0, limit: int = 100, version: int | None = None
    ) -> ResultPage:
        """Return settled results from item `after` on, up to the first gap, of a version or the newest.

        Raises `job_not_found` or `version_not_found`.
        """
        with self._database.read() as connection:
            job = require_job(connection, job_id)
            if version is not None:
                check_version(connection, job_id, version)
            chunks = connection.execute(_chunks_from(job_id, after).limit(limit + 1)).all()
            settled = list(takewhile(lambda chunk: chunk.state is ChunkState.SETTLED, chunks))
            needed = _covering(settled, after, limit)
            rows = connection.execute(
                select(t.chunk.c.results).where(t.chunk.c.id.in_(needed)).order_by(t.chunk.c.first_item)
            )
            ahead = [result for row in rows for result in row.results if result["item"] >= after]
            found = with_reviews(connection, job, as_of(connection, job_id, version, ahead[:limit]))
        is_open = job.expanding or (job.smooth and job.state not in FINAL)
        more = len(ahead) > limit or len(needed) < len(chunks) or is_open
        reached = found[-1]["item"] + 1 if found else after
        return ResultPage(job, found, reached if more else None)

    def result_pages(
        self,
        job_id: str,
        *,
        first: int = 0,
        end: int | None = None,
        limit: int = 500,
        version: int | None = None,
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Yield settled results from item `first` on, before `end` if given, as far as they reach now."""
        after: int | None = first
        while after is not None and (end is None or after < end):
            page = self.results(job_id, after=after, limit=limit, version=version)
            yield [result for result in page.results if end is None or result["item"] < end]
            # no progress: the job is still running
            after = None if page.next_item == after else page.next_item

    def tally(self, job_id: str, version: int | None = None) -> Tally:
        """Return the number of results by label, decision and error, without reviews.

        Raises `job_not_found` or `version_not_found`.
        """
        with self._database.read() as connection:
            require_job(connection, job_id)
            counts = select(t.tally.c.counts).where(t.tally.c.job_id == job_id)
            found = list(connection.execute(counts).scalars())
            if version is not None:
                check_version(connection, job_id, version)
                found += past_counts(connection, job_id, version)
            return sum_tallies(found)

    def check_version(self, job_id: str, version: int | None) -> None:
        """Raise `version_not_found` if a job's answers have no such version."""
        if version is not None:
            with self._database.read() as connection:
                check_version(connection, job_id, version)

    def with_versions(self, job_id: str) -> tuple[Job, list[Version]]:
        """Return a job and the versions of its answers, oldest first; none if it makes no decisions.

        Raises `job_not_found`.
        """
        with self._database.read() as connection:
            row = job_row(connection, job_id)
            return unpack_job(row), versions_of(connection, row) if KINDS[row.kind].decides else []

    def reach(self, job_id: str) -> int:
        """Return the first item without a contiguous settled result; raises `job_not_found`."""
        with self._database.read() as connection:
            require_job(connection, job_id)
            chunk = t.chunk.c
            of_job = (chunk.job_id == job_id) & (chunk.state != ChunkState.CANCELLED)
            gap = connection.execute(
                select(func.min(chunk.first_item)).where(of_job, chunk.state != ChunkState.SETTLED)
            ).scalar()
            last = connection.execute(select(func.max(chunk.first_item + chunk.size)).where(of_job)).scalar()
        return int(last or 0) if gap is None else int(gap)

    def counts(self) -> list[JobCount]:
        """Return the number of jobs and items by kind and state."""
        job = t.job.c
        statement = select(
            job.kind,
            job.state,
            func.count().label("jobs"),
            func.sum(job.done).label("done"),
            func.sum(job.failed).label("failed"),
        ).group_by(job.kind, job.state)
        with self._database.read() as connection:
            return [
                JobCount(row.kind, row.state, row.jobs, int(row.done), int(row.failed))
                for row in connection.execute(statement)
            ]

    def remove_old(self, older_than_s: float, limit: int = 100) -> list[str]:
        """Delete some jobs that ended longer ago than that; return which those were."""
        finished = select(t.job.c.id).where(t.job.c.finished_at < now_s() - older_than_s)
        with self._database.read() as connection:  # most calls end here, without a lock
            if connection.execute(finished.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            # locked, so that no retry reopens one meanwhile
            locked = finished.order_by(t.job.c.id).limit(limit).with_for_update(skip_locked=True)
            return _remove(connection, connection.execute(locked).scalars().all())

    def unknown_among(self, job_ids: Sequence[str]) -> set[str]:
        """Return which of these job ids do not exist."""
        unknown = set(job_ids)
        with self._database.read() as connection:
            for some in slices(job_ids):
                found = select(t.job.c.id).where(t.job.c.id.in_(some))
                unknown.difference_update(connection.execute(found).scalars())
        return unknown

    def remove(self, job_ids: Sequence[str]) -> list[str]:
        """Delete jobs with their chunks and keys; return which of them still existed."""
        with self._database.write() as connection:
            return _remove(connection, job_ids)

    def check_room(self, *, to_read: bool = False) -> None:
        """Raise `queue_full` if a job would be refused now; with `to_read`, a job with a source."""
        with self._database.read() as connection:
            check_room(connection, self._limits, 0 if to_read else 1)
            if to_read:
                check_room_to_read(connection, self._limits)


def _remove(connection: Connection, job_ids: Sequence[str]) -> list[str]:
    connection.execute(delete(t.idempotency).where(t.idempotency.c.job_id.in_(job_ids)))
    connection.execute(delete(t.chunk).where(t.chunk.c.job_id.in_(job_ids)))
    gone = delete(t.job).where(t.job.c.id.in_(job_ids)).returning(t.job.c.id)
    return sorted(connection.execute(gone).scalars())


def _chunks_from(job_id: str, item: int) -> Select[Any]:
    chunk = t.chunk.c
    return (
        select(chunk.id, chunk.state, chunk.first_item, chunk.size)
        .where(overlaps(t.chunk, job_id, item), chunk.state != ChunkState.CANCELLED)
        .order_by(chunk.first_item)
    )


def _covering(chunks: Sequence[Row[Any]], after: int, limit: int) -> list[int]:
    """Return the first of these chunks, as many as hold `limit` items from `after` on."""
    needed: list[int] = []
    items = 0
    for chunk in chunks:
        if items >= limit:
            break
        needed.append(chunk.id)
        items += chunk.size - max(after - chunk.first_item, 0)
    return needed
