"""The jobs that embed a collection's supports with another encoder."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from core.jobs import FINAL, Job, JobKind, JobState, Lane
from store import tables as t
from store.clock import now_s
from store.work.jobs import new_job_id
from store.work.rows import unpack_job


def new_reindex_job(connection: Connection, collection: Row[Any]) -> str:
    """Add the job of a reindex of a collection, without items so far; return its id."""
    job_id = new_job_id()
    connection.execute(
        insert(t.job).values(
            id=job_id,
            collection_id=collection.id,
            collection_name=collection.name,
            kind=JobKind.REINDEX,
            lane=Lane.BULK,
            state=JobState.QUEUED,
            total=0,
            top=1,
            min_version=0,
            submitted_version=collection.version,
            expanding=True,
            created_at=now_s(),
        )
    )
    return job_id


def open_job(connection: Connection, job_id: str) -> Job | None:
    """Return a job that has not ended; None if it has, or is gone."""
    row = connection.execute(select(t.job).where(t.job.c.id == job_id)).first()
    return None if row is None or row.state in FINAL else unpack_job(row)
