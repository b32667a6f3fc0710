"""Claims: queued chunks taken under a lease, enough to fill a batch of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from core.jobs import Chunk, ChunkState, JobState, Lane
from store import tables as t
from store.clock import now_s
from store.work.leases import Lease, is_past
from store.work.locks import lock_jobs
from store.work.requeue import requeue_in_place
from store.work.rows import select_chunks, unpack_chunk
from store.work.states import change_chunks, change_jobs, waiting_state

MAX_DEFER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A claim request: chunks of about so many items for an encoder, lane by lane."""

    encoder: str
    lanes: Sequence[Lane]
    items: int


def is_claimable(encoder: str, lanes: Sequence[Lane]) -> ColumnElement[bool]:
    """Return the condition that a chunk waits for an encoder and is not deferred."""
    chunk = t.chunk.c
    return (
        t.IS_QUEUED
        & ~chunk.unfetched
        # only chunks that were tried are deferred; the others do not depend on the clock
        & ((chunk.attempts == 0) | is_past(chunk.queued_at, MAX_DEFER_S))
        & (chunk.encoder == encoder)
        & chunk.lane.in_(lanes)
    )


def claim_chunks(connection: Connection, lease: Lease, owner: str, wanted: Wanted) -> list[Chunk] | None:
    """Return the claimed chunks, or None if all that were found belong to paused or ended jobs."""
    found, picked = _lock_queued(connection, wanted)
    if not picked:
        return []
    # control skips chunks that are locked here, including those that are not claimed after all
    states = lock_jobs(connection, {row.job_id for row in found})
    for row in found:
        if waiting_state(states[row.job_id]) is not ChunkState.QUEUED:
            requeue_in_place(connection, row, states[row.job_id], attempts=row.attempts)
    ids = [row.id for row in picked if waiting_state(states[row.job_id]) is ChunkState.QUEUED]
    if not ids:
        return None
    change_chunks(
        connection,
        t.chunk.c.id.in_(ids),
        ChunkState.RUNNING,
        attempts=t.chunk.c.attempts + 1,
        **lease.taken_by(owner),
    )
    rows = connection.execute(select_chunks().where(t.chunk.c.id.in_(ids))).all()
    begun = {row.job_id for row in rows if states[row.job_id] is JobState.QUEUED}
    started_at = func.coalesce(t.job.c.started_at, now_s())
    change_jobs(connection, t.job.c.id.in_(begun), JobState.RUNNING, started_at=started_at)
    by_id = {row.id: unpack_chunk(row) for row in rows}
    return [by_id[chunk_id] for chunk_id in ids]


def _lock_queued(connection: Connection, wanted: Wanted) -> tuple[list[Any], list[Any]]:
    """Lock queued chunks; return all of them, and those to claim."""
    chunk = t.chunk.c
    items = wanted.items
    found: list[Any] = []
    picked: list[Any] = []
    for lane in wanted.lanes:
        rows = connection.execute(
            select(chunk.id, chunk.job_id, chunk.size, chunk.attempts, chunk.queued_at, chunk.results)
            .where(is_claimable(wanted.encoder, [lane]))
            .order_by(chunk.queued_at, chunk.id)
            .limit(items)
            .with_for_update(skip_locked=True)
        ).all()
        found += rows
        for row in rows:
            if row.attempts > 0:  # it may have killed its last worker: claim it alone
                return found, picked or [row]
            if picked and row.size > items:
                return found, picked
            picked.append(row)
            items -= row.size
            if items <= 0:
                return found, picked
    return found, picked
