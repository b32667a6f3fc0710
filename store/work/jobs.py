"""Jobs: what callers submitted and what became of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from core.errors import ExemplarError
from core.results import Tally, sum_tallies
from core.types import FINAL, MAX_CHUNK_ITEMS, Item, Job, JobKind, JobRequest, JobState, Lane, Source
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.collections import find_collection
from store.work.packing import pack_item


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key, and a digest of everything that was asked under it."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A job in the record, and the encoder that will do it; `replayed` where the key had been used before."""

    job: Job
    encoder: str
    replayed: bool


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Results in the order of the items; `next_item` is None once all have been given."""

    results: Sequence[Mapping[str, Any]]
    next_item: int | None


@dataclass(frozen=True, slots=True)
class JobCount:
    """Jobs of one kind in one state, and what became of their items."""

    kind: JobKind
    state: JobState
    jobs: int
    done: int
    failed: int


_FINAL = [state.value for state in FINAL]

Before = Callable[[Connection], None]


def new_job_id() -> str:
    """Return an id that sorts by time and cannot be guessed."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def submitted_at(job_id: str) -> float:
    """Return when an id was made, in seconds since 1970; 0.0 where it is none of ours."""
    try:
        return int(job_id[:12], 16) / 1000
    except ValueError:
        return 0.0


