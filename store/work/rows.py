"""Conversion of rows of jobs and chunks to values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select

from core.errors import ExemplarError
from core.types import FINAL, MAX_CHUNK_ITEMS, Chunk, Job, Origin, Views
from store import tables as t
from store.work.packing import unpack_items


def require_job(connection: Connection, job_id: str) -> Job:
    """Return a job inside a transaction; raises `job_not_found`."""
    row = connection.execute(select(t.job).where(t.job.c.id == job_id)).first()
    if row is None:
        raise job_not_found(job_id)
    return unpack_job(row)


def job_not_found(job_id: str) -> ExemplarError:
    """Return the error for a missing job."""
    return ExemplarError("job_not_found", f"there is no job {job_id!r}")


def unpack_job(row: Row[Any]) -> Job:
    """Return the job in a row of its table."""
    return Job(
        id=row.id,
        collection=row.collection_name,
        kind=row.kind,
        lane=row.lane,
        state=row.state,
        total=row.total,
        done=row.done,
        failed=row.failed,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        expanding=row.expanding and row.state not in FINAL,
        smooth=row.smooth,
        note=row.note,
        target=row.target,
        top=row.top,
        where=(row.options or {}).get("where"),
    )


def select_chunks() -> Select[Any]:
    """Select chunks with the columns of job and collection that `unpack_chunk` needs."""
    return select(
        t.chunk,
        t.job.c.kind,
        t.job.c.collection_id,
        t.job.c.top,
        t.job.c.min_version,
        t.job.c.submitted_version,
        t.job.c.smooth,
        t.job.c.collection_name,
        t.job.c.origin,
        t.job.c.target,
        t.job.c.options,
        t.collection.c.views,
    ).select_from(
        t.chunk.join(t.job, t.job.c.id == t.chunk.c.job_id).outerjoin(
            t.collection, t.collection.c.id == t.job.c.collection_id
        )
    )


def unpack_chunk(row: Row[Any]) -> Chunk:
    """Return the chunk in a row of `select_chunks`."""
    return Chunk(
        id=row.id,
        job_id=row.job_id,
        kind=row.kind,
        collection_id=row.collection_id,
        items=unpack_items(row.inputs),
        top=row.top,
        min_version=row.min_version,
        submitted_version=row.submitted_version,
        attempts=row.attempts,
        views=Views(row.views or Views.ONE),  # null if the collection is gone
        smooth=row.smooth,
        collection=row.collection_name,
        origin=unpack_origin(row.origin),
        encoder=row.encoder,
        target=row.target or "",
        options=row.options or {},
    )


def unpack_origin(packed: Mapping[str, Any] | None) -> Origin | None:
    """Return who submitted a job, as its row says."""
    return None if packed is None else Origin(**packed)


def overlaps(table: Table, job_id: str, first: int, end: int | None = None) -> ColumnElement[bool]:
    """Return the condition that a row spans items of a job from `first` on, before `end` if given.

    The table has the items of jobs in parts of at most `MAX_CHUNK_ITEMS`, as `first_item` and `size`, and an
    index of `job_id` and `first_item`.
    """
    column = table.c
    found = (
        (column.job_id == job_id)
        & (column.first_item > first - MAX_CHUNK_ITEMS)  # a range that the index covers
        & (column.first_item + column.size > first)
    )
    return found if end is None else found & (column.first_item < end)
