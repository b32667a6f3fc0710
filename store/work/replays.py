"""Replays: whether the job under an idempotency key is still the answer to the same request."""

from __future__ import annotations

from sqlalchemy import Connection, select

from core.types import FINAL, Job, JobKind
from store import tables as t
from store.work.states import UNDONE


def still_answers(connection: Connection, job: Job) -> bool:
    """Return whether the effect of a job still exists.

    It does not if the job failed or was cancelled, if its collection was deleted (one of the same name is
    another), or if none of the supports that it enrolled is left.
    """
    if job.state in UNDONE:
        return False
    collection_id = connection.execute(select(t.job.c.collection_id).where(t.job.c.id == job.id)).scalar()
    if collection_id is None:
        return job.kind is JobKind.EMBED  # which may be the job of an encoder alone
    return job.kind is not JobKind.ENROLL or job.state not in FINAL or _has_supports(connection, job.id)


def _has_supports(connection: Connection, job_id: str) -> bool:
    """Return whether one of the supports of an enrolment is left; usually the first chunk tells."""
    chunk = t.chunk.c
    statement = select(chunk.results).where(chunk.job_id == job_id).order_by(chunk.first_item)
    for results in connection.execute(statement).scalars():
        done = [one for one in results or () if one["status"] == "done"]
        if any("quarantine_id" in one for one in done):
            return True
        ids = [one["support_id"] for one in done]
        left = select(t.support.c.id).where(t.support.c.id.in_(ids), t.support.c.class_id.is_not(None))
        if ids and connection.execute(left.limit(1)).first() is not None:
            return True
    return False
