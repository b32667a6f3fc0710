"""Requeue chunks, or end them if their job was cancelled; the caller has locked them all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, FromClause, Row, delete, insert, select, update

from core.jobs import Chunk, ChunkState, JobState
from store import tables as t
from store.clock import now_s
from store.database import slices
from store.record.collections import lock_collection
from store.work.kinds import KINDS
from store.work.leases import RELEASED
from store.work.locks import lock_jobs
from store.work.settlement import close
from store.work.states import change_chunks, waiting_state


def requeue_in_place(connection: Connection, row: Row[Any], job: JobState, *, attempts: int) -> None:
    """Requeue a chunk at its old place in the queue; one of a cancelled job ends."""
    _wait(connection, row, job, attempts=attempts)


def requeue_at_end(connection: Connection, row: Row[Any], job: JobState) -> None:
    """Requeue a chunk at the end of the queue; one of a cancelled job ends."""
    _wait(connection, row, job, queued_at=now_s())


def requeue_unclaimed(connection: Connection, chunk_ids: Collection[int]) -> None:
    """Requeue chunks as if they had not been claimed."""
    rows = connection.execute(select(t.chunk).where(t.chunk.c.id.in_(chunk_ids))).all()
    states = lock_jobs(connection, {row.job_id for row in rows})
    for row in rows:
        requeue_in_place(connection, row, states[row.job_id], attempts=row.attempts - 1)


def requeue_for_encoder(connection: Connection, chunk_ids: Collection[int]) -> set[str]:
    """Requeue chunks for their collection's current encoder; return which encoders those are."""
    rows = connection.execute(
        select(t.chunk, t.collection.c.encoder.label("answering"))
        .select_from(_with_collection())
        .where(t.chunk.c.id.in_(chunk_ids))
        .order_by(t.chunk.c.id)
    ).all()
    states = lock_jobs(connection, {row.job_id for row in rows})
    for row in rows:
        connection.execute(update(t.chunk).where(t.chunk.c.id == row.id).values(encoder=row.answering))
        requeue_in_place(connection, row, states[row.job_id], attempts=row.attempts - 1)
    return {row.answering for row in rows}


def requeue_misrouted(connection: Connection, chunks: Sequence[Chunk]) -> set[int]:
    """Requeue the chunks whose collection no longer uses the encoder that embedded them; return their ids.

    Locks the collections that the others write to, so that none of them changes its encoder meanwhile.
    """
    writing = [chunk for chunk in chunks if KINDS[chunk.kind].writes_vectors]
    for collection_id in sorted({chunk.collection_id or 0 for chunk in writing}):
        lock_collection(connection, collection_id)
    following = [chunk.id for chunk in writing if KINDS[chunk.kind].follows_encoder]
    if not following:
        return set()
    found = (
        select(t.chunk.c.id)
        .select_from(_with_collection())
        .where(t.chunk.c.id.in_(following), t.chunk.c.encoder != t.collection.c.encoder)
    )
    misrouted = set(connection.execute(found).scalars())
    requeue_for_encoder(connection, misrouted)
    return misrouted


def split_chunk(connection: Connection, row: Row[Any], job: JobState) -> None:
    """Replace a chunk by chunks of one item each, at the end of the queue."""
    earlier = row.results or [None] * row.size
    parts = [
        {
            "job_id": row.job_id,
            "encoder": row.encoder,
            "lane": row.lane,
            "state": waiting_state(job),
            "first_item": row.first_item + number,
            "size": 1,
            "attempts": row.attempts,
            "reason": row.reason,
            "inputs": [packed],
            "results": None if result is None else [result],
        }
        for number, (packed, result) in enumerate(zip(row.inputs, earlier, strict=True))
    ]
    connection.execute(insert(t.chunk).values(queued_at=now_s()), parts)
    connection.execute(delete(t.chunk).where(t.chunk.c.id == row.id))


def cancel_chunks(connection: Connection, chunks: Sequence[Row[Any]]) -> None:
    """Cancel chunks (id, job_id, results); one with results of an earlier attempt is settled with those."""
    untried = [chunk.id for chunk in chunks if chunk.results is None]
    for some in slices(untried):
        change_chunks(connection, t.chunk.c.id.in_(some), ChunkState.CANCELLED, **RELEASED)
    close(connection, [(c.id, c.job_id, list(c.results)) for c in chunks if c.results is not None])


def _wait(connection: Connection, row: Row[Any], job: JobState, **values: Any) -> None:
    state = waiting_state(job)
    if state is ChunkState.CANCELLED:
        cancel_chunks(connection, [row])
    else:
        change_chunks(connection, t.chunk.c.id == row.id, state, **RELEASED, **values)


def _with_collection() -> FromClause:
    return t.chunk.join(t.job, t.job.c.id == t.chunk.c.job_id).join(
        t.collection, t.collection.c.id == t.job.c.collection_id
    )
