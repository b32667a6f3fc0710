"""Chunks: claimed under a lease, worked on, and settled once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, case, delete, func, insert, select, update

from core.errors import ExemplarError
from core.results import Result, failed_result
from core.types import Chunk, JobKind, JobState, Lane
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.enrolment import Enrolment, enroll
from store.packing import unpack_items


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a chunk: a result, or a picture to enrol, for each of its items."""

    chunk: Chunk
    outcomes: Sequence[Result | Enrolment]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work that is queued for one encoder in one lane."""

    encoder: str
    lane: Lane
    chunks: int
    items: int
    oldest_s: float


class Chunks:
    """The chunks of the record."""

    def __init__(self, database: Database, *, lease_s: float, max_attempts: int) -> None:
        self._database = database
        self._lease_s = lease_s
        self._max_attempts = max_attempts

    def claim(self, owner: str, encoder: str, lanes: Sequence[Lane], items: int) -> list[Chunk]:
        """Take queued chunks of about so many items, lane by lane, under a lease.

        A chunk whose last worker died is taken alone, so that it cannot drag others down.
        """
        if not self._any(encoder, lanes):  # most surplus turns end here, without a lock
            return []
        with self._database.write() as connection:
            ids = self._pick(connection, encoder, lanes, items)
            if not ids:
                return []
            connection.execute(
                update(t.chunk)
                .where(t.chunk.c.id.in_(ids))
                .values(
                    state="running",
                    attempts=t.chunk.c.attempts + 1,
                    lease_owner=owner,
                    lease_until=now_s() + self._lease_s,
                )
            )
            rows = connection.execute(_with_job().where(t.chunk.c.id.in_(ids))).all()
            connection.execute(
                update(t.job)
                .where(t.job.c.id.in_({row.job_id for row in rows}), t.job.c.state == JobState.QUEUED.value)
                .values(state=JobState.RUNNING.value, started_at=now_s())
            )
        by_id = {row.id: _unpack(row) for row in rows}
        return [by_id[chunk_id] for chunk_id in ids]

    def renew(self, owner: str) -> int:
        """Lengthen the lease of everything the owner holds; return how many chunks that is."""
        with self._database.write() as connection:
            return connection.execute(
                update(t.chunk)
                .where(t.chunk.c.state == "running", t.chunk.c.lease_owner == owner)
                .values(lease_until=now_s() + self._lease_s)
            ).rowcount

    def settle(self, owner: str, settlements: Sequence[Settlement]) -> list[bool]:
        """Write what became of chunks, all in one transaction; say for each whether it was still ours.

        A chunk that the owner no longer holds is left alone: someone else has it, or has settled it.
        """
        with self._database.write() as connection:
            # chunks first, in one order for everyone, then collections, then jobs: nobody waits in a circle
            ordered = sorted(settlements, key=lambda settlement: settlement.chunk.id)
            ours = {s.chunk.id: _close(connection, owner, s.chunk.id) for s in ordered}
            held = [s for s in ordered if ours[s.chunk.id]]
            held.sort(key=lambda s: (s.chunk.collection_id or 0, s.chunk.job_id, s.chunk.id))
            settled = [(s.chunk, _results(connection, s)) for s in held]
            for chunk, results in settled:
                connection.execute(update(t.chunk).where(t.chunk.c.id == chunk.id).values(results=results))
            for chunk, results in sorted(settled, key=lambda pair: pair[0].job_id):
                _count(connection, chunk.job_id, results)
        return [ours[settlement.chunk.id] for settlement in settlements]

    def release(self, owner: str) -> int:
        """Give back unfinished chunks, as a worker does that stops in good order."""
        with self._database.write() as connection:
            return connection.execute(
                update(t.chunk)
                .where(t.chunk.c.state == "running", t.chunk.c.lease_owner == owner)
                .values(state="queued", attempts=t.chunk.c.attempts - 1, lease_owner=None, lease_until=None)
            ).rowcount

    def hand_back(self, owner: str, chunks: Sequence[Chunk], reason: str) -> None:
        """End the lease of chunks that could not be worked on; the next sweep queues or fails them."""
        with self._database.write() as connection:
            connection.execute(
                update(t.chunk)
                .where(
                    t.chunk.c.id.in_([chunk.id for chunk in chunks]),
                    t.chunk.c.state == "running",
                    t.chunk.c.lease_owner == owner,
                )
                .values(lease_until=0, reason=reason)
            )

    def expire(self, worker: str) -> int:
        """End the leases of an earlier life of this worker: it starts anew, so that life is over."""
        with self._database.write() as connection:
            return connection.execute(
                update(t.chunk)
                .where(
                    t.chunk.c.state == "running",
                    t.chunk.c.lease_owner.startswith(f"{worker}:", autoescape=True),
                )
                .values(lease_until=0)
            ).rowcount

    def sweep(self) -> int:
        """Queue chunks again whose lease ran out; return how many were found.

        One that has killed its worker too often fails; one of several items is split, so that the item
        that kills is found without the others failing with it.
        """
        with self._database.write() as connection:
            lost = connection.execute(
                _with_job()
                .where(t.chunk.c.state == "running", t.chunk.c.lease_until < now_s())
                .order_by(t.chunk.c.id)
                .with_for_update(skip_locked=True, of=t.chunk)
            ).all()
            for row in sorted(lost, key=lambda row: row.job_id):  # jobs are locked in one order everywhere
                if row.attempts >= self._max_attempts:
                    self._give_up(connection, row)
                elif row.size > 1:
                    _split(connection, row)
                else:
                    connection.execute(
                        update(t.chunk)
                        .where(t.chunk.c.id == row.id)
                        .values(state="queued", lease_owner=None, lease_until=None)
                    )
        return len(lost)

    def waiting(self) -> list[Waiting]:
        """Return what is queued, by encoder and lane."""
        chunk = t.chunk.c
        statement = (
            select(
                chunk.encoder,
                chunk.lane,
                func.count().label("chunks"),
                func.sum(chunk.size).label("items"),
                (now_s() - func.min(chunk.queued_at)).label("oldest_s"),
            )
            .where(chunk.state == "queued")
            .group_by(chunk.encoder, chunk.lane)
        )
        with self._database.read() as connection:
            return [
                Waiting(row.encoder, Lane(row.lane), row.chunks, int(row.items), max(row.oldest_s, 0.0))
                for row in connection.execute(statement)
            ]

    def _any(self, encoder: str, lanes: Sequence[Lane]) -> bool:
        statement = select(t.chunk.c.id).where(
            t.chunk.c.state == "queued",
            t.chunk.c.encoder == encoder,
            t.chunk.c.lane.in_([lane.value for lane in lanes]),
        )
        with self._database.read() as connection:
            return connection.execute(statement.limit(1)).first() is not None

    def _pick(self, connection: Connection, encoder: str, lanes: Sequence[Lane], items: int) -> list[int]:
        picked: list[int] = []
        for lane in lanes:
            rows = connection.execute(
                select(t.chunk.c.id, t.chunk.c.size, t.chunk.c.attempts)
                .where(
                    t.chunk.c.state == "queued", t.chunk.c.encoder == encoder, t.chunk.c.lane == lane.value
                )
                .order_by(t.chunk.c.id)
                .limit(items)
                .with_for_update(skip_locked=True)
            )
            for row in rows.all():
                if row.attempts > 0:
                    return picked or [row.id]
                if picked and row.size > items:
                    return picked
                picked.append(row.id)
                items -= row.size
                if items <= 0:
                    return picked
        return picked

    def _give_up(self, connection: Connection, row: Row[Any]) -> None:
        if row.reason is None:
            detail = f"{row.attempts} workers died while they worked on this picture; it is given up"
            error = ExemplarError("worker_lost", detail)
        else:
            detail = f"the work failed {row.attempts} times, at last with: {row.reason}"
            error = ExemplarError("work_failed", detail)
        results = [failed_result(item, error) for item in unpack_items(row.inputs)]
        connection.execute(
            update(t.chunk)
            .where(t.chunk.c.id == row.id)
            .values(state="settled", lease_owner=None, lease_until=None, results=results)
        )
        _count(connection, row.job_id, results)


def _close(connection: Connection, owner: str, chunk_id: int) -> bool:
    return (
        connection.execute(
            update(t.chunk)
            .where(t.chunk.c.id == chunk_id, t.chunk.c.state == "running", t.chunk.c.lease_owner == owner)
            .values(state="settled", lease_owner=None, lease_until=None)
        ).rowcount
        == 1
    )


def _results(connection: Connection, settlement: Settlement) -> list[Result]:
    if settlement.chunk.kind is JobKind.ENROLL:
        return enroll(connection, settlement.chunk, settlement.outcomes)
    return [outcome for outcome in settlement.outcomes if not isinstance(outcome, Enrolment)]


def _count(connection: Connection, job_id: str, results: Sequence[Result]) -> None:
    failed = sum(result["status"] == "failed" for result in results)
    done = len(results) - failed
    job = t.job.c
    at_end = job.done + job.failed + len(results) >= job.total
    open_ = job.state.in_([JobState.QUEUED.value, JobState.RUNNING.value])
    final = case(
        (job.failed + failed == 0, JobState.SUCCEEDED.value),
        (job.done + done == 0, JobState.FAILED.value),
        else_=JobState.PARTIAL.value,
    )
    connection.execute(
        update(t.job)
        .where(job.id == job_id)
        .values(
            done=job.done + done,
            failed=job.failed + failed,
            state=case((at_end & open_, final), else_=job.state),
            finished_at=case((at_end & open_, now_s()), else_=job.finished_at),
        )
    )


def _split(connection: Connection, row: Row[Any]) -> None:
    for number, packed in enumerate(row.inputs):
        connection.execute(
            insert(t.chunk).values(
                job_id=row.job_id,
                encoder=row.encoder,
                lane=row.lane,
                state="queued",
                first_item=row.first_item + number,
                size=1,
                attempts=row.attempts,
                queued_at=row.queued_at,
                reason=row.reason,
                inputs=[packed],
            )
        )
    connection.execute(delete(t.chunk).where(t.chunk.c.id == row.id))


def _with_job() -> Select[Any]:
    return select(
        t.chunk,
        t.job.c.kind,
        t.job.c.collection_id,
        t.job.c.top,
        t.job.c.min_version,
        t.job.c.submitted_version,
    ).join(t.job, t.job.c.id == t.chunk.c.job_id)


def _unpack(row: Row[Any]) -> Chunk:
    return Chunk(
        id=row.id,
        job_id=row.job_id,
        kind=JobKind(row.kind),
        collection_id=row.collection_id,
        items=unpack_items(row.inputs),
        top=row.top,
        min_version=row.min_version,
        submitted_version=row.submitted_version,
        attempts=row.attempts,
    )
