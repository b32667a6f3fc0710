"""The removal of a collection, with everything that belongs to it."""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, exists, select, update

from core.jobs import JobKind, JobState
from store import tables as t
from store.clock import now_s
from store.work.states import FINAL_CHUNK, change_jobs


def end_reindexes(connection: Connection, collection_id: int) -> None:
    """Stop queueing supports for the other encoder; a job with nothing open ends."""
    job, chunk = t.job.c, t.chunk.c
    is_reindex = and_(job.collection_id == collection_id, job.kind == JobKind.REINDEX, job.expanding)
    has_open = exists(select(1).where(chunk.job_id == job.id, chunk.state.not_in(FINAL_CHUNK)))
    which = is_reindex & ~has_open
    change_jobs(connection, which, JobState.CANCELLED, expanding=False, finished_at=now_s())
    connection.execute(update(t.job).where(is_reindex).values(expanding=False))


def delete_collection(connection: Connection, collection_id: int) -> None:
    """Delete a locked collection."""
    # the deletion changes these jobs, so lock them in the order of `locks.py`
    jobs = select(t.job.c.id).where(t.job.c.collection_id == collection_id).order_by(t.job.c.id)
    connection.execute(jobs.with_for_update())
    end_reindexes(connection, collection_id)
    connection.execute(delete(t.support).where(t.support.c.collection_id == collection_id))
    connection.execute(delete(t.class_).where(t.class_.c.collection_id == collection_id))
    connection.execute(delete(t.collection).where(t.collection.c.id == collection_id))
