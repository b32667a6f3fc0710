"""The switch of a collection's encoder: its preconditions, and the requeue of waiting work."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, select, update

from core.errors import ExemplarError
from core.jobs import FINAL
from store import tables as t
from store.reindex.status import Reindex
from store.work.kinds import kinds_that
from store.work.states import WAITING_CHUNK


def check_switch(status: Reindex, *, back: bool, leave_out: bool) -> None:
    """Raise `reindex_state_invalid`, `reindex_unready` or `reindex_incomplete` unless allowed."""
    if status.switched is not back:
        done = "has not been switched" if back else "has already been switched; use `back` to return"
        raise ExemplarError("reindex_state_invalid", f"{status.collection} {done}")
    if status.working:
        raise ExemplarError(
            "reindex_unready",
            f"{status.supports - status.embedded} supports wait for {status.other}; try again shortly",
            retry=True,
        )
    missing = status.supports - status.embedded
    if missing and not leave_out:
        named = ", ".join(f"{one.support_id} ({one.label})" for one in status.missing[:5])
        raise ExemplarError(
            "reindex_incomplete",
            f"{status.other} has no vector of {missing} supports: {named}; leave_out switches without them",
        )


def check_no_import(connection: Connection, collection: Row[Any]) -> None:
    """Raise `reindex_unready` while vectors of the active encoder are being imported."""
    importing = (
        select(t.source.c.job_id)
        .join(t.job, t.job.c.id == t.source.c.job_id)
        .where(
            t.job.c.collection_id == collection.id,
            t.job.c.kind.in_(kinds_that(lambda kind: kind.reads_vectors)),
        )
    )
    if connection.execute(importing).first() is not None:
        raise ExemplarError(
            "reindex_unready", f"{collection.name} is still being imported; try again afterwards", retry=True
        )


def requeue_for_encoder(connection: Connection, collection_id: int, encoder: str) -> None:
    """Requeue a collection's waiting work for the active encoder; running work notices by itself."""
    kinds = kinds_that(lambda kind: kind.follows_encoder)
    jobs = select(t.job.c.id).where(
        t.job.c.collection_id == collection_id, t.job.c.kind.in_(kinds), t.job.c.state.not_in(FINAL)
    )
    waiting = (
        select(t.chunk.c.id)
        .where(t.chunk.c.job_id.in_(jobs), t.chunk.c.state.in_(WAITING_CHUNK))
        .order_by(t.chunk.c.id)
        .with_for_update(skip_locked=True)
    )
    connection.execute(update(t.chunk).where(t.chunk.c.id.in_(waiting)).values(encoder=encoder))
    connection.execute(update(t.source).where(t.source.c.job_id.in_(jobs)).values(encoder=encoder))


def misrouted_work() -> Select[int, str]:
    """Select collections with work for the encoder that they have left: retried, requeued, or late."""
    chunk, job, collection = t.chunk.c, t.job.c, t.collection.c
    return (
        select(t.reindex.c.collection_id, collection.encoder)
        .join(t.collection, collection.id == t.reindex.c.collection_id)
        .join(t.job, job.collection_id == collection.id)
        .join(t.chunk, chunk.job_id == job.id)
        .where(
            t.reindex.c.switched,
            job.kind.in_(kinds_that(lambda kind: kind.follows_encoder)),
            job.state.not_in(FINAL),
            chunk.state.in_(WAITING_CHUNK),
            chunk.encoder == t.reindex.c.encoder,
        )
        .distinct()
    )
