"""The rows of classes and their supports, read and changed within a transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from core.collections import ClassKind
from core.errors import ExemplarError
from store import tables as t
from store.clock import now_s
from store.record.change_log import keeps_history
from store.record.past import keep_classes, keep_supports


def find_class(connection: Connection, collection_id: int, label: str) -> int | None:
    """Return the id of a class that is not deleted, or None."""
    return connection.execute(
        select(t.class_.c.id).where(
            t.class_.c.collection_id == collection_id, t.class_.c.label == label, ~t.class_.c.deleted
        )
    ).scalar_one_or_none()


def add_class(
    connection: Connection,
    collection_id: int,
    label: str,
    seq: int,
    kind: ClassKind = ClassKind.NORMAL,
) -> int:
    """Add a class to a locked collection and return its id."""
    row = {
        "collection_id": collection_id,
        "label": label,
        "kind": kind,
        "seq": seq,
        "created_at": now_s(),
    }
    statement = insert(t.class_).values(row).returning(t.class_.c.id)
    return int(connection.execute(statement).scalar_one())


def mark_supports_deleted(connection: Connection, which: ColumnElement[bool], version: int) -> int:
    """Turn supports of a locked collection into tombstones; return the resulting version.

    What can be answered as of keeps its vectors.
    """
    gone: dict[str, Any] = {"class_id": None}
    if not keeps_history(connection):
        gone |= {"vector": None, "vector_b": None}
    return _renumber(connection, which, version, gone)


def wipe_supports(connection: Connection, which: ColumnElement[bool], version: int) -> int:
    """Turn supports of a locked collection into tombstones that tell nothing, and forget what they were."""
    ids = connection.execute(select(t.support.c.id).where(which)).scalars().all()
    nothing: dict[str, Any] = {
        "class_id": None,
        "vector": None,
        "vector_b": None,
        "picture": "",
        "thumbnail": "",
        "external_id": None,
        "metadata": {},
    }
    version = _renumber(connection, t.support.c.id.in_(ids), version, nothing)
    connection.execute(delete(t.support_past).where(t.support_past.c.support_id.in_(ids)))
    return version


def move_supports(connection: Connection, which: ColumnElement[bool], class_id: int, version: int) -> int:
    """Move supports of a locked collection to a class; return the resulting version."""
    return _renumber(connection, which, version, {"class_id": class_id})


def renumber_supports(connection: Connection, which: ColumnElement[bool], version: int) -> int:
    """Give supports of a locked collection, about to change, their next `seq`; return the new version."""
    return _renumber(connection, which, version, {})


def resolve_label(
    connection: Connection, collection_id: int, label: str, since_version: int
) -> tuple[int, str] | None:
    """Return id and label of the class that a label accepted at `since_version` means, None for a new one.

    A class merged or renamed since then is followed; one deleted since then raises `class_deleted`, even
    if the label now belongs to a new class.
    """
    tombstone = connection.execute(
        select(t.class_.c.merged_into)
        .where(
            t.class_.c.collection_id == collection_id,
            t.class_.c.label == label,
            t.class_.c.deleted,
            t.class_.c.seq > since_version,
        )
        .order_by(t.class_.c.seq)
        .limit(1)
    ).first()
    if tombstone is None:
        found = find_class(connection, collection_id, label)
        return None if found is None else (found, label)
    meant = current_class(connection, tombstone.merged_into)
    if meant is None:
        raise ExemplarError(
            "class_deleted",
            f"the class {label!r} was deleted after this picture was submitted; submit it again for a new "
            "one",
        )
    return meant


def current_class(connection: Connection, class_id: int | None) -> tuple[int, str] | None:
    """Return id and label of the class that a class has become by merges, None if it was deleted."""
    class_ = t.class_.c
    while class_id is not None:
        row = connection.execute(
            select(class_.label, class_.deleted, class_.merged_into).where(class_.id == class_id)
        ).one()
        if not row.deleted:
            return int(class_id), row.label
        class_id = row.merged_into
    return None


def mark_class_deleted(connection: Connection, class_id: int, seq: int, *, merged_into: int | None) -> None:
    """Turn a class of a locked collection into a tombstone; work accepted earlier follows `merged_into`."""
    keep_classes(connection, [class_id], seq)
    connection.execute(
        update(t.class_)
        .where(t.class_.c.id == class_id)
        .values(deleted=True, seq=seq, merged_into=merged_into)
    )


def _renumber(
    connection: Connection, which: ColumnElement[bool], version: int, values: dict[str, Any]
) -> int:
    """Update supports in one statement, each with the next seq in the order of their ids."""
    next_seq = version + func.row_number().over(order_by=t.support.c.id)
    keep_supports(connection, which, next_seq)
    numbered = select(t.support.c.id, next_seq.label("seq")).where(which).subquery()
    statement = update(t.support).where(t.support.c.id == numbered.c.id).values(seq=numbered.c.seq, **values)
    return version + connection.execute(statement).rowcount
