"""The feed of changes that replicas follow: classes and supports as they are after a version."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, select

from core.changes import ClassChange, SupportChange
from core.vectors import unpack_vector
from core.where import Where
from store import tables as t
from store.record.collections import vector_column
from store.record.metadata_filter import matches
from store.record.past import current_classes

MOST_CHANGES = 20_000  # per read: 40 MB at 512 components, however far behind a replica is


def class_changes(connection: Connection, collection_id: int, after: int, upto: int) -> list[ClassChange]:
    """Return the current state of classes that changed after a version, up to another."""
    class_ = t.class_.c
    return current_classes(
        connection, class_.collection_id == collection_id, class_.seq > after, class_.seq <= upto
    )


def support_changes(
    connection: Connection, after: int, now: Row[Any], where: Where | None
) -> tuple[int, list[SupportChange]]:
    """Return the version that these changes of a collection reach, and the changed supports."""
    support = t.support.c
    vector: ColumnElement[Any] = vector_column(now.active_slot)
    changed = (support.collection_id == now.id) & (support.seq > after) & (support.seq <= now.version)
    if where is not None:
        matching = matches(connection, where)
        vector = case((matching, vector))
        changed = changed & matching if after == 0 else changed  # whoever has none loses none
    rows = connection.execute(
        select(support.id, support.class_id, support.seq, vector.label("packed"))
        .where(changed)
        .order_by(support.seq)
        .limit(MOST_CHANGES)
    ).all()
    reached = rows[-1].seq if len(rows) == MOST_CHANGES else now.version
    return reached, [support_change(row.id, row.class_id, row.packed) for row in rows]


def support_change(support_id: int, class_id: int | None, packed: bytes | None) -> SupportChange:
    """Return the current state of a support; one without a vector of the encoder looks deleted."""
    if class_id is None or packed is None:
        return SupportChange(support_id, None, None)
    return SupportChange(support_id, class_id, unpack_vector(packed))
