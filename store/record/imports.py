"""Imports: collections made of a file, their supports written in its order, a slice at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select, update

from core.errors import error_of
from core.results import Result, failed_result
from core.types import FINAL, Chunk, Item, JobKind, JobRequest
from formats.bundle import Manifest
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.classes import add_class
from store.record.collections import collection_exists, lock_collection, set_version
from store.record.enrolment import Enrolment, enroll
from store.work.jobs import Idempotency, Jobs, Submitted
from store.work.packing import pack_item
from store.work.settlement import close
from store.work.sources import grow_job

_FINAL = [state.value for state in FINAL]
Outcomes = Sequence[Item | Enrolment]
"""Supports to be, and items with a problem in place of those that are none."""


class Imports:
    """What becomes of files in the record."""

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
        """Make a collection with its classes, and the job that fills it, in one transaction.

        Raises `collection_exists`, and what submitting a job raises.
        """

        def make(connection: Connection) -> None:
            _make_collection(connection, request.collection, manifest, encoder)

        return self._jobs.submit(job_id, request, idempotency, before=make)

    def settle(self, owner: str, job_id: str, passed: int, outcomes: Outcomes, *, last: bool) -> bool:
        """Write supports from number `passed` on with their results; say whether the source was still ours.

        All in one transaction that nobody else can make again: it is fenced by the owner and by `passed`.
        """
        with self._database.write() as connection:
            collection_id = connection.execute(
                select(t.job.c.collection_id).where(t.job.c.id == job_id)
            ).scalar_one_or_none()
            if collection_id is not None:
                lock_collection(connection, collection_id)  # before jobs, as everyone who needs both does
            job = connection.execute(select(t.job).where(t.job.c.id == job_id).with_for_update()).first()
            of_this = (
                t.source.c.job_id == job_id,
                t.source.c.lease_owner == owner,
                t.source.c.passed == passed,
            )
            held = connection.execute(select(t.source).where(*of_this).with_for_update()).first()
            if job is None or held is None or job.state in _FINAL:
                return False
            if last:
                connection.execute(delete(t.source).where(t.source.c.job_id == job_id))
            else:
                connection.execute(
                    update(t.source)
                    .where(*of_this)
                    .values(passed=passed + len(outcomes), attempts=0, reason=None)
                )
            grow_job(connection, job, len(outcomes), last=last)
            if outcomes:
                chunk = _chunk(connection, job_id, collection_id, held.encoder, passed, outcomes)
                results = enroll(connection, chunk, [_result_of(outcome) for outcome in outcomes])
                close(connection, [(chunk.id, job_id, results)])
        return True


def _chunk(
    connection: Connection,
    job_id: str,
    collection_id: int | None,
    encoder: str,
    passed: int,
    outcomes: Outcomes,
) -> Chunk:
    items = [outcome.item if isinstance(outcome, Enrolment) else outcome for outcome in outcomes]
    row = {
        "job_id": job_id,
        "encoder": encoder,
        "lane": "bulk",
        "state": "running",
        "first_item": passed,
        "size": len(outcomes),
        "attempts": 1,
        "queued_at": now_s(),
        "inputs": [pack_item(item) for item in items],
    }
    chunk_id = connection.execute(insert(t.chunk).values(row).returning(t.chunk.c.id)).scalar_one()
    return Chunk(chunk_id, job_id, JobKind.IMPORT, collection_id, tuple(items), 1, 0, 0, 1, encoder=encoder)


def _result_of(outcome: Item | Enrolment) -> Result | Enrolment:
    return (
        outcome if isinstance(outcome, Enrolment) else failed_result(outcome, error_of(outcome.problem or {}))
    )


def _make_collection(connection: Connection, name: str, manifest: Manifest, encoder: str) -> None:
    if connection.execute(select(t.collection.c.id).where(t.collection.c.name == name)).first() is not None:
        raise collection_exists(name)
    row = {
        "name": name,
        "encoder": encoder,
        "rule": asdict(manifest.rule),
        "views": manifest.views.value,
        "prompts": manifest.prompts,
        "version": 0,
        "created_at": now_s(),
        "embedded_at": now_s(),
    }
    collection_id = connection.execute(
        insert(t.collection).values(row).returning(t.collection.c.id)
    ).scalar_one()
    # in the order they had, since rules go through classes in the order of their ids
    for seq, class_ in enumerate(manifest.classes, start=1):
        add_class(connection, collection_id, class_.label, seq, class_.kind)
    set_version(connection, collection_id, len(manifest.classes))
