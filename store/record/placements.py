"""Placements: a picture put into one class of its collection, and put back as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from core.collections import ChangeKind
from store import tables as t
from store.clock import now_s
from store.record.change_log import Made
from store.record.class_rows import current_class, mark_supports_deleted, move_supports
from store.record.collections import lock_collection, set_version

COPIED = ("collection_id", "vector", "vector_b", "picture", "thumbnail", "external_id", "metadata")
_REVIEWED = Made(ChangeKind.REVIEWED)


@dataclass(frozen=True, slots=True)
class Placement:
    """The support and class of a picture, and the ids of the classes that had it before."""

    support_id: int
    class_id: int
    before: tuple[int, ...] = ()


def place(
    connection: Connection, collection_id: int, picture: str, class_id: int, earlier: Placement | None = None
) -> Placement:
    """Make a class the only one of a locked collection that has a picture, which one or more have.

    A support of another class is moved. What an earlier placement replaced is taken over.
    """
    owners = owners_of(connection, collection_id, picture)
    before = set(owners)
    if earlier is not None and is_in_place(connection, earlier):
        before = before - {_current(connection, earlier.class_id)} | set(earlier.before)
    kept = owners.get(class_id, min(owners.values()))
    if class_id not in owners:
        _move(connection, collection_id, kept, class_id)
    _delete(connection, collection_id, [other for other in owners.values() if other != kept])
    return Placement(kept, class_id, tuple(sorted(before)))


def put_back(connection: Connection, collection_id: int, placement: Placement) -> None:
    """Undo a placement in a locked collection, unless its support was moved or deleted since.

    Classes that were deleted since stay so.
    """
    if not is_in_place(connection, placement):
        return
    support = t.support.c
    row = connection.execute(select(t.support).where(support.id == placement.support_id)).one()
    owners = owners_of(connection, collection_id, row.picture)
    before = {_current(connection, class_id): None for class_id in placement.before}
    missing = [class_id for class_id in before if class_id is not None and class_id not in owners]
    if row.class_id not in before:
        if missing:
            _move(connection, collection_id, row.id, missing.pop(0))
        else:
            _delete(connection, collection_id, [row.id])
    for class_id in missing:  # the same picture has the same vectors
        version = _locked_version(connection, collection_id) + 1
        copy = {name: getattr(row, name) for name in COPIED}
        changed = {"class_id": class_id, "seq": version, "created_at": now_s()}
        connection.execute(insert(t.support).values({**copy, **changed}))
        set_version(connection, collection_id, version, _REVIEWED)


def is_in_place(connection: Connection, placement: Placement) -> bool:
    """Return whether the support is still where it was put, or where a merge took its class."""
    found = connection.execute(
        select(t.support.c.class_id).where(t.support.c.id == placement.support_id)
    ).scalar()
    return found is not None and found == _current(connection, placement.class_id)


def owners_of(connection: Connection, collection_id: int, picture: str) -> dict[int, int]:
    """Return the supports of a picture by class; there is at most one in each."""
    support = t.support.c
    rows = connection.execute(
        select(support.class_id, support.id)
        .where(
            support.collection_id == collection_id,
            support.picture == picture,
            support.class_id.is_not(None),
        )
        .order_by(support.id)
    )
    return {row.class_id: row.id for row in rows}


def _current(connection: Connection, class_id: int) -> int | None:
    found = current_class(connection, class_id)
    return None if found is None else found[0]


def _move(connection: Connection, collection_id: int, support_id: int, class_id: int) -> None:
    version = _locked_version(connection, collection_id)
    version = move_supports(connection, t.support.c.id == support_id, class_id, version)
    set_version(connection, collection_id, version, _REVIEWED)


def _delete(connection: Connection, collection_id: int, supports: Iterable[int]) -> None:
    which = t.support.c.id.in_(sorted(supports))
    version = _locked_version(connection, collection_id)
    set_version(connection, collection_id, mark_supports_deleted(connection, which, version), _REVIEWED)


def _locked_version(connection: Connection, collection_id: int) -> int:
    return lock_collection(connection, collection_id) or 0  # locked before, so it is there
