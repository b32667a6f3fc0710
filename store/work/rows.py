"""Conversion of rows of jobs and chunks to values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, bindparam, select, update

from core.collections import Views
from core.errors import ExemplarError
from core.jobs import FINAL, MAX_CHUNK_ITEMS, Chunk, Job, Origin
from core.results import Result, tally_of
from store import tables as t
from store.unpacking import unpack
from store.work.packing import unpack_items


def job_row(connection: Connection, job_id: str, *, locked: bool = False) -> Row[Any]:
    """Return the row of a job; raises `job_not_found`."""
    statement = select(t.job).where(t.job.c.id == job_id)
    row = connection.execute(statement.with_for_update() if locked else statement).first()
    if row is None:
        raise job_not_found(job_id)
    return row


def require_job(connection: Connection, job_id: str) -> Job:
    """Return a job inside a transaction; raises `job_not_found`."""
    return unpack_job(job_row(connection, job_id))


def job_not_found(job_id: str) -> ExemplarError:
    """Return the error for a missing job."""
    return ExemplarError("job_not_found", f"there is no job {job_id!r}")


def unpack_job(row: Row[Any]) -> Job:
    """Return the job in a row of its table."""
    return unpack(
        Job,
        row,
        collection=row.collection_name,
        expanding=row.expanding and row.state not in FINAL,
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
    return unpack(
        Chunk,
        row,
        items=unpack_items(row.inputs),
        views=Views(row.views or Views.ONE),  # null if the collection is gone
        collection=row.collection_name,
        origin=unpack_origin(row.origin),
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


def replace_results(connection: Connection, changed: Mapping[int, Sequence[Result]]) -> None:
    """Replace the results of locked chunks that are settled, and their counts."""
    if not changed:
        return
    connection.execute(
        update(t.chunk).where(t.chunk.c.id == bindparam("of")).values(results=bindparam("outcome")),
        [{"of": chunk_id, "outcome": results} for chunk_id, results in changed.items()],
    )
    connection.execute(
        update(t.tally).where(t.tally.c.chunk_id == bindparam("of")).values(counts=bindparam("outcome")),
        [{"of": chunk_id, "outcome": tally_of(results)} for chunk_id, results in changed.items()],
    )
