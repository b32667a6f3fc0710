"""Smoothing: jobs whose pictures are all answered, claimed under a lease, updated and ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from core.jobs import FINAL, ChunkState
from core.results import Result
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.work.leases import RELEASED, JobLeases
from store.work.locks import lock_job
from store.work.rows import replace_results
from store.work.states import HALTED, change_jobs, final_state

Change = Callable[[Result], Result]


@dataclass(frozen=True, slots=True)
class HeldSmoothing:
    """A job to smooth, as a worker holds it; all its items are settled."""

    job_id: str
    items: int
    top: int
    attempts: int
    """The number of workers that have tried, including this one."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class SettledChunk:
    """A settled chunk, and the name of its smoothing inputs; None if all of it failed."""

    chunk_id: int
    first_item: int
    size: int
    name: str | None


class Smoothings(JobLeases):
    """The jobs of the record that end after smoothing; their rows exist until then."""

    def __init__(self, database: Database, *, lease_s: float) -> None:
        super().__init__(database, t.smoothing, lease_s=lease_s)

    def claim(self, owner: str) -> HeldSmoothing | None:
        """Claim the oldest job whose items are all settled, under a lease; None if there is none."""
        attempts = t.smoothing.c.attempts + 1
        row = self._lease.claim(self._database, self._ready(), owner, attempts=attempts)
        if row is None:
            return None
        return HeldSmoothing(row.job_id, row.total, row.top, row.attempts + 1, row.reason)

    def waits(self, connection: Connection) -> bool:
        """Return whether a job is ready to be smoothed."""
        return connection.execute(self._ready().limit(1)).first() is not None

    def chunks(self, job_id: str) -> list[SettledChunk]:
        """Return the settled chunks of a job in the order of their items."""
        with self._database.read() as connection:
            return _settled_chunks(connection, job_id)

    def write(self, owner: str, job_id: str, chunks: Sequence[SettledChunk], change: Change) -> bool:
        """Replace the results of some chunks, and their counts, in one transaction.

        Returns whether the owner held the job.
        """
        with self._database.write() as connection:
            if _held_job(connection, owner, job_id) is None:
                return False
            rows = connection.execute(
                select(t.chunk.c.id, t.chunk.c.results)
                .where(
                    t.chunk.c.id.in_([chunk.chunk_id for chunk in chunks]),
                    t.chunk.c.state == ChunkState.SETTLED,
                )
                .order_by(t.chunk.c.id)
                .with_for_update()
            ).all()
            replace_results(connection, {row.id: [change(one) for one in row.results] for row in rows})
        return True

    def finish(self, owner: str, job_id: str, seen: Sequence[SettledChunk], note: str | None = None) -> bool:
        """End a job if its chunks have not changed since they were read; return whether it has ended.

        If a retry has changed them, the job waits to be smoothed again.
        """
        with self._database.write() as connection:
            job = _held_job(connection, owner, job_id)
            if job is None:
                return False
            is_open = job.expanding or job.done + job.failed < job.total
            if is_open or _settled_chunks(connection, job_id) != list(seen):
                connection.execute(
                    update(t.smoothing).where(t.smoothing.c.job_id == job_id).values(**RELEASED, attempts=0)
                )
                return False
            connection.execute(delete(t.smoothing).where(t.smoothing.c.job_id == job_id))
            state = final_state(job.done, job.failed)
            change_jobs(connection, t.job.c.id == job_id, state, finished_at=now_s(), note=note)
        return True

    def _ready(self) -> Select[Any]:
        smoothing, job = t.smoothing.c, t.job.c
        return (
            select(smoothing.job_id, smoothing.reason, smoothing.attempts, job.total, job.top)
            .join(t.job, job.id == smoothing.job_id)
            .where(
                self._lease.is_free,
                job.state.not_in(HALTED),
                ~job.expanding,
                job.done + job.failed >= job.total,
            )
            .order_by(smoothing.job_id)
        )


def await_smoothing(connection: Connection, job_id: str) -> None:
    """Mark a locked or new job to be smoothed before it ends."""
    waiting = select(t.smoothing.c.job_id).where(t.smoothing.c.job_id == job_id)
    if connection.execute(waiting).first() is None:
        connection.execute(insert(t.smoothing).values(job_id=job_id, attempts=0))


def _held_job(connection: Connection, owner: str, job_id: str) -> Row[Any] | None:
    """Lock a job and return it; None if it has ended or another worker smooths it."""
    job = lock_job(connection, job_id)
    held = connection.execute(
        select(t.smoothing.c.job_id)
        .where(t.smoothing.c.job_id == job_id, t.smoothing.c.lease_owner == owner)
        .with_for_update()
    ).first()
    return None if held is None or job is None or job.state in FINAL else job


def _settled_chunks(connection: Connection, job_id: str) -> list[SettledChunk]:
    rows = connection.execute(
        select(t.chunk.c.id, t.chunk.c.first_item, t.chunk.c.size, t.tally.c.kept)
        .join(t.tally, t.tally.c.chunk_id == t.chunk.c.id)
        .where(t.tally.c.job_id == job_id)
        .order_by(t.chunk.c.first_item)
    )
    return [SettledChunk(*row) for row in rows]
