"""Chunks: claimed under a lease, worked on, and settled once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    delete,
    func,
    insert,
    select,
    update,
)

from core.errors import ExemplarError
from core.results import Result, failed_result
from core.types import Chunk, JobKind, JobState, Lane, Origin, Views
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.collections import lock_collection
from store.work.control import chunk_state, give_up, lock_states
from store.work.leases import is_over
from store.work.packing import unpack_items
from store.work.settlement import Settlement, close, results_of

ENDED_AT_ONCE = 500  # chunks in one transaction


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
        if not self.waits(encoder, lanes):  # most surplus turns end here, without a lock
            return []
        while (chunks := self._claim(owner, encoder, lanes, items)) is None:
            pass
        return chunks

    def _claim(self, owner: str, encoder: str, lanes: Sequence[Lane], items: int) -> list[Chunk] | None:
        """Return what was taken, or None where all that was found belongs to jobs that are held or ended."""
        with self._database.write() as connection:
            found, picked = self._pick(connection, encoder, lanes, items)
            if not picked:
                return []
            # control passes over chunks that are locked here, also those that are not taken then
            states = lock_states(connection, {row.job_id for row in found})
            for row in found:
                if chunk_state(states[row.job_id]) != "queued":
                    _free(connection, row, states[row.job_id], attempts=row.attempts)
            ids = [row.id for row in picked if chunk_state(states[row.job_id]) == "queued"]
            if not ids:
                return None
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
            begun = {row.job_id for row in rows if states[row.job_id] is JobState.QUEUED}
            connection.execute(
                update(t.job)
                .where(t.job.c.id.in_(begun))
                .values(state=JobState.RUNNING.value, started_at=func.coalesce(t.job.c.started_at, now_s()))
            )
        by_id = {row.id: _unpack(row) for row in rows}
        return [by_id[chunk_id] for chunk_id in ids]

    def renew(self, owner: str) -> int:
        """Lengthen the lease of everything the owner holds; return how many chunks that is."""
        with self._database.write() as connection:
            # what is locked is just being settled; to wait for it could become a circle
            held = _held(t.chunk.c.lease_owner == owner).with_for_update(skip_locked=True)
            return connection.execute(
                update(t.chunk).where(t.chunk.c.id.in_(held)).values(lease_until=now_s() + self._lease_s)
            ).rowcount

    def settle(self, owner: str, settlements: Sequence[Settlement]) -> list[bool]:
        """Write what became of chunks, all in one transaction; say for each whether it was still ours.

        A chunk that the owner no longer holds is left alone: someone else has it, or has settled it. Pictures
        of a collection that has changed its encoder meanwhile are queued again for the other one.
        """
        with self._database.write() as connection:
            # chunks first, in one order for everyone, then collections, then jobs: nobody waits in a circle
            ours = _lock(connection, owner, [settlement.chunk.id for settlement in settlements])
            ours -= _enrolled_elsewhere(connection, settlements, ours)
            held = [settlement for settlement in settlements if settlement.chunk.id in ours]
            held.sort(key=lambda s: (s.chunk.collection_id or 0, s.chunk.job_id, s.chunk.id))
            close(
                connection,
                [(s.chunk.id, s.chunk.job_id, results_of(connection, s)) for s in held],
                {s.chunk.id: s.kept for s in held},
            )
        return [settlement.chunk.id in ours for settlement in settlements]

    def release(self, owner: str, chunks: Sequence[Chunk]) -> None:
        """Queue chunks again that are not to blame: something they need did not answer."""
        with self._database.write() as connection:
            _unclaim(connection, _lock(connection, owner, [chunk.id for chunk in chunks]))

    def release_all(self, owner: str) -> int:
        """Queue everything again that the owner holds, as `release` does; return how many chunks that is."""
        with self._database.write() as connection:
            held = _held(t.chunk.c.lease_owner == owner).with_for_update()
            ids = set(connection.execute(held).scalars())
            _unclaim(connection, ids)
        return len(ids)

    def rest(self, owner: str, chunk: Chunk, pause_s: float) -> None:
        """Queue a chunk again that nobody takes for a while: a place elsewhere does not answer now.

        The attempt counts, so that this has an end. Other chunks are claimed meanwhile.
        """
        with self._database.write() as connection:
            ids = _lock(connection, owner, [chunk.id])
            rows = connection.execute(select(t.chunk).where(t.chunk.c.id.in_(ids))).all()
            states = lock_states(connection, {row.job_id for row in rows})
            for row in rows:
                _free(connection, row, states[row.job_id])
            connection.execute(
                update(t.chunk)
                .where(t.chunk.c.id.in_(ids), t.chunk.c.state != "settled")
                .values(queued_at=now_s() + pause_s)
            )

    def reroute(self, owner: str, chunks: Sequence[Chunk]) -> set[str]:
        """Queue chunks for the encoder that their collection answers by now; return which those are."""
        with self._database.write() as connection:
            return _reroute(connection, _lock(connection, owner, [chunk.id for chunk in chunks]))

    def hand_back(self, owner: str, chunks: Sequence[Chunk], reason: str) -> None:
        """End the lease of chunks that could not be worked on; the next sweep queues or fails them."""
        with self._database.write() as connection:
            ids = _lock(connection, owner, [chunk.id for chunk in chunks])
            connection.execute(
                update(t.chunk).where(t.chunk.c.id.in_(ids)).values(lease_until=0, reason=reason)
            )

    def expire(self, worker: str) -> int:
        """End the leases of an earlier life of this worker: it starts anew, so that life is over."""
        with self._database.write() as connection:
            held = _held(t.chunk.c.lease_owner.startswith(f"{worker}:", autoescape=True)).with_for_update()
            return connection.execute(
                update(t.chunk).where(t.chunk.c.id.in_(held)).values(lease_until=0)
            ).rowcount

    def sweep(self) -> int:
        """Queue chunks again whose lease ran out; return how many were found.

        One that has killed its worker too often fails; one of several items is split, so that the item
        that kills is found without the others failing with it. They wait anew behind what came meanwhile,
        so that one death after another does not meet the same chunks. What a caller has cancelled is dropped.
        """
        with self._database.write() as connection:
            lost = connection.execute(
                _with_job()
                .where(t.IS_RUNNING, is_over(t.chunk.c.lease_until, self._lease_s))
                .order_by(t.BY_ID)
                .with_for_update(skip_locked=True, of=t.chunk)
            ).all()
            states = lock_states(connection, {row.job_id for row in lost})
            given_up = []
            for row in lost:
                state = states[row.job_id]
                if state is JobState.CANCELLED:
                    _free(connection, row, state)
                elif row.attempts >= self._max_attempts:
                    given_up.append((row.id, row.job_id, _lost_results(row)))
                elif row.size > 1:
                    _split(connection, row, state)
                else:
                    _free(connection, row, state)
            close(connection, given_up)
        return len(lost)

    def end_queued(self, encoder: str, error: ExemplarError) -> int:
        """Fail what is queued for an encoder that nothing can run any more; return how many chunks that is.

        What belongs to a collection that answers by another encoder by now is queued for that one instead.
        """
        queued = (
            select(t.chunk, t.job.c.kind, t.collection.c.encoder.label("answering"))
            .select_from(_with_collection())
            .where(t.IS_QUEUED, t.chunk.c.encoder == encoder)
            .order_by(t.BY_ID)
            .limit(ENDED_AT_ONCE)
            .with_for_update(skip_locked=True, of=t.chunk)
        )
        with self._database.write() as connection:
            rows = connection.execute(queued).all()
            states = lock_states(connection, {row.job_id for row in rows})
            given_up = []
            for row in rows:
                if states[row.job_id] is JobState.CANCELLED:
                    give_up(connection, [row])
                elif row.answering in (None, encoder) or row.kind == JobKind.REINDEX.value:
                    given_up.append((row.id, row.job_id, _all_failed(row, error)))
                else:
                    moved = update(t.chunk).where(t.chunk.c.id == row.id)
                    connection.execute(moved.values(encoder=row.answering))
            close(connection, given_up)
        return len(rows)

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
            .where(t.IS_QUEUED, ~chunk.unfetched)
            .group_by(chunk.encoder, chunk.lane)
        )
        with self._database.read() as connection:
            return [
                Waiting(row.encoder, Lane(row.lane), row.chunks, int(row.items), max(row.oldest_s, 0.0))
                for row in connection.execute(statement)
            ]

    def waits(self, encoder: str, lanes: Sequence[Lane]) -> bool:
        """Say whether anything could be claimed now."""
        statement = select(t.chunk.c.id).where(
            t.IS_QUEUED,
            ~t.chunk.c.unfetched,
            t.chunk.c.queued_at <= now_s(),  # later is a rest
            t.chunk.c.encoder == encoder,
            t.chunk.c.lane.in_([lane.value for lane in lanes]),
        )
        with self._database.read() as connection:
            return connection.execute(statement.limit(1)).first() is not None

    def _pick(
        self, connection: Connection, encoder: str, lanes: Sequence[Lane], items: int
    ) -> tuple[list[Any], list[Any]]:
        """Lock queued chunks; return all of them, and those to be taken."""
        chunk = t.chunk.c
        found: list[Any] = []
        picked: list[Any] = []
        for lane in lanes:
            rows = connection.execute(
                select(chunk.id, chunk.job_id, chunk.size, chunk.attempts, chunk.queued_at, chunk.results)
                .where(
                    t.IS_QUEUED,
                    ~t.chunk.c.unfetched,
                    t.chunk.c.queued_at <= now_s(),
                    t.chunk.c.encoder == encoder,
                    t.chunk.c.lane == lane.value,
                )
                .order_by(t.chunk.c.queued_at, t.chunk.c.id)
                .limit(items)
                .with_for_update(skip_locked=True)
            ).all()
            found += rows
            for row in rows:
                if row.attempts > 0:
                    return found, picked or [row]
                if picked and row.size > items:
                    return found, picked
                picked.append(row)
                items -= row.size
                if items <= 0:
                    return found, picked
        return found, picked


def _held(whose: ColumnElement[bool]) -> Select[int]:
    # whoever locks several chunks locks them in the order of their ids: nobody waits in a circle
    return select(t.chunk.c.id).where(t.IS_RUNNING, whose).order_by(t.BY_ID)


def _lock(connection: Connection, owner: str, chunk_ids: Sequence[int]) -> set[int]:
    """Lock chunks and return those that the owner still holds."""
    held = _held(t.chunk.c.lease_owner == owner).where(t.chunk.c.id.in_(chunk_ids))
    return set(connection.execute(held.with_for_update()).scalars())


def _unclaim(connection: Connection, ids: Collection[int]) -> None:
    """Let locked chunks wait again as if they had not been claimed."""
    rows = connection.execute(select(t.chunk).where(t.chunk.c.id.in_(ids))).all()
    states = lock_states(connection, {row.job_id for row in rows})
    for row in rows:
        _free(connection, row, states[row.job_id], attempts=row.attempts - 1)


def _enrolled_elsewhere(
    connection: Connection, settlements: Sequence[Settlement], ours: set[int]
) -> set[int]:
    """Queue pictures again that an encoder embedded which their collection has left; return their chunks."""
    held = [s.chunk for s in settlements if s.chunk.id in ours]
    writing = [chunk for chunk in held if chunk.kind in (JobKind.ENROLL, JobKind.REINDEX)]
    for collection_id in sorted({chunk.collection_id or 0 for chunk in writing}):
        lock_collection(connection, collection_id)  # no change of encoder comes in between
    enrolled = [chunk for chunk in writing if chunk.kind is JobKind.ENROLL]
    found = (
        select(t.chunk.c.id)
        .select_from(_of_collection())
        .where(
            t.chunk.c.id.in_([chunk.id for chunk in enrolled]), t.chunk.c.encoder != t.collection.c.encoder
        )
    )
    elsewhere = set(connection.execute(found).scalars()) if enrolled else set()
    _reroute(connection, elsewhere)
    return elsewhere


def _reroute(connection: Connection, chunk_ids: set[int]) -> set[str]:
    rows = connection.execute(
        select(t.chunk, t.collection.c.encoder.label("answering"))
        .select_from(_of_collection())
        .where(t.chunk.c.id.in_(chunk_ids))
        .order_by(t.chunk.c.id)
    ).all()
    states = lock_states(connection, {row.job_id for row in rows})
    for row in rows:
        connection.execute(update(t.chunk).where(t.chunk.c.id == row.id).values(encoder=row.answering))
        _free(connection, row, states[row.job_id], attempts=row.attempts - 1)
    return {row.answering for row in rows}


def _of_collection() -> FromClause:
    return t.chunk.join(t.job, t.job.c.id == t.chunk.c.job_id).join(
        t.collection, t.collection.c.id == t.job.c.collection_id
    )


def _lost_results(row: Row[Any]) -> list[Result]:
    if row.reason is None:
        detail = f"{row.attempts} workers died while they worked on this picture; it is given up"
        error = ExemplarError("worker_lost", detail)
    else:
        detail = f"the work failed {row.attempts} times, at last with: {row.reason}"
        error = ExemplarError("work_failed", detail)
    return _all_failed(row, error)


def _all_failed(row: Row[Any], error: ExemplarError) -> list[Result]:
    return [failed_result(item, error) for item in unpack_items(row.inputs)]


def _free(connection: Connection, row: Row[Any], job: JobState, *, attempts: int | None = None) -> None:
    """Let a chunk wait again, or end it where its job has been cancelled."""
    if job is JobState.CANCELLED:
        give_up(connection, [row])
        return
    connection.execute(
        update(t.chunk)
        .where(t.chunk.c.id == row.id)
        .values(
            state=chunk_state(job),
            attempts=row.attempts if attempts is None else attempts,
            lease_owner=None,
            lease_until=None,
            queued_at=row.queued_at if attempts is not None else now_s(),
        )
    )


def _split(connection: Connection, row: Row[Any], job: JobState) -> None:
    earlier = row.results or [None] * row.size
    parts = [
        {
            "job_id": row.job_id,
            "encoder": row.encoder,
            "lane": row.lane,
            "state": chunk_state(job),
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


def _with_job() -> Select[Any]:
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
        t.collection.c.views,
    ).select_from(_with_collection())


def _with_collection() -> FromClause:
    """Join chunks with their jobs, and with the collections that are still there."""
    return t.chunk.join(t.job, t.job.c.id == t.chunk.c.job_id).outerjoin(
        t.collection, t.collection.c.id == t.job.c.collection_id
    )


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
        views=Views(row.views or Views.ONE),  # none where the collection is gone
        smooth=row.smooth,
        collection=row.collection_name,
        origin=None if row.origin is None else Origin(**row.origin),
        encoder=row.encoder,
    )