class Jobs:
    """The jobs of the record."""

    def __init__(
        self, database: Database, *, chunk_items: int, max_queued_items: int, max_sources: int = 32
    ) -> None:
        self._database = database
        self._max_sources = max_sources
        self._chunk_items = chunk_items
        self._max_queued_items = max_queued_items

    def submit(
        self,
        job_id: str,
        request: JobRequest,
        idempotency: Idempotency | None = None,
        *,
        before: Before | None = None,
    ) -> Submitted:
        """Write a job and its chunks; once this returns the job is never lost.

        `before` writes what the job needs in the same transaction, unless the key has been used.

        Raises `collection_not_found`, `queue_full`, `min_version_ahead`, or `idempotency_conflict` where the
        key stands for another request.
        """
        try:
            return self._submit(job_id, request, idempotency, before)
        except IntegrityError:  # a twin with the same key, or the collection's deletion, came in between
            return self._submit(job_id, request, idempotency, before)

    def _submit(
        self, job_id: str, request: JobRequest, idempotency: Idempotency | None, before: Before | None
    ) -> Submitted:
        with self._database.write() as connection:
            first = None if idempotency is None else _first_under(connection, idempotency)
            if before is not None and first is None:
                before(connection)
            found = _found(connection, request)
            if first is not None:
                return Submitted(first, found.encoder, replayed=True)
            self._check_room(connection, len(request.items))
            _check_version(request.min_version, found.version)
            if request.source is not None:
                self._check_room_to_read(connection)
            connection.execute(insert(t.job).values(_job_row(job_id, request, found)))
            if request.source is not None:
                connection.execute(
                    insert(t.source).values(_source_row(job_id, request.source, found.encoder))
                )
            else:
                chunks = self._chunk_rows(job_id, request, found.encoder)
                connection.execute(insert(t.chunk).values(queued_at=now_s()), chunks)
            if request.smooth:
                await_smoothing(connection, job_id)
            if idempotency is not None:
                connection.execute(insert(t.idempotency).values(_key_row(idempotency, job_id)))
            return Submitted(require_job(connection, job_id), found.encoder, replayed=False)

    def get(self, job_id: str) -> Job:
        """Return one job; raises `job_not_found`."""
        with self._database.read() as connection:
            return require_job(connection, job_id)

    def page(
        self, *, before: str | None = None, limit: int = 100, of: Collection[str] | None = None
    ) -> list[Job]:
        """Return jobs `of` some collections or of all, the newest first, from the one before `before` on."""
        statement = select(t.job).order_by(t.job.c.id.desc()).limit(limit)
        if of is not None:
            statement = statement.where(t.job.c.collection_name.in_(of))
        if before is not None:
            statement = statement.where(t.job.c.id < before)
        with self._database.read() as connection:
            return [unpack_job(row) for row in connection.execute(statement)]

    def finished_among(self, job_ids: Sequence[str]) -> set[str]:
        """Return which of these jobs have come to an end."""
        statement = select(t.job.c.id).where(t.job.c.id.in_(job_ids), t.job.c.state.in_(_FINAL))
        with self._database.read() as connection:
            return set(connection.execute(statement).scalars())

    def results(self, job_id: str, *, after: int = 0, limit: int = 100) -> ResultPage:
        """Return settled results from item `after` on, as far as they stand without a gap."""
        with self._database.read() as connection:
            job = require_job(connection, job_id)
            chunks = connection.execute(_chunks_from(job_id, after).limit(limit + 1)).all()
            settled = list(takewhile(lambda chunk: chunk.state == "settled", chunks))
            needed = _covering(settled, after, limit)
            rows = connection.execute(
                select(t.chunk.c.results).where(t.chunk.c.id.in_(needed)).order_by(t.chunk.c.first_item)
            )
            ahead = [result for row in rows for result in row.results if result["item"] >= after]
        is_open = job.expanding or (job.smooth and job.state not in FINAL)
        more = len(ahead) > limit or len(needed) < len(chunks) or is_open
        found = ahead[:limit]
        reached = found[-1]["item"] + 1 if found else after
        return ResultPage(found, reached if more else None)

    def tally(self, job_id: str) -> Tally:
        """Return how many results have which label, decision and error; raises `job_not_found`."""
        with self._database.read() as connection:
            require_job(connection, job_id)
            counts = select(t.tally.c.counts).where(t.tally.c.job_id == job_id)
            return sum_tallies(connection.execute(counts).scalars())

    def reach(self, job_id: str) -> int:
        """Return the first item that `results` would not give yet; raises `job_not_found`."""
        with self._database.read() as connection:
            require_job(connection, job_id)
            chunk = t.chunk.c
            of_job = (chunk.job_id == job_id) & (chunk.state != "cancelled")
            gap = connection.execute(
                select(func.min(chunk.first_item)).where(of_job, chunk.state != "settled")
            ).scalar()
            last = connection.execute(select(func.max(chunk.first_item + chunk.size)).where(of_job)).scalar()
        return int(last or 0) if gap is None else int(gap)

    def counts(self) -> list[JobCount]:
        """Return how many jobs and items there are, by kind and state."""
        job = t.job.c
        statement = select(
            job.kind,
            job.state,
            func.count().label("jobs"),
            func.sum(job.done).label("done"),
            func.sum(job.failed).label("failed"),
        ).group_by(job.kind, job.state)
        with self._database.read() as connection:
            return [
                JobCount(JobKind(row.kind), JobState(row.state), row.jobs, int(row.done), int(row.failed))
                for row in connection.execute(statement)
            ]

    def remove_old(self, older_than_s: float, limit: int = 100) -> list[str]:
        """Remove some jobs that ended longer ago than that; return which those were."""
        finished = select(t.job.c.id).where(t.job.c.finished_at < now_s() - older_than_s)
        with self._database.read() as connection:  # most looks end here, without a lock
            if connection.execute(finished.limit(1)).first() is None:
                return []
        with self._database.write() as connection:
            # locked, so that no retry opens one again meanwhile
            locked = finished.order_by(t.job.c.id).limit(limit).with_for_update(skip_locked=True)
            return _remove(connection, connection.execute(locked).scalars().all())

    def unknown_among(self, job_ids: Sequence[str]) -> set[str]:
        """Return which of these ids no job has."""
        with self._database.read() as connection:
            found = connection.execute(select(t.job.c.id).where(t.job.c.id.in_(job_ids))).scalars()
            return set(job_ids).difference(found)

    def remove(self, job_ids: Sequence[str]) -> list[str]:
        """Remove jobs with their chunks and keys; return which of them were still there."""
        with self._database.write() as connection:
            return _remove(connection, job_ids)

    def check_room(self, *, to_read: bool = False) -> None:
        """Raise `queue_full` where a job would be refused now, `to_read` one with a source."""
        with self._database.read() as connection:
            self._check_room(connection, 0 if to_read else 1)
            if to_read:
                self._check_room_to_read(connection)

    def _check_room(self, connection: Connection, items: int) -> None:
        waiting: int = connection.execute(
            select(func.coalesce(func.sum(t.chunk.c.size), 0)).where(t.IS_QUEUED)
        ).scalar_one()
        left = t.job.c.total - t.job.c.done - t.job.c.failed
        waiting += connection.execute(
            select(func.coalesce(func.sum(left), 0)).where(t.job.c.state == JobState.PAUSED.value)
        ).scalar_one()
        if waiting + items > self._max_queued_items:
            raise ExemplarError(
                "queue_full",
                f"{waiting} items are waiting and at most {self._max_queued_items} may; try again later",
                retry=True,
            )

    def _check_room_to_read(self, connection: Connection) -> None:
        open_ = connection.execute(select(func.count()).select_from(t.source)).scalar_one()
        if open_ >= self._max_sources:
            raise ExemplarError(
                "queue_full",
                f"{open_} bulk uploads wait to be read and at most {self._max_sources} may; try again later",
                retry=True,
            )

    def _chunk_rows(self, job_id: str, request: JobRequest, encoder: str) -> list[dict[str, Any]]:
        size = 1 if request.lane is Lane.INTERACTIVE else self._chunk_items
        starts = range(0, len(request.items), size)
        return [_chunk_row(job_id, request, encoder, request.items[start : start + size]) for start in starts]


