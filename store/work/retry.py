"""Retry: split settled chunks of a job, so that only their failed items are queued again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from core.jobs import FINAL, ChunkState, Job, JobState, is_web_url
from core.results import Result, tally_of
from store import tables as t
from store.clock import now_s
from store.work.smoothing import await_smoothing
from store.work.states import change_jobs

Piece = dict[str, Any]
"""A chunk row to be written."""


def failed_chunks(connection: Connection, job_id: str) -> list[int]:
    """Return the settled chunks of a job that contain failed items, in the order of their ids."""
    tallies = connection.execute(
        select(t.tally.c.chunk_id, t.tally.c.counts)
        .where(t.tally.c.job_id == job_id)
        .order_by(t.tally.c.chunk_id)
    )
    return [row.chunk_id for row in tallies if row.counts.get("errors")]


def reopen(connection: Connection, job: Job, chunk_ids: Sequence[int]) -> int:
    """Split settled chunks of a locked job into pieces, of which the failed ones are queued again.

    Returns the number of those items; if there are any, the job is reopened, and paused.
    """
    chunks = connection.execute(
        select(t.chunk)
        .where(t.chunk.c.id.in_(chunk_ids), t.chunk.c.state == ChunkState.SETTLED)
        .order_by(t.chunk.c.id)
        .with_for_update(skip_locked=True)  # a locked one is being deleted with its job
    ).all()
    again: list[Piece] = []
    stay: list[tuple[Piece, str | None]] = []  # with the smoothing inputs' blob, which pieces share
    cut: list[int] = []
    kept = _smoothing_inputs(connection, chunk_ids)
    for chunk in chunks:
        pieces = list(_pieces(chunk))
        failed = [piece for piece in pieces if piece["state"] is not ChunkState.SETTLED]
        if failed:
            cut.append(chunk.id)
            again += failed
            stay += [(piece, kept.get(chunk.id)) for piece in pieces if piece["state"] is ChunkState.SETTLED]
    connection.execute(delete(t.chunk).where(t.chunk.c.id.in_(cut)))
    if again:
        connection.execute(insert(t.chunk).values(queued_at=now_s()), again)
    if stay:
        _insert_settled(connection, stay)
    items: int = sum(piece["size"] for piece in again)
    if items:
        _reopen_job(connection, job, items)
    return items


def _reopen_job(connection: Connection, job: Job, items: int) -> None:
    of_job = t.job.c.id == job.id
    connection.execute(update(t.job).where(of_job).values(failed=t.job.c.failed - items))
    if job.state in FINAL:
        change_jobs(connection, of_job, JobState.PAUSED, finished_at=None, announced=False, note=None)
    if job.smooth:  # smooth everything again: retried items have neighbours among the others
        await_smoothing(connection, job.id)


def _insert_settled(connection: Connection, pieces: Sequence[tuple[Piece, str | None]]) -> None:
    made = insert(t.chunk).values(queued_at=now_s()).returning(t.chunk.c.id, sort_by_parameter_order=True)
    ids = connection.execute(made, [piece for piece, _ in pieces]).scalars()
    tallies = [
        {
            "chunk_id": chunk_id,
            "job_id": piece["job_id"],
            "counts": tally_of(piece["results"]),
            "kept": name,
        }
        for chunk_id, (piece, name) in zip(ids, pieces, strict=True)
    ]
    connection.execute(insert(t.tally), tallies)


def _smoothing_inputs(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, str | None]:
    rows = connection.execute(
        select(t.tally.c.chunk_id, t.tally.c.kept).where(t.tally.c.chunk_id.in_(chunk_ids))
    )
    return {row.chunk_id: row.kept for row in rows}


def _pieces(chunk: Row[Any]) -> Iterator[Piece]:
    """Yield the runs of a chunk's items that failed, in state paused, and those that keep their results."""
    items = list(enumerate(zip(chunk.inputs, chunk.results, strict=True)))
    for failed, run in groupby(items, key=lambda item: _may_be_tried(*item[1])):
        part = list(run)
        yield {
            "job_id": chunk.job_id,
            "encoder": chunk.encoder,
            "lane": chunk.lane,
            "state": ChunkState.PAUSED if failed else ChunkState.SETTLED,
            "first_item": chunk.first_item + part[0][0],
            "size": len(part),
            "unfetched": failed and any(is_web_url(packed.get("place")) for _, (packed, _) in part),
            "inputs": [_without_problem(packed) if failed else packed for _, (packed, _) in part],
            "results": [result for _, (_, result) in part],
        }


def _may_be_tried(packed: dict[str, Any], result: Result) -> bool:
    """Return whether an item failed that has a picture, or a URL to fetch it again."""
    is_refused = packed.get("problem") is not None and not is_web_url(packed.get("place"))
    return result["status"] == "failed" and not is_refused


def _without_problem(packed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in packed.items() if name != "problem"}
