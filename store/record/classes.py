"""Classes: the labels of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from core.errors import ExemplarError
from core.types import ClassKind
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.collections import collection_not_found, find_collection, lock_collection, set_version

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


class Classes:
    """The classes of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, collection: str, *, after: int = 0, limit: int = 100) -> list[Class]:
        """Return the classes in order of creation, from the one after id `after` on."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            rows = connection.execute(
                _with_counts(found.id).where(t.class_.c.id > after).order_by(t.class_.c.id).limit(limit)
            )
            return [_unpack(row) for row in rows]

    def get(self, collection: str, label: str) -> Class:
        """Return one class; raises `class_not_found`."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            row = connection.execute(_with_counts(found.id).where(t.class_.c.label == label)).first()
        if row is None:
            raise _class_not_found(label)
        return _unpack(row)

    def add(self, collection: str, label: str, kind: ClassKind = ClassKind.NORMAL) -> Class:
        """Create a class from its name; a taken label raises `class_exists`."""
        with self._database.write() as connection:
            collection_id, version = _locked(connection, collection)
            if find_class(connection, collection_id, label) is not None:
                raise ExemplarError("class_exists", f"there is already a class {label!r}")
            add_class(connection, collection_id, label, version + 1, kind)
            set_version(connection, collection_id, version + 1)
        return self.get(collection, label)

    def change(
        self, collection: str, label: str, *, new_label: str | None = None, kind: ClassKind | None = None
    ) -> Class:
        """Rename a class or change its kind; a taken label raises `class_exists` (merge instead)."""
        with self._database.write() as connection:
            collection_id, version = _locked(connection, collection)
            class_id = _require_class(connection, collection_id, label)
            if new_label not in (None, label) and find_class(connection, collection_id, str(new_label)):
                raise ExemplarError(
                    "class_exists", f"there is already a class {new_label!r}; merge the two instead"
                )
            values: dict[str, Any] = {"seq": version + 1}
            if new_label not in (None, label):
                values["label"] = new_label
            if kind is not None:
                values["kind"] = kind
            connection.execute(update(t.class_).where(t.class_.c.id == class_id).values(values))
            if "label" in values:  # work accepted under the old name follows, as after a merge
                tombstone = add_class(connection, collection_id, label, version + 1)
                _mark_class_deleted(connection, tombstone, version + 1, merged_into=class_id)
            set_version(connection, collection_id, version + 1)
        return self.get(collection, new_label or label)

    def delete(self, collection: str, label: str) -> None:
        """Delete a class with its supports; work accepted earlier does not recreate it."""
        with self._database.write() as connection:
            collection_id, version = _locked(connection, collection)
            class_id = _require_class(connection, collection_id, label)
            version = mark_supports_deleted(connection, t.support.c.class_id == class_id, version)
            _mark_class_deleted(connection, class_id, version + 1, merged_into=None)
            set_version(connection, collection_id, version + 1)

    def merge(self, collection: str, label: str, sources: Sequence[str]) -> Class:
        """Move every support of the source classes to this one; drop pictures that it already has."""
        if label in sources or not sources:
            raise ExemplarError("merge_invalid", "expected one or more other classes to merge into this one")
        with self._database.write() as connection:
            collection_id, version = _locked(connection, collection)
            target = _require_class(connection, collection_id, label)
            for source in dict.fromkeys(sources):
                source_id = _require_class(connection, collection_id, source)
                version = _move_all(connection, source_id, target, version)
                version += 1
                _mark_class_deleted(connection, source_id, version, merged_into=target)
            set_version(connection, collection_id, version)
        return self.get(collection, label)


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
        "deleted": False,
        "created_at": now_s(),
    }
    statement = insert(t.class_).values(row).returning(t.class_.c.id)
    return int(connection.execute(statement).scalar_one())


def mark_supports_deleted(connection: Connection, which: ColumnElement[bool], version: int) -> int:
    """Turn supports of a locked collection into tombstones; return the resulting version."""
    return _renumber(connection, which, version, {"class_id": None, "vector": None, "vector_b": None})


def move_supports(connection: Connection, which: ColumnElement[bool], class_id: int, version: int) -> int:
    """Move supports of a locked collection to a class; return the resulting version."""
    return _renumber(connection, which, version, {"class_id": class_id})


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


def _locked(connection: Connection, collection: str) -> tuple[int, int]:
    found = find_collection(connection, collection)
    version = lock_collection(connection, found.id)
    if version is None:  # deleted between the two statements
        raise collection_not_found(collection)
    return found.id, version


def _require_class(connection: Connection, collection_id: int, label: str) -> int:
    found = find_class(connection, collection_id, label)
    if found is None:
        raise _class_not_found(label)
    return found


def _class_not_found(label: str) -> ExemplarError:
    return ExemplarError("class_not_found", f"there is no class {label!r} in this collection")


def _move_all(connection: Connection, source: int, target: int, version: int) -> int:
    twins = t.support.alias("twins")
    doubled = select(twins.c.picture).where(twins.c.class_id == target)
    of_source = t.support.c.class_id == source
    version = mark_supports_deleted(connection, of_source & t.support.c.picture.in_(doubled), version)
    return move_supports(connection, of_source, target, version)


def _renumber(
    connection: Connection, which: ColumnElement[bool], version: int, values: dict[str, Any]
) -> int:
    """Update supports in one statement, each with the next seq in the order of their ids."""
    place = func.row_number().over(order_by=t.support.c.id).label("place")
    ordered = select(t.support.c.id, place).where(which).subquery()
    statement = (
        update(t.support)
        .where(t.support.c.id == ordered.c.id)
        .values(seq=version + ordered.c.place, **values)
    )
    return version + connection.execute(statement).rowcount


def _mark_class_deleted(connection: Connection, class_id: int, seq: int, *, merged_into: int | None) -> None:
    connection.execute(
        update(t.class_)
        .where(t.class_.c.id == class_id)
        .values(deleted=True, seq=seq, merged_into=merged_into)
    )


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
    return Class(
        row.id,
        row.label,
        row.kind,
        row.supports,
        row.created_at,
        [support for support in first if support is not None],
    )
