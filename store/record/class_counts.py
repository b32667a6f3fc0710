"""Classes with their numbers of supports, and the first of these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from core.collections import ClassKind, Labels
from store import tables as t
from store.unpacking import unpack

FIRST = 4  # supports shown as thumbnails of a class


@dataclass(frozen=True, slots=True)
class Class:
    """A label with its number of supports, and the ids of the first of them."""

    id: int
    label: str
    kind: ClassKind
    supports: int
    created_at: float
    first: Sequence[int] = ()


def read_classes(
    connection: Connection,
    collection_id: int,
    labels: Labels,
    which: ColumnElement[bool],
    *,
    limit: int | None = None,
) -> list[Class]:
    """Return classes in order of creation; the supports of label sets count for each of their labels."""
    if labels is Labels.MANY:
        return _labels(connection, collection_id, which, limit)
    statement = _with_counts(collection_id).where(which).order_by(t.class_.c.id).limit(limit)
    return [_unpack(row) for row in connection.execute(statement)]


def count_supports(connection: Connection, collection_id: int) -> dict[str, int]:
    """Return the number of supports of each label; those of label sets count for each of their labels."""
    class_, support = t.class_.c, t.support.c
    here = (class_.collection_id == collection_id, ~class_.deleted)
    own = (
        select(class_.label, func.count().label("supports"))
        .join(t.support, support.class_id == class_.id)
        .where(*here, class_.kind != ClassKind.SET)
        .group_by(class_.label)
    )
    of_sets = (
        select(class_.label, func.count().label("supports"))
        .join(t.class_member, t.class_member.c.label_id == class_.id)
        .join(t.support, support.class_id == t.class_member.c.set_id)
        .where(*here)
        .group_by(class_.label)
    )
    return {row.label: row.supports for one in (own, of_sets) for row in connection.execute(one)}


def _labels(
    connection: Connection, collection_id: int, which: ColumnElement[bool], limit: int | None
) -> list[Class]:
    class_, member, support = t.class_.c, t.class_member.c, t.support.c
    here = (class_.collection_id == collection_id, ~class_.deleted, class_.kind != ClassKind.SET)
    rows = connection.execute(select(t.class_).where(*here, which).order_by(class_.id).limit(limit)).all()
    bearing = (
        select(
            member.label_id,
            support.id,
            func.row_number().over(partition_by=member.label_id, order_by=support.id).label("place"),
            func.count().over(partition_by=member.label_id).label("total"),
        )
        .join(t.support, support.class_id == member.set_id)
        .where(member.label_id.in_([row.id for row in rows]))
        .subquery()
    )
    first: dict[int, list[int]] = {}
    counts: dict[int, int] = {}
    for one in connection.execute(select(bearing).where(bearing.c.place <= FIRST).order_by(bearing.c.id)):
        first.setdefault(one.label_id, []).append(one.id)
        counts[one.label_id] = one.total
    return [
        Class(row.id, row.label, row.kind, counts.get(row.id, 0), row.created_at, first.get(row.id, []))
        for row in rows
    ]


def _with_counts(collection_id: int) -> Any:
    of_class = t.support.c.class_id == t.class_.c.id
    supports = select(func.count()).where(of_class).scalar_subquery()
    ids = select(t.support.c.id).where(of_class).order_by(t.support.c.id).limit(1)
    first = [ids.offset(place).scalar_subquery().label(f"first_{place}") for place in range(FIRST)]
    return select(t.class_, supports.label("supports"), *first).where(
        t.class_.c.collection_id == collection_id, ~t.class_.c.deleted
    )


def _unpack(row: Row[Any]) -> Class:
    first = [getattr(row, f"first_{place}") for place in range(FIRST)]
    return unpack(Class, row, first=[support for support in first if support is not None])
