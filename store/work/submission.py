"""Submission: a job and its chunks, or its source, written in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from core.errors import ExemplarError
from core.jobs import FINAL, MAX_CHUNK_ITEMS, ChunkState, Job, JobKind, JobRequest, JobState, Lane
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.collections import keep_collection
from store.work.kinds import KINDS
from store.work.packing import chunk_rows
from store.work.rows import require_job
from store.work.smoothing import await_smoothing
from store.work.states import UNDONE


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key, and a digest of the request that used it."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job in the record, and its encoder; `replayed` if the key had been used before."""

    job: Job
    encoder: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """The size of chunks, and the limits on waiting work."""

    chunk_items: int
    max_queued_items: int
    max_sources: int


Before = Callable[[Connection], None]
"""Writes what a job needs, in the transaction that submits it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A job that a caller requests; `before` does not run if the key was already used."""

    job_id: str
    request: JobRequest
    idempotency: Idempotency | None = None
    before: Before | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    """The owner of a job; `collection_id` is None if it belongs to an encoder alone."""

    collection_id: int | None
    encoder: str
    version: int


def submit(database: Database, limits: Limits, submission: Submission) -> Submitted:
    """Write a job; retry once if its key or its collection was written or deleted meanwhile."""
    try:
        with database.write() as connection:
            return submit_within(connection, limits, submission)
    except IntegrityError:
        with database.write() as connection:
            return submit_within(connection, limits, submission)


def submit_within(connection: Connection, limits: Limits, submission: Submission) -> Submitted:
    """Write a job in a transaction."""
    request, idempotency = submission.request, submission.idempotency
    first = None if idempotency is None else _first_under(connection, idempotency)
    if first is not None and not _still_answers(connection, first):
        connection.execute(delete(t.idempotency).where(t.idempotency.c.job_id == first.id))
        first = None
    if submission.before is not None and first is None:
        submission.before(connection)
    target = _target(connection, request)
    if first is not None:
        return Submitted(first, target.encoder, replayed=True)
    # a job about another one may be as large as that
    check_room(connection, limits, 1 if KINDS[request.kind].has_target else len(request.items))
    _check_version(request.min_version, target.version)
    if request.source is not None:
        check_room_to_read(connection, limits)
    connection.execute(insert(t.job).values(_job_row(submission, target)))
    _insert_work(connection, limits, submission, target.encoder)
    if request.smooth:
        await_smoothing(connection, submission.job_id)
    if idempotency is not None:
        key = {"key": idempotency.key, "digest": idempotency.digest, "job_id": submission.job_id}
        connection.execute(insert(t.idempotency).values(**key, created_at=now_s()))
    return Submitted(require_job(connection, submission.job_id), target.encoder, replayed=False)


def _insert_work(connection: Connection, limits: Limits, submission: Submission, encoder: str) -> None:
    request = submission.request
    if request.source is not None:
        source = {
            "job_id": submission.job_id,
            "encoder": encoder,
            "asked": asdict(request.source),
            "position": 0,
            "attempts": 0,
        }
        connection.execute(insert(t.source).values(source))
        return
    size = 1 if request.lane is Lane.INTERACTIVE else limits.chunk_items
    if KINDS[request.kind].has_target:  # its items need no encoder
        size = MAX_CHUNK_ITEMS
    common = {
        "job_id": submission.job_id,
        "encoder": encoder,
        "lane": request.lane,
        "state": ChunkState.QUEUED,
    }
    chunks = chunk_rows(common, request.items, size)
    connection.execute(insert(t.chunk).values(queued_at=now_s()), chunks)


def check_room(connection: Connection, limits: Limits, items: int) -> None:
    """Raise `queue_full` if so many more items are too many."""
    waiting: int = connection.execute(
        select(func.coalesce(func.sum(t.chunk.c.size), 0)).where(t.IS_QUEUED)
    ).scalar_one()
    left = t.job.c.total - t.job.c.done - t.job.c.failed
    waiting += connection.execute(select(func.coalesce(func.sum(left), 0)).where(t.IS_PAUSED)).scalar_one()
    if waiting + items > limits.max_queued_items:
        raise ExemplarError(
            "queue_full",
            f"{waiting} items are waiting, expected at most {limits.max_queued_items}; try again later",
            retry=True,
        )


def check_room_to_read(connection: Connection, limits: Limits) -> None:
    """Raise `queue_full` if one more source is too many."""
    open_ = connection.execute(select(func.count()).select_from(t.source)).scalar_one()
    if open_ >= limits.max_sources:
        raise ExemplarError(
            "queue_full",
            f"{open_} bulk uploads wait to be read, expected at most {limits.max_sources}; try again later",
            retry=True,
        )


def _first_under(connection: Connection, idempotency: Idempotency) -> Job | None:
    row = connection.execute(select(t.idempotency).where(t.idempotency.c.key == idempotency.key)).first()
    if row is None:
        return None
    if row.digest != idempotency.digest:
        raise ExemplarError(
            "idempotency_conflict", "this Idempotency-Key was used for another request; use a new key"
        )
    return require_job(connection, row.job_id)


def _check_version(wanted: int, current: int) -> None:
    if wanted > current:
        raise ExemplarError(
            "min_version_ahead",
            f"expected min_version of at most {current}, the collection's version, got {wanted}",
        )


def _target(connection: Connection, request: JobRequest) -> _Target:
    if request.encoder is not None:
        return _Target(None, request.encoder, 0)
    row = keep_collection(connection, request.collection)
    return _Target(row.id, row.encoder, row.version)


def _job_row(submission: Submission, target: _Target) -> dict[str, Any]:
    request = submission.request
    return {
        "id": submission.job_id,
        "collection_id": target.collection_id,
        "collection_name": request.collection,
        "kind": request.kind,
        "lane": request.lane,
        "state": JobState.QUEUED,
        "total": len(request.items),
        "top": request.top,
        "min_version": request.min_version,
        "submitted_version": target.version,
        "expanding": request.source is not None,
        "webhook": request.webhook,
        "smooth": request.smooth,
        "origin": None if request.origin is None else asdict(request.origin),
        "target": request.target,
        "options": dict(request.options) or None,
        "created_at": now_s(),
    }


def _still_answers(connection: Connection, job: Job) -> bool:
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
