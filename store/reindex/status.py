"""The progress of a reindex: supports with both vectors, and supports that wait for the other encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from core.collections import Labels
from core.jobs import FINAL, JobState
from core.label_sets import SEPARATOR
from store import tables as t
from store.record.collections import vector_column
from store.record.label_sets import label_sets

STEP_ITEMS = 256
MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class Unseen:
    """A support without a vector of the other encoder."""

    support_id: int
    label: str
    external_id: str | None
    picture: str


@dataclass(frozen=True, slots=True)
class Reindex:
    """A reindex and its progress."""

    collection: str
    version: int
    encoder: str
    """The active encoder."""
    other: str
    """The encoder of the secondary vectors."""
    switched: bool
    """Whether `other` is the encoder that the collection had before."""
    job_id: str
    supports: int
    embedded: int
    """Supports with vectors of both encoders."""
    working: bool
    """Whether pictures still wait for the other encoder."""
    missing: Sequence[Unseen]
    """The first of the supports without a secondary vector."""


def _unseen(collection: Row[Any]) -> list[ColumnElement[bool]]:
    """Return the conditions of supports without a secondary vector."""
    return [
        t.support.c.collection_id == collection.id,
        t.support.c.class_id.is_not(None),
        vector_column(1 - collection.active_slot).is_(None),
    ]


def unseen_after(connection: Connection, collection: Row[Any], position: int) -> list[Any]:
    """Return the next supports (id, seq, picture, external_id) without a secondary vector."""
    support = t.support.c
    rows = connection.execute(
        select(support.id, support.seq, support.picture, support.external_id)
        .where(*_unseen(collection), support.seq > position, support.seq <= collection.version)
        .order_by(support.seq)
        .limit(STEP_ITEMS)
    )
    return list(rows)


def status_of(connection: Connection, collection: Row[Any], row: Row[Any]) -> Reindex:
    """Return the progress of the reindex in this row."""
    support = t.support.c
    alive = (support.collection_id == collection.id, support.class_id.is_not(None))
    supports = connection.execute(select(func.count()).select_from(t.support).where(*alive)).scalar_one()
    unseen = connection.execute(
        select(func.count()).select_from(t.support).where(*_unseen(collection))
    ).scalar_one()
    first = connection.execute(
        select(support.id, t.class_.c.label, support.external_id, support.picture, support.class_id)
        .join(t.class_, t.class_.c.id == support.class_id)
        .where(*_unseen(collection))
        .order_by(support.id)
        .limit(MOST_NAMED)
    ).all()
    sets = {}
    if collection.labels is Labels.MANY:
        sets = label_sets(connection, {one.class_id for one in first})
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
        missing=[
            Unseen(
                one.id,
                SEPARATOR.join(sets[one.class_id].labels) if one.class_id in sets else one.label,
                one.external_id,
                one.picture,
            )
            for one in first
        ],
    )


def _is_working(connection: Connection, collection: Row[Any], row: Row[Any]) -> bool:
    job = connection.execute(select(t.job).where(t.job.c.id == row.job_id)).first()
    if job is not None and job.state is JobState.CANCELLED:
        return False
    is_open = job is not None and job.state not in FINAL
    return is_open or bool(unseen_after(connection, collection, row.position))
