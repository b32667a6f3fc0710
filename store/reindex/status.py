"""How far a change of encoder has come: what both have seen, and what waits for the other one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from core.types import FINAL, JobState
from store import tables as t
from store.record.collections import vector_column

STEP_ITEMS = 256
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Unseen:
    """A support that the other encoder has no vector of."""

    support_id: int
    label: str
    external_id: str | None
    picture: str


@dataclass(frozen=True, slots=True)
class Reindex:
    """A change of encoder and how far it has come."""

    collection: str
    version: int
    encoder: str
    """The collection answers by it."""
    other: str
    """Its vectors are the secondary ones."""
    switched: bool
    """Whether `other` is the one that answered at first."""
    job_id: str
    supports: int
    embedded: int
    """Supports that both encoders have seen."""
    working: bool
    """Whether pictures still wait for the other encoder."""
    missing: Sequence[Unseen]
    """The first of the supports that it has not seen."""


def _unseen(collection: Row[Any]) -> list[ColumnElement[bool]]:
    """Conditions of the supports that have no secondary vector."""
    return [
        t.support.c.collection_id == collection.id,
        t.support.c.class_id.is_not(None),
        vector_column(1 - collection.active_slot).is_(None),
    ]


def unseen_after(connection: Connection, collection: Row[Any], position: int) -> list[Any]:
    """Return the next supports (id, seq, picture, external_id) that the other encoder has not seen."""
    support = t.support.c
    rows = connection.execute(
        select(support.id, support.seq, support.picture, support.external_id)
        .where(*_unseen(collection), support.seq > position, support.seq <= collection.version)
        .order_by(support.seq)
        .limit(STEP_ITEMS)
    )
    return list(rows)


def status_of(connection: Connection, collection: Row[Any], row: Row[Any]) -> Reindex:
    """Return how far a collection's change of encoder, whose row this is, has come."""
    support = t.support.c
    alive = (support.collection_id == collection.id, support.class_id.is_not(None))
    supports = connection.execute(select(func.count()).select_from(t.support).where(*alive)).scalar_one()
    unseen = connection.execute(
        select(func.count()).select_from(t.support).where(*_unseen(collection))
    ).scalar_one()
    first = connection.execute(
        select(support.id, t.class_.c.label, support.external_id, support.picture)
        .join(t.class_, t.class_.c.id == support.class_id)
        .where(*_unseen(collection))
        .order_by(support.id)
        .limit(MOST_NAMED)
    )
    return Reindex(
        collection=collection.name,
        version=collection.version,
        encoder=collection.encoder,
        other=row.encoder,
        switched=row.switched,
        job_id=row.job_id,
        supports=supports,
        embedded=supports - unseen,
        working=_is_working(connection, collection, row),
        missing=[Unseen(*one) for one in first],
    )


def _is_working(connection: Connection, collection: Row[Any], row: Row[Any]) -> bool:
    job = connection.execute(select(t.job).where(t.job.c.id == row.job_id)).first()
    if job is not None and job.state is JobState.CANCELLED:
        return False
    is_open = job is not None and job.state not in FINAL
    return is_open or bool(unseen_after(connection, collection, row.position))