def require_job(connection: Connection, job_id: str) -> Job:
    """Return a job inside a transaction; raises `job_not_found`."""
    row = connection.execute(select(t.job).where(t.job.c.id == job_id)).first()
    if row is None:
        raise job_not_found(job_id)
    return unpack_job(row)


def job_not_found(job_id: str) -> ExemplarError:
    """The error for a job that is not there."""
    return ExemplarError("job_not_found", f"there is no job {job_id!r}")


def _remove(connection: Connection, job_ids: Sequence[str]) -> list[str]:
    connection.execute(delete(t.idempotency).where(t.idempotency.c.job_id.in_(job_ids)))
    connection.execute(delete(t.chunk).where(t.chunk.c.job_id.in_(job_ids)))
    gone = delete(t.job).where(t.job.c.id.in_(job_ids)).returning(t.job.c.id)
    return sorted(connection.execute(gone).scalars())


def _first_under(connection: Connection, idempotency: Idempotency) -> Job | None:
    row = connection.execute(select(t.idempotency).where(t.idempotency.c.key == idempotency.key)).first()
    if row is None:
        return None
    if row.digest != idempotency.digest:
        raise ExemplarError(
            "idempotency_conflict", "this Idempotency-Key stands for another request; use a new key"
        )
    return require_job(connection, row.job_id)


def _check_version(wanted: int, current: int) -> None:
    if wanted > current:
        raise ExemplarError(
            "min_version_ahead", f"min_version {wanted} was asked for, but the collection is at {current}"
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """Whose a job is; `id` is None where it is an encoder's alone."""

    id: int | None
    encoder: str
    version: int


def _found(connection: Connection, request: JobRequest) -> _Found:
    if request.encoder is not None:
        return _Found(None, request.encoder, 0)
    row = find_collection(connection, request.collection)
    return _Found(row.id, row.encoder, row.version)


def _job_row(job_id: str, request: JobRequest, found: _Found) -> dict[str, Any]:
    return {
        "id": job_id,
        "collection_id": found.id,
        "collection_name": request.collection,
        "kind": request.kind.value,
        "lane": request.lane.value,
        "state": JobState.QUEUED.value,
        "total": len(request.items),
        "done": 0,
        "failed": 0,
        "top": request.top,
        "min_version": request.min_version,
        "submitted_version": found.version,
        "expanding": request.source is not None,
        "webhook": request.webhook,
        "smooth": request.smooth,
        "origin": None if request.origin is None else asdict(request.origin),
        "created_at": now_s(),
    }


def _source_row(job_id: str, source: Source, encoder: str) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "encoder": encoder,
        "asked": asdict(source),
        "passed": 0,
        "attempts": 0,
    }


def _chunk_row(job_id: str, request: JobRequest, encoder: str, items: Sequence[Item]) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "encoder": encoder,
        "lane": request.lane.value,
        "state": "queued",
        "first_item": items[0].index,
        "size": len(items),
        "attempts": 0,
        "unfetched": any(item.is_unfetched for item in items),
        "inputs": [pack_item(item) for item in items],
    }


def _key_row(idempotency: Idempotency, job_id: str) -> dict[str, Any]:
    return {
        "key": idempotency.key,
        "digest": idempotency.digest,
        "job_id": job_id,
        "created_at": now_s(),
    }


def _chunks_from(job_id: str, item: int) -> Select[Any]:
    chunk = t.chunk.c
    return (
        select(chunk.id, chunk.state, chunk.first_item, chunk.size)
        .where(
            chunk.job_id == job_id,
            chunk.first_item > item - MAX_CHUNK_ITEMS,  # what the index can find
            chunk.first_item + chunk.size > item,
            chunk.state != "cancelled",
        )
        .order_by(chunk.first_item)
    )


def _covering(chunks: Sequence[Row[Any]], after: int, limit: int) -> list[int]:
    """Return the first of these chunks, as many as hold `limit` items from `after` on."""
    needed: list[int] = []
    items = 0
    for chunk in chunks:
        if items >= limit:
            break
        needed.append(chunk.id)
        items += chunk.size - max(after - chunk.first_item, 0)
    return needed


def await_smoothing(connection: Connection, job_id: str) -> None:
    """Let a locked or new job be smoothed before it ends."""
    waiting = select(t.smoothing.c.job_id).where(t.smoothing.c.job_id == job_id)
    if connection.execute(waiting).first() is None:
        connection.execute(insert(t.smoothing).values(job_id=job_id, attempts=0))


def unpack_job(row: Row[Any]) -> Job:
    """Return the job of a row of its table."""
    return Job(
        id=row.id,
        collection=row.collection_name,
        kind=JobKind(row.kind),
        lane=Lane(row.lane),
        state=JobState(row.state),
        total=row.total,
        done=row.done,
        failed=row.failed,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        expanding=row.expanding and row.state not in _FINAL,
        smooth=row.smooth,
        note=row.note,
    )
