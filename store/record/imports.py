"""Imports: collections created from a file, their supports written in order, one slice at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Row, exists, insert, select, update

from core.actor import acting, current_actor, submitter_of
from core.collections import ChangeKind, ClassKind
from core.errors import error_of
from core.jobs import FINAL, Chunk, ChunkState, Item, JobKind, JobRequest, Lane
from core.quality import pack_quality
from core.results import Result, failed_result
from formats.bundle import Manifest
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.change_log import Made
from store.record.class_rows import add_class
from store.record.collection_removal import delete_collection
from store.record.collections import (
    collection_exists,
    lock_collection,
    set_version,
)
from store.record.enrolment import Enrolment, enroll
from store.record.label_sets import Members, write_members
from store.work.jobs import Jobs
from store.work.locks import lock_job
from store.work.packing import pack_item
from store.work.rows import unpack_origin
from store.work.settlement import close
from store.work.sources import advance_source, grow_job, lock_source
from store.work.states import FINAL_CHUNK, OPEN, UNDONE
from store.work.submission import Idempotency, Submitted

Outcomes = Sequence[Item | Enrolment]
"""Supports to write, and items with a problem in the place of invalid ones."""


class Imports:
    """Imports in the record."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def submit(
        self,
        job_id: str,
        request: JobRequest,
        manifest: Manifest,
        encoder: str,
        idempotency: Idempotency | None,
    ) -> Submitted:
        """Create a collection with its classes, and the job that fills it, in one transaction.

        Raises `collection_exists`, and what submitting a job raises.
        """

        def make(connection: Connection) -> None:
            with acting(replace(current_actor(), job_id=job_id)):
                _make_collection(connection, job_id, request.collection, manifest, encoder)

        return self._jobs.submit(job_id, request, idempotency, before=make)

    def sweep(self) -> int:
        """Delete the empty collections of imports that failed or were cancelled; return their number."""
        with self._database.read() as connection:
            ended = connection.execute(_ENDED).all()
        return sum(self._end(row.id, row.imported_by) for row in ended)

    def _end(self, collection_id: int, job_id: str) -> bool:
        """Delete a collection unless its import succeeded or wrote supports; return whether it did."""
        with self._database.write() as connection:
            if lock_collection(connection, collection_id) is None:
                return False
            job = lock_job(connection, job_id)
            if job is not None and job.state in OPEN:  # retried meanwhile
                return False
            undone = job is not None and job.state in UNDONE
            if undone and _is_empty(connection, collection_id):
                delete_collection(connection, collection_id)
                return True
            which = t.collection.c.id == collection_id
            connection.execute(update(t.collection).where(which).values(imported_by=None))
            return False

    def settle(self, owner: str, job_id: str, position: int, outcomes: Outcomes, *, last: bool) -> bool:
        """Write supports from a position on with their results; return whether the owner held the source.

        One transaction, fenced by the owner and by the position, so that it happens once.
        """
        with self._database.write() as connection:
            collection_id = connection.execute(
                select(t.job.c.collection_id).where(t.job.c.id == job_id)
            ).scalar_one_or_none()
            if collection_id is not None:
                lock_collection(connection, collection_id)
            job = lock_job(connection, job_id)
            held = lock_source(connection, owner, job_id, position)
            if job is None or held is None or job.state in FINAL:
                return False
            advance_source(connection, job_id, None if last else position + len(outcomes))
            grow_job(connection, job, len(outcomes), last=last)
            if outcomes:
                chunk = _chunk(connection, job, held, outcomes)
                with acting(submitter_of(job_id, unpack_origin(job.origin))):
                    results = enroll(connection, chunk, [_result_of(outcome) for outcome in outcomes])
                close(connection, [(chunk.id, job_id, results)])
        return True


def _chunk(connection: Connection, job: Row[Any], source: Row[Any], outcomes: Outcomes) -> Chunk:
    """Write the chunk of a slice in state running, and return it."""
    items = [outcome.item if isinstance(outcome, Enrolment) else outcome for outcome in outcomes]
    row = {
        "job_id": job.id,
        "encoder": source.encoder,
        "lane": Lane.BULK,
        "state": ChunkState.RUNNING,
        "first_item": source.position,
        "size": len(outcomes),
        "attempts": 1,
        "queued_at": now_s(),
        "inputs": [pack_item(item) for item in items],
    }
    chunk_id = connection.execute(insert(t.chunk).values(row).returning(t.chunk.c.id)).scalar_one()
    return Chunk(
        id=chunk_id,
        job_id=job.id,
        kind=JobKind.IMPORT,
        collection_id=job.collection_id,
        items=tuple(items),
        top=1,
        min_version=0,
        submitted_version=0,
        attempts=1,
        encoder=source.encoder,
    )


def _result_of(outcome: Item | Enrolment) -> Result | Enrolment:
    return (
        outcome if isinstance(outcome, Enrolment) else failed_result(outcome, error_of(outcome.problem or {}))
    )


def _make_collection(
    connection: Connection, job_id: str, name: str, manifest: Manifest, encoder: str
) -> None:
    if connection.execute(select(t.collection.c.id).where(t.collection.c.name == name)).first() is not None:
        raise collection_exists(name)
    row = {
        "name": name,
        "encoder": encoder,
        "rule": asdict(manifest.rule),
        "views": manifest.views.value,
        "prompts": manifest.prompts,
        "created_at": now_s(),
        "embedded_at": now_s(),
        "imported_by": job_id,
        "labels": manifest.labels,
        "quality": pack_quality(manifest.quality),
    }
    collection_id = connection.execute(
        insert(t.collection).values(row).returning(t.collection.c.id)
    ).scalar_one()
    # in their original order, since rules iterate over classes in the order of their ids
    ids = [
        # the members of a set, which its text is made of, may come later
        add_class(connection, collection_id, class_.label or f"\x1f{seq}", seq, class_.kind)
        for seq, class_ in enumerate(manifest.classes, start=1)
    ]
    write_members(
        connection,
        {
            set_id: Members(frozenset(ids[place] for place in class_.members), class_.complete)
            for set_id, class_ in zip(ids, manifest.classes, strict=True)
            if class_.kind is ClassKind.SET
        },
    )
    made = Made(ChangeKind.IMPORTED, {"classes": len(manifest.classes)})
    set_version(connection, collection_id, len(manifest.classes), made)


_ENDED = (
    select(t.collection.c.id, t.collection.c.imported_by)
    .outerjoin(t.job, t.job.c.id == t.collection.c.imported_by)
    .where(
        t.collection.c.imported_by.is_not(None),
        t.job.c.id.is_(None) | t.job.c.state.in_(FINAL),
        # a chunk that was running when its job was cancelled may still write supports
        ~exists().where(t.chunk.c.job_id == t.job.c.id, t.chunk.c.state.not_in(FINAL_CHUNK)),
    )
)
"""The collections whose import has ended."""


def _is_empty(connection: Connection, collection_id: int) -> bool:
    """Return whether a collection has no supports."""
    here = (t.support.c.collection_id == collection_id, t.support.c.class_id.is_not(None))
    return connection.execute(select(t.support.c.id).where(*here).limit(1)).first() is None
