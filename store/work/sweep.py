"""The sweep: running chunks whose lease has expired are requeued, split, or failed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, update

from core.errors import ExemplarError
from core.jobs import JobState
from core.results import Result, failed_result
from store import tables as t
from store.work.kinds import KINDS
from store.work.leases import Lease
from store.work.locks import lock_jobs
from store.work.packing import unpack_items
from store.work.requeue import cancel_chunks, requeue_at_end, split_chunk
from store.work.rows import select_chunks
from store.work.settlement import close

ENDED_AT_ONCE = 500  # chunks in one transaction


def sweep_chunks(connection: Connection, lease: Lease, max_attempts: int) -> int:
    """Requeue or fail every running chunk whose lease has expired; return their number.

    A chunk that was tried too often fails. One of several items is split, so that the item that kills its
    worker is found without failing the others. Both go to the end of the queue, so that repeated
    crashes do not hit the same chunks. Work of a cancelled job ends.
    """
    lost = connection.execute(
        select_chunks()
        .where(t.IS_RUNNING, lease.is_over)
        .order_by(t.BY_ID)
        .with_for_update(skip_locked=True, of=t.chunk)
    ).all()
    states = lock_jobs(connection, {row.job_id for row in lost})
    failed = []
    for row in lost:
        state = states[row.job_id]
        if state is not JobState.CANCELLED and row.attempts >= max_attempts:
            failed.append((row.id, row.job_id, _failed_results(row)))
        elif state is not JobState.CANCELLED and row.size > 1:
            split_chunk(connection, row, state)
        else:
            requeue_at_end(connection, row, state)
    close(connection, failed)
    return len(lost)


def end_queued_chunks(connection: Connection, encoder: str, error: ExemplarError) -> int:
    """Fail or requeue the work queued for a removed encoder; return the number of chunks."""
    rows = connection.execute(
        select_chunks()
        .add_columns(t.collection.c.encoder.label("answering"))
        .where(t.IS_QUEUED, t.chunk.c.encoder == encoder)
        .order_by(t.BY_ID)
        .limit(ENDED_AT_ONCE)
        .with_for_update(skip_locked=True, of=t.chunk)
    ).all()
    states = lock_jobs(connection, {row.job_id for row in rows})
    failed = []
    for row in rows:
        if states[row.job_id] is JobState.CANCELLED:
            cancel_chunks(connection, [row])
        elif row.answering in (None, encoder) or not KINDS[row.kind].follows_encoder:
            failed.append((row.id, row.job_id, _all_failed(row, error)))
        else:
            moved = update(t.chunk).where(t.chunk.c.id == row.id)
            connection.execute(moved.values(encoder=row.answering))
    close(connection, failed)
    return len(rows)


def _failed_results(row: Row[Any]) -> list[Result]:
    if row.reason is None:
        detail = f"{row.attempts} workers died while they processed this picture; it is not retried"
        error = ExemplarError("worker_lost", detail)
    else:
        detail = f"processing failed {row.attempts} times, at last with: {row.reason}"
        error = ExemplarError("work_failed", detail)
    return _all_failed(row, error)


def _all_failed(row: Row[Any], error: ExemplarError) -> list[Result]:
    return [failed_result(item, error) for item in unpack_items(row.inputs)]
