"""Checks of label sets: each says something, with labels that exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import exists, select

from core.collections import ChangeKind, ClassKind
from core.findings import Finding
from store import tables as t
from store.database import Database
from store.record.change_log import Made
from store.record.class_rows import current_class, mark_class_deleted, mark_supports_deleted
from store.record.collections import lock_collection, set_version
from store.record.label_changes import rewrite_sets
from store.record.label_sets import find_or_make_labels


def examine_label_sets(database: Database) -> Iterator[Finding]:
    """Yield sets that say nothing, and sets with deleted labels."""
    class_, member = t.class_.c, t.class_member.c
    is_set = (class_.kind == ClassKind.SET) & ~class_.deleted
    has_members = exists(select(1).where(member.set_id == class_.id))
    empty = select(class_.id, class_.collection_id).where(is_set, ~class_.complete, ~has_members)
    label = t.class_.alias("label")
    deleted = (
        select(label.c.id, label.c.collection_id)
        .where(label.c.deleted)
        .where(exists(select(1).where(member.label_id == label.c.id, member.set_id == class_.id, is_set)))
    )
    with database.read() as connection:
        sets = connection.execute(empty.order_by(class_.id)).all()
        labels = connection.execute(deleted.order_by(label.c.id)).all()
    if sets:
        message = f"{len(sets)} label sets have no labels and are not complete: their supports say nothing"
        yield Finding("record", "label_set_empty", message, len(sets), partial(_delete_sets, database, sets))
    if labels:
        message = f"label sets have {len(labels)} labels that were deleted or merged"
        repair = partial(_leave_labels, database, labels)
        yield Finding("record", "label_set_outdated", message, len(labels), repair)


def _delete_sets(database: Database, sets: Sequence[Any]) -> int:
    for collection_id in sorted({row.collection_id for row in sets}):
        ids = [row.id for row in sets if row.collection_id == collection_id]
        with database.write() as connection:
            version = lock_collection(connection, collection_id)
            if version is None:
                continue
            version = mark_supports_deleted(connection, t.support.c.class_id.in_(ids), version) + 1
            for set_id in ids:
                mark_class_deleted(connection, set_id, version, merged_into=None)
            set_version(connection, collection_id, version, Made(ChangeKind.REPAIRED))
    return len(sets)


def _leave_labels(database: Database, labels: Sequence[Any]) -> int:
    """Write what these labels have become into the sets that have them, with a new `seq`."""
    for collection_id in sorted({row.collection_id for row in labels}):
        with database.write() as connection:
            version = lock_collection(connection, collection_id)
            if version is None:
                continue
            became: dict[int, frozenset[int]] = {}
            for row in labels:
                if row.collection_id == collection_id:
                    current = current_class(connection, row.id)
                    names = [] if current is None else [current[1]]
                    became[row.id] = find_or_make_labels(connection, collection_id, names, version + 1)
            version = rewrite_sets(connection, collection_id, became, version + 1)
            set_version(connection, collection_id, version, Made(ChangeKind.REPAIRED))
    return len(labels)
