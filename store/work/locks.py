"""The lock order of the record, and the functions that lock its rows.

A transaction locks in this order, several rows of one table in the order of their ids:

1. chunks that wait or run
2. collections
3. jobs
4. the row that belongs to one job (source, smoothing, reindex, delivery), and its settled chunks

A review is written with its collection and its job locked, or by the settlement that enrols its picture, with
its collection locked.

One order prevents deadlock: no two transactions wait for each other. A transaction that already holds a row
further down locks a row further up only with `SKIP LOCKED`. So control locks the job first, and leaves a
chunk that is being claimed or settled to its holder, which reads the job's state once it has locked the
job. Renewing leases skips locked rows too, since they are being written.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select

from core.jobs import JobState
from store import tables as t


def lock_job(connection: Connection, job_id: str) -> Row[Any] | None:
    """Lock a job and return its row; None if it is gone."""
    return connection.execute(select(t.job).where(t.job.c.id == job_id).with_for_update()).first()


def lock_jobs(connection: Connection, job_ids: Collection[str]) -> dict[str, JobState]:
    """Lock jobs and return their states, which cannot change until the end of the transaction."""
    rows = connection.execute(
        select(t.job.c.id, t.job.c.state)
        .where(t.job.c.id.in_(job_ids))
        .order_by(t.job.c.id)
        .with_for_update()
    )
    return {row.id: row.state for row in rows}


def lock_chunks(connection: Connection, owner: str, chunk_ids: Collection[int] | None = None) -> set[int]:
    """Lock the running chunks that an owner holds, all or those given; return their ids."""
    held = (
        select(t.chunk.c.id)
        .where(t.IS_RUNNING, t.chunk.c.lease_owner == owner)
        .order_by(t.BY_ID)
        .with_for_update()
    )
    if chunk_ids is not None:
        held = held.where(t.chunk.c.id.in_(chunk_ids))
    return set(connection.execute(held).scalars())
