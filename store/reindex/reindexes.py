"""Reindexes: a collection's pictures embedded by another encoder, kept up to date, switched to, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, or_, select, update

from core.changes import Changes
from core.collections import ChangeKind
from core.errors import ExemplarError
from core.jobs import FINAL, Item, Job, JobState
from core.specs import is_removed
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.change_log import Made, forget_before
from store.record.collection_removal import end_reindexes
from store.record.collections import find_collection, locked_collection, row_of, set_version, vector_column
from store.record.feed import class_changes, support_change
from store.reindex.encoder_switch import (
    check_no_import,
    check_switch,
    misrouted_work,
    requeue_for_encoder,
)
from store.reindex.reindex_jobs import new_reindex_job, open_job
from store.reindex.status import STEP_ITEMS, Reindex, status_of, unseen_after
from store.work.locks import lock_job
from store.work.rows import require_job
from store.work.sources import grow_job, insert_chunks


class Reindexes:
    """The reindexes of the record, at most one per collection.

    A job embeds the existing supports; later enrolments are embedded by further jobs until `forget`, also
    after a switch, so that switching back stays possible.
    """

    def __init__(self, database: Database, *, chunk_items: int, window_items: int) -> None:
        self._database = database
        self._chunk_items = chunk_items
        self._window_items = window_items

    def start(self, name: str, encoder: str) -> Job:
        """Start to embed with another encoder, or resume where an earlier job ended; return the job.

        Raises `collection_not_found`, or `reindex_invalid` if the collection already uses this encoder or has
        vectors of a third one.
        """
        with self._database.write() as connection:
            collection = locked_collection(connection, name)
            row = _reindex_of(connection, collection.id)
            if encoder == collection.encoder:
                raise ExemplarError(
                    "reindex_invalid", f"expected another encoder, {name} already answers with this one"
                )
            if row is not None and row.encoder != encoder:
                raise ExemplarError(
                    "reindex_invalid", f"{name} still has vectors of {row.encoder}; forget them first"
                )
            if row is not None and (job := open_job(connection, row.job_id)) is not None:
                return job
            job_id = new_reindex_job(connection, collection)
            values = {"encoder": encoder, "job_id": job_id, "position": 0}
            of_this = t.reindex.c.collection_id == collection.id
            if row is not None:
                connection.execute(update(t.reindex).where(of_this).values(values))
            else:
                connection.execute(
                    insert(t.reindex).values(collection_id=collection.id, switched=False, **values)
                )
            return require_job(connection, job_id)

    def advance(self) -> set[str]:
        """Queue the next supports without a vector of the other encoder; return the encoders that have work.

        One transaction per collection, so that a crash loses nothing.
        """
        with self._database.read() as connection:
            waiting = connection.execute(_waiting()).scalars().all()
            misrouted = connection.execute(misrouted_work()).all()
        for row in misrouted:
            with self._database.write() as connection:
                requeue_for_encoder(connection, row.collection_id, row.encoder)
        stepped = {self._step(collection_id) for collection_id in waiting}
        return {encoder for encoder in stepped if encoder is not None} | {row.encoder for row in misrouted}

    def waits(self, connection: Connection) -> bool:
        """Return whether `advance` has something to do, or soon will."""
        return any(
            connection.execute(which.limit(1)).first() is not None for which in (_waiting(), misrouted_work())
        )

    def _step(self, collection_id: int) -> str | None:
        with self._database.write() as connection:
            row = _reindex_of(connection, collection_id)
            if row is None:
                return None
            job = lock_job(connection, row.job_id)
            held = connection.execute(
                _of(collection_id, row.job_id, row.position).with_for_update(skip_locked=True)
            ).first()
            if held is None or (job is not None and not self._may_grow(job)):
                return None
            collection = connection.execute(
                select(t.collection).where(t.collection.c.id == collection_id)
            ).one()
            # after a switch from an encoder that was removed, switching back is impossible
            found = [] if is_removed(row.encoder) else unseen_after(connection, collection, row.position)
            reached = collection.version if len(found) < STEP_ITEMS else found[-1].seq
            if job is None or job.state in FINAL:
                if found:  # supports enrolled since, in a new job
                    job_id = new_reindex_job(connection, collection)
                    job = connection.execute(select(t.job).where(t.job.c.id == job_id)).one()
                else:
                    job = None
            if job is not None:
                self._queue(connection, job, row.encoder, found, last=reached == collection.version)
            connection.execute(
                update(t.reindex)
                .where(t.reindex.c.collection_id == collection_id)
                .values(position=reached, **({} if job is None else {"job_id": job.id}))
            )
        return row.encoder if found else None

    def _may_grow(self, job: Row[Any]) -> bool:
        if job.state in (JobState.CANCELLED, JobState.PAUSED):
            return False
        return bool(job.total - job.done - job.failed < self._window_items)

    def _queue(
        self, connection: Connection, job: Row[Any], encoder: str, found: Sequence[Row[Any]], *, last: bool
    ) -> None:
        items = [
            Item(job.total + number, row.picture, support=row.id, external_id=row.external_id)
            for number, row in enumerate(found)
        ]
        insert_chunks(connection, job, encoder, items, self._chunk_items)
        grow_job(connection, job, len(items), last=last)

    def get(self, name: str) -> Reindex:
        """Return the progress of a reindex; raises `reindex_not_found`."""
        with self._database.read() as connection:
            return status_of(connection, *_both(connection, name))

    def switch(self, name: str, *, back: bool = False, leave_out: bool = False) -> Reindex:
        """Make the collection answer with the other encoder, in one transaction.

        With `leave_out`, supports without its vector are kept but excluded from answers. Raises
        `reindex_not_found`, `reindex_state_invalid` if it was already done, `reindex_unready` (retry) while
        pictures wait for the other encoder, or `reindex_incomplete`.
        """
        with self._database.write() as connection:
            collection = locked_collection(connection, name)
            row = _require(_reindex_of(connection, collection.id), name)
            status = status_of(connection, collection, row)
            check_switch(status, back=back, leave_out=leave_out)
            check_no_import(connection, collection)
            connection.execute(
                update(t.collection)
                .where(t.collection.c.id == collection.id)
                .values(
                    encoder=row.encoder,
                    active_slot=1 - collection.active_slot,
                    embedded_at=now_s(),
                    index_measured=None,  # it was measured on the other vectors
                )
            )
            connection.execute(
                update(t.reindex)
                .where(t.reindex.c.collection_id == collection.id)
                .values(
                    encoder=collection.encoder, switched=not row.switched, position=collection.version + 1
                )
            )
            made = Made(ChangeKind.ENCODER_CHANGED, {"from": collection.encoder, "to": row.encoder})
            set_version(connection, collection.id, collection.version + 1, made)
            # earlier versions would be answered with vectors of the other encoder
            forget_before(connection, collection.id, collection.version + 1)
            requeue_for_encoder(connection, collection.id, row.encoder)
            return status_of(connection, *_both(connection, name))

    def forget(self, name: str) -> str:
        """Delete the vectors of the inactive encoder; return the job that may still produce some."""
        with self._database.write() as connection:
            collection = locked_collection(connection, name)
            row = _require(_reindex_of(connection, collection.id), name)
            secondary = vector_column(1 - collection.active_slot)
            connection.execute(
                update(t.support)
                .where(t.support.c.collection_id == collection.id, secondary.is_not(None))
                .values({secondary.name: None})
            )
            connection.execute(delete(t.reindex).where(t.reindex.c.collection_id == collection.id))
            end_reindexes(connection, collection.id)
            return str(row.job_id)

    def both(self, collection_id: int) -> tuple[str, Changes, str, Changes] | None:
        """Return the vectors of both encoders at one version, of the supports that have both.

        The result is the active encoder, its vectors, the other encoder and its vectors; None if there is
        no second encoder.
        """
        with self._database.read() as connection:
            collection = row_of(connection, collection_id)
            row = _reindex_of(connection, collection_id)
            if collection is None or row is None:
                return None
            classes = class_changes(connection, collection_id, 0, collection.version)
            support = t.support.c
            rows = connection.execute(
                select(support.id, support.class_id, support.vector, support.vector_b)
                .where(
                    support.collection_id == collection_id,
                    support.class_id.is_not(None),
                    support.vector.is_not(None),
                    support.vector_b.is_not(None),
                )
                .order_by(support.seq)
            ).all()
        sides = [
            Changes(
                collection.version,
                classes,
                [support_change(row.id, row.class_id, row[2 + slot]) for row in rows],
            )
            for slot in (collection.active_slot, 1 - collection.active_slot)
        ]
        return collection.encoder, sides[0], row.encoder, sides[1]


def _waiting() -> Select[int]:
    """Select the collections with supports to queue."""
    behind = t.collection.c.version > t.reindex.c.position
    is_open = t.job.c.expanding & t.job.c.state.not_in(FINAL)
    is_halted = t.job.c.state.in_([JobState.CANCELLED, JobState.PAUSED])
    return (
        select(t.reindex.c.collection_id)
        .join(t.collection, t.collection.c.id == t.reindex.c.collection_id)
        .outerjoin(t.job, t.job.c.id == t.reindex.c.job_id)
        .where(or_(behind, is_open), t.job.c.id.is_(None) | ~is_halted)
    )


def _of(collection_id: int, job_id: str, position: int) -> Select[Any]:
    row = t.reindex.c
    return select(t.reindex).where(
        row.collection_id == collection_id, row.job_id == job_id, row.position == position
    )


def _both(connection: Connection, name: str) -> tuple[Row[Any], Row[Any]]:
    collection = find_collection(connection, name)
    return collection, _require(_reindex_of(connection, collection.id), name)


def _reindex_of(connection: Connection, collection_id: int) -> Row[Any] | None:
    return connection.execute(select(t.reindex).where(t.reindex.c.collection_id == collection_id)).first()


def _require(row: Row[Any] | None, name: str) -> Row[Any]:
    if row is None:
        raise ExemplarError("reindex_not_found", f"{name} has vectors of one encoder only; start a reindex")
    return row
