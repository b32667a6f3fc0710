"""Control: pause, resume and cancel jobs, and retry their failed items."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, select

from core.errors import ExemplarError
from core.jobs import FINAL, ChunkState, Job, JobState
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.work.kinds import KINDS
from store.work.requeue import cancel_chunks
from store.work.retry import failed_chunks, reopen
from store.work.rows import job_row, require_job, unpack_job
from store.work.states import WAITING_CHUNK, change_chunks, change_jobs

CUT_AT_ONCE = 32  # chunks in one transaction of a retry, with all their results


@dataclass(frozen=True, slots=True)
class RequeuedJob:
    """A job whose work is queued again, and its encoder; None if nothing is queued."""

    job: Job
    encoder: str | None


class Control:
    """Operations that a caller may request on a job.

    Each locks the job first and skips locked chunks (the order is in `locks.py`).
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, job_id: str) -> Job:
        """Pause what no worker has started; running chunks finish.

        Raises `job_not_found`, or `job_state_invalid` if the job has ended.
        """
        with self._database.write() as connection:
            job = _locked(connection, job_id)
            if job.state in FINAL:
                raise _invalid(job, "expected a job that is queued or running")
            change_jobs(connection, t.job.c.id == job_id, JobState.PAUSED)
            _change_waiting(connection, job_id, ChunkState.QUEUED, ChunkState.PAUSED)
            return require_job(connection, job_id)

    def resume(self, job_id: str) -> RequeuedJob:
        """Resume a paused job at the end of the queue; a job that is not paused stays unchanged.

        Raises `job_not_found`, or `job_state_invalid` if the job has ended.
        """
        with self._database.write() as connection:
            job = _locked(connection, job_id)
            if job.state in FINAL:
                raise _invalid(job, "expected a job that is paused")
            if job.state is JobState.PAUSED:
                state = JobState.QUEUED if job.started_at is None else JobState.RUNNING
                change_jobs(connection, t.job.c.id == job_id, state)
                _change_waiting(connection, job_id, ChunkState.PAUSED, ChunkState.QUEUED)
            return _requeued_job(connection, job_id)

    def cancel(self, job_id: str) -> Job:
        """Cancel what no worker has started; an ended job stays unchanged.

        Items that were being retried keep the error of the earlier attempt.
        """
        with self._database.write() as connection:
            if _locked(connection, job_id).state in FINAL:
                return require_job(connection, job_id)
            connection.execute(delete(t.source).where(t.source.c.job_id == job_id))
            connection.execute(delete(t.smoothing).where(t.smoothing.c.job_id == job_id))
            cancel_chunks(connection, connection.execute(_waiting(job_id, WAITING_CHUNK)).all())
            # if nothing else was open, the job has ended
            change_jobs(
                connection, t.job.c.id == job_id, JobState.CANCELLED, expanding=False, finished_at=now_s()
            )
            return require_job(connection, job_id)

    def retry(self, job_id: str) -> RequeuedJob:
        """Retry the failed items in the same job; all other results stay.

        Items that were refused at submission have no picture and are not retried. Raises
        `job_not_found`, `job_state_invalid` unless the job is partial or failed, or `retry_empty`.
        """
        with self._database.read() as connection:
            row = job_row(connection, job_id)
            job = unpack_job(row)
            _check_ended_badly(job)
            if KINDS[job.kind].reads_vectors:  # its file is gone, and no worker claims its chunks
                raise ExemplarError(
                    "retry_empty", "expected a job whose items can be retried; import the file again"
                )
            if KINDS[job.kind].enrols and row.collection_id is None:
                raise ExemplarError(
                    "retry_empty", "expected a job whose collection exists; create it and enrol again"
                )
            failed = failed_chunks(connection, job_id)
        again = 0
        # A few chunks per transaction, so that others can write in between. The job stays paused until the
        # last of them, so that it cannot end meanwhile; if this process dies half way, it can be resumed.
        for start in range(0, len(failed), CUT_AT_ONCE):
            with self._database.write() as connection:
                job = _locked(connection, job_id)
                if again == 0:
                    _check_ended_badly(job)
                elif job.state is not JobState.PAUSED:  # resumed or cancelled meanwhile
                    break
                again += reopen(connection, job, failed[start : start + CUT_AT_ONCE])
                if again > 0 and start + CUT_AT_ONCE >= len(failed):
                    change_jobs(connection, t.job.c.id == job_id, JobState.QUEUED)
                    _change_waiting(connection, job_id, ChunkState.PAUSED, ChunkState.QUEUED)
        if again == 0:
            raise ExemplarError(
                "retry_empty",
                "expected failed items that can be retried; these were refused when they were submitted: "
                "submit them again",
            )
        with self._database.read() as connection:
            return _requeued_job(connection, job_id)


def _locked(connection: Connection, job_id: str) -> Job:
    return unpack_job(job_row(connection, job_id, locked=True))


def _check_ended_badly(job: Job) -> None:
    if job.state not in (JobState.PARTIAL, JobState.FAILED):
        raise _invalid(job, "expected a job that is partial or failed")


def _requeued_job(connection: Connection, job_id: str) -> RequeuedJob:
    queued = (t.chunk.c.job_id == job_id, t.chunk.c.state == ChunkState.QUEUED)
    encoder = connection.execute(select(t.chunk.c.encoder).where(*queued).limit(1)).scalar()
    return RequeuedJob(require_job(connection, job_id), encoder)


def _invalid(job: Job, expected: str) -> ExemplarError:
    return ExemplarError("job_state_invalid", f"{expected}, this one is {job.state.value}")


def _change_waiting(connection: Connection, job_id: str, before: ChunkState, after: ChunkState) -> None:
    waiting = _waiting(job_id, [before]).with_only_columns(t.chunk.c.id)
    now = select(now_s()).scalar_subquery()  # one time for all, so that they keep the order of their ids
    change_chunks(connection, t.chunk.c.id.in_(waiting), after, queued_at=now)


def _waiting(job_id: str, states: Collection[ChunkState]) -> Select[Any]:
    return (
        select(t.chunk.c.id, t.chunk.c.job_id, t.chunk.c.results)
        .where(t.chunk.c.job_id == job_id, t.chunk.c.state.in_(states))
        .order_by(t.chunk.c.id)
        .with_for_update(skip_locked=True)
    )
