"""Restoring: a collection becomes what it was at an earlier version, by one change that can be undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select, update

from core.changes import ClassChange
from core.collections import ChangeKind, ClassKind, Rule
from store import tables as t
from store.clock import now_s
from store.database import slices
from store.record.change_log import Made
from store.record.class_rows import mark_supports_deleted, move_supports
from store.record.collection_rows import unpack_rule
from store.record.collections import locked_collection, set_version
from store.record.past import changed_supports, classes_at, keep_classes
from store.record.versions import reached_version, rule_at


def restore(connection: Connection, name: str, version: int) -> int:
    """Make a collection what it was at a version; return its version then.

    Nothing changes if it is so already. Raises `collection_not_found`, `version_gone` or `version_invalid`.
    """
    row = locked_collection(connection, name)
    to = reached_version(connection, row, version)
    seq = int(row.version) + 1
    classes = _restore_classes(connection, row.id, (to, row.version), seq)
    reached, counts = _restore_supports(connection, row.id, (to, row.version))
    rule, now = rule_at(connection, row, to), unpack_rule(row.rule)
    if rule != now:
        _write_rule(connection, row.id, rule)
    if not classes and rule == now and reached == row.version:
        return reached
    made = Made(
        ChangeKind.RESTORED, {"to": to, "classes": classes, **counts}, None if rule == now else row.rule
    )
    set_version(connection, row.id, max(reached, seq), made)
    return max(reached, seq)


def _write_rule(connection: Connection, collection_id: int, rule: Rule) -> None:
    which = t.collection.c.id == collection_id
    connection.execute(update(t.collection).where(which).values(rule=asdict(rule)))


def _restore_classes(connection: Connection, collection_id: int, versions: tuple[int, int], seq: int) -> int:
    """Give classes the state that they had, and return how many changed."""
    then, now = ({one.id: one for one in classes_at(connection, collection_id, at)} for at in versions)
    changed = sorted(id_ for id_ in then.keys() | now.keys() if then.get(id_) != now.get(id_))
    keep_classes(connection, [id_ for id_ in changed if id_ in now], seq)
    gone = {"deleted": True, "seq": seq, "merged_into": None}
    for some in slices(changed):
        connection.execute(
            update(t.class_).where(t.class_.c.id.in_(some)).values(gone)
        )  # no two may have one label
    for one in (then[id_] for id_ in changed if id_ in then):
        _write_class(connection, one, seq)
    for one in (now[id_] for id_ in changed if id_ in then and id_ in now):
        if one.label != then[one.id].label and one.kind is not ClassKind.SET:
            _leave_name(connection, collection_id, one, seq)
    return len(changed)


def _write_class(connection: Connection, one: ClassChange, seq: int) -> None:
    connection.execute(
        update(t.class_)
        .where(t.class_.c.id == one.id)
        .values(label=one.label, kind=one.kind, complete=one.complete, deleted=False, seq=seq)
    )
    if one.kind is ClassKind.SET:
        connection.execute(delete(t.class_member).where(t.class_member.c.set_id == one.id))
        rows = [{"set_id": one.id, "label_id": label} for label in one.members]
        if rows:
            connection.execute(insert(t.class_member), rows)


def _leave_name(connection: Connection, collection_id: int, one: ClassChange, seq: int) -> None:
    """Let work that was accepted under the name that a class loses follow it, as after a rename."""
    row = {"collection_id": collection_id, "label": one.label, "kind": one.kind, "seq": seq}
    tombstone = {"deleted": True, "merged_into": one.id, "created_at": now_s()}
    connection.execute(insert(t.class_).values({**row, **tombstone}))


def _restore_supports(
    connection: Connection, collection_id: int, versions: tuple[int, int]
) -> tuple[int, dict[str, int]]:
    """Give supports the class that they had; return the resulting version, and how many changed how.

    Those `missing` were erased since.
    """
    to, version = versions
    then, now = (changed_supports(connection, collection_id, at, since=to) for at in versions)
    back = [id_ for id_, class_id in then.items() if now.get(id_) != class_id]
    there = _with_vectors(connection, back)
    removed = sorted(now.keys() - then.keys())
    counts = {
        "returned": sum(id_ not in now for id_ in there),
        "moved": sum(id_ in now for id_ in there),
        "removed": len(removed),
        "missing": len(back) - len(there),
    }
    for some in slices(removed):
        version = mark_supports_deleted(connection, t.support.c.id.in_(some), version)
    return _move_back(connection, {id_: then[id_] for id_ in there}, version), counts


def _move_back(connection: Connection, targets: Mapping[int, int], version: int) -> int:
    by_class: dict[int, list[int]] = defaultdict(list)
    for support_id, class_id in targets.items():
        by_class[class_id].append(support_id)
    for class_id, ids in sorted(by_class.items()):
        for some in slices(ids):
            version = move_supports(connection, t.support.c.id.in_(some), class_id, version)
    return version


def _with_vectors(connection: Connection, ids: Sequence[int]) -> list[int]:
    """Return those supports that were not erased."""
    support = t.support.c
    found: list[int] = []
    for some in slices(ids):
        which = (support.id.in_(some), support.vector.is_not(None) | support.vector_b.is_not(None))
        found += connection.execute(select(support.id).where(*which).order_by(support.id)).scalars().all()
    return found
