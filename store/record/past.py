"""The past of classes and supports: what each was before a change, and what all were at a version.

Every function that writes keeps the state that a change replaces, from the `seq` that it has up to the one
that it gets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Subquery, case, insert, select, union_all

from core.changes import ClassChange
from core.collections import ClassKind
from store import tables as t
from store.database import slices
from store.record.change_log import keeps_history
from store.unpacking import unpack


def keep_supports(connection: Connection, which: ColumnElement[bool], next_seq: ColumnElement[int]) -> None:
    """Keep the classes of supports of a locked collection, before a change that gives them the next `seq`."""
    if not keeps_history(connection):
        return
    support, past = t.support.c, t.support_past.c
    values = {
        past.collection_id: support.collection_id,
        past.support_id: support.id,
        past.class_id: support.class_id,
        past.since: support.seq,
        past.until: next_seq,
        past.answered: _is_answered(),
    }
    names = [column.name for column in values]
    changing = (
        select(*(value.label(name) for name, value in zip(names, values.values(), strict=True)))
        .where(which)
        .subquery()
    )
    alive = select(changing).where(changing.c.class_id.is_not(None))
    connection.execute(insert(t.support_past).from_select(names, alive))


def keep_classes(connection: Connection, ids: Sequence[int], until: int) -> None:
    """Keep what classes of a locked collection are, before a change that gives them the seq `until`."""
    if not keeps_history(connection):
        return
    class_ = t.class_.c
    for some in slices(ids):
        which = (class_.id.in_(some), class_.seq < until, ~class_.deleted)
        rows = connection.execute(select(t.class_).where(*which)).all()
        members = labels_in(connection, [row.id for row in rows if row.kind is ClassKind.SET])
        kept = [
            {
                "collection_id": row.collection_id,
                "class_id": row.id,
                "since": row.seq,
                "until": until,
                "label": row.label,
                "kind": row.kind,
                "complete": row.complete,
                "members": members.get(row.id, []),
            }
            for row in rows
        ]
        if kept:
            connection.execute(insert(t.class_past), kept)


def supports_at(collection_id: int, version: int, *, answered: bool = False) -> Subquery:
    """Select `id` and `class_id` of the supports of a version; all, or those that took part in answers."""
    support, past = t.support.c, t.support_past.c
    now = select(support.id, support.class_id).where(
        support.collection_id == collection_id, support.class_id.is_not(None), support.seq <= version
    )
    then = select(past.support_id, past.class_id).where(
        past.collection_id == collection_id, past.since <= version, past.until > version
    )
    if answered:
        now, then = now.where(_is_answered()), then.where(past.answered)
    return union_all(now, then).subquery()


def classes_at(connection: Connection, collection_id: int, version: int) -> list[ClassChange]:
    """Return the classes of a version, in the order of their ids."""
    class_, past = t.class_.c, t.class_past.c
    here = (class_.collection_id == collection_id, ~class_.deleted, class_.seq <= version)
    found = current_classes(connection, *here)
    kept = connection.execute(
        select(t.class_past).where(
            past.collection_id == collection_id, past.since <= version, past.until > version
        )
    )
    found += [
        ClassChange(row.class_id, row.label, row.kind, False, tuple(row.members), row.complete)
        for row in kept
    ]
    return sorted(found, key=lambda one: one.id)


def current_classes(connection: Connection, *which: ColumnElement[bool]) -> list[ClassChange]:
    """Return classes as they are now."""
    rows = connection.execute(select(t.class_).where(*which)).all()
    members = labels_in(connection, [row.id for row in rows if row.kind is ClassKind.SET])
    return [unpack(ClassChange, row, members=tuple(members.get(row.id, ()))) for row in rows]


def labels_in(connection: Connection, set_ids: Sequence[int]) -> Mapping[int, list[int]]:
    """Return the ids of the labels in sets, ascending, by set; nothing for one without labels."""
    member = t.class_member.c
    found: dict[int, list[int]] = {}
    for some in slices(set_ids):
        rows = select(t.class_member).where(member.set_id.in_(some)).order_by(member.label_id)
        for row in connection.execute(rows):
            found.setdefault(row.set_id, []).append(row.label_id)
    return found


def _is_answered() -> ColumnElement[bool]:
    """Return whether a support has a vector of the encoder that its collection answers with."""
    support = t.support.c
    slot = (
        select(t.collection.c.active_slot).where(t.collection.c.id == support.collection_id).scalar_subquery()
    )
    return case((slot == 0, support.vector.is_not(None)), else_=support.vector_b.is_not(None))


def changed_supports(
    connection: Connection, collection_id: int, version: int, *, since: int
) -> dict[int, int]:
    """Return the class of supports at a version, by id ascending: of those that changed after another one."""
    at = supports_at(collection_id, version)
    rows = (
        select(at.c.id, at.c.class_id)
        .join(t.support, t.support.c.id == at.c.id)
        .where(t.support.c.seq > since)
        .order_by(at.c.id)
    )
    return {row.id: row.class_id for row in connection.execute(rows)}
