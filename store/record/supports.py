"""Supports: the labelled pictures, and the feed of their changes that replicas follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from core.changes import Changes, ClassChange, SupportChange
from core.errors import ExemplarError
from core.vectors import unpack_vector
from store import tables as t
from store.database import Database
from store.record.classes import add_class, find_class, mark_supports_deleted
from store.record.collections import find_collection, lock_collection, set_version, vector_column

MAX_ID = 2**63 - 1
MOST_CHANGES = 20_000  # per read: 40 MB at 512 components, however far behind a replica is


@dataclass(frozen=True, slots=True)
class Support:
    """One labelled picture, without its vector."""

    id: int
    label: str
    picture: str
    thumbnail: str
    external_id: str | None
    metadata: Mapping[str, Any]
    created_at: float


class Supports:
    """The supports of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, collection: str, *, label: str | None = None, after: int = 0, limit: int = 100
    ) -> list[Support]:
        """Return supports in order of enrolment, of one class or of all."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            which = t.support.c.collection_id == found.id
            if label is not None:
                class_id = find_class(connection, found.id, label)
                if class_id is None:
                    return []
                which = t.support.c.class_id == class_id
            statement = _joined().where(which, t.support.c.id > after).order_by(t.support.c.id).limit(limit)
            return [_unpack(row) for row in connection.execute(statement)]

    def get(self, collection: str, support_id: int) -> Support:
        """Return one support; raises `support_not_found`."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            _check_id(support_id)
            one = (t.support.c.collection_id == found.id, t.support.c.id == support_id)
            row = connection.execute(_joined().where(*one)).first()
        if row is None:
            raise _support_not_found(support_id)
        return _unpack(row)

    def move(self, collection: str, support_id: int, label: str) -> Support:
        """Move a support to another class, which is created if it does not exist; return it as it is there.

        If that class already has the picture, the two become one: the class's own is returned.
        """
        with self._database.write() as connection:
            collection_id, version, row = _locked_support(connection, collection, support_id)
            class_id = find_class(connection, collection_id, label)
            if class_id is None:
                class_id = add_class(connection, collection_id, label, version + 1)
            twin = connection.execute(
                select(t.support.c.id).where(
                    t.support.c.class_id == class_id,
                    t.support.c.picture == row.picture,
                    t.support.c.id != support_id,
                )
            ).first()
            if twin is None:
                connection.execute(
                    update(t.support)
                    .where(t.support.c.id == support_id)
                    .values(class_id=class_id, seq=version + 1)
                )
            else:
                mark_supports_deleted(connection, t.support.c.id == support_id, version)
            set_version(connection, collection_id, version + 1)
        return self.get(collection, support_id if twin is None else twin.id)

    def delete(self, collection: str, support_id: int) -> None:
        """Delete a support; raises `support_not_found`."""
        with self._database.write() as connection:
            collection_id, version, _ = _locked_support(connection, collection, support_id)
            version = mark_supports_deleted(connection, t.support.c.id == support_id, version)
            set_version(connection, collection_id, version)

    def repeated_pictures(self, collection_id: int) -> dict[int, str]:
        """Return the pictures that several supports share, by support id."""
        support = t.support.c
        here = (support.collection_id == collection_id, support.class_id.is_not(None))
        repeated = select(support.picture).where(*here).group_by(support.picture).having(func.count() > 1)
        statement = select(support.id, support.picture).where(*here, support.picture.in_(repeated))
        with self._database.read() as connection:
            return {row.id: row.picture for row in connection.execute(statement)}

    def changes_since(self, collection_id: int, version: int) -> Changes | None:
        """Return the next changes after a version, read in one snapshot; None if the collection is gone.

        At most 20,000 supports are returned; if `more` is set, ask again from the returned `version` on.
        """
        with self._database.read() as connection:
            now = connection.execute(select(t.collection).where(t.collection.c.id == collection_id)).first()
            if now is None:
                return None
            if now.version == version:
                return Changes(version, (), (), now.embedded_at, now.encoder)
            upto, supports = _support_changes(connection, collection_id, version, now)
            return Changes(
                upto,
                class_changes(connection, collection_id, version, upto),
                supports,
                now.embedded_at,
                now.encoder,
                more=upto < now.version,
            )


def class_changes(connection: Connection, collection_id: int, after: int, upto: int) -> list[ClassChange]:
    """Return the current state of classes that changed after a version, up to another."""
    rows = connection.execute(
        select(t.class_.c.id, t.class_.c.label, t.class_.c.kind, t.class_.c.deleted).where(
            t.class_.c.collection_id == collection_id, t.class_.c.seq > after, t.class_.c.seq <= upto
        )
    )
    return [ClassChange(row.id, row.label, row.kind, row.deleted) for row in rows]


def _support_changes(
    connection: Connection, collection_id: int, after: int, now: Row[Any]
) -> tuple[int, list[SupportChange]]:
    """Return the version that these changes reach, and the changed supports."""
    support = t.support.c
    vector = vector_column(now.active_slot).label("packed")
    rows = connection.execute(
        select(support.id, support.class_id, support.seq, vector)
        .where(support.collection_id == collection_id, support.seq > after, support.seq <= now.version)
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


def _locked_support(connection: Connection, collection: str, support_id: int) -> tuple[int, int, Row[Any]]:
    found = find_collection(connection, collection)
    _check_id(support_id)
    version = lock_collection(connection, found.id)
    row = connection.execute(
        select(t.support.c.picture).where(
            t.support.c.collection_id == found.id,
            t.support.c.id == support_id,
            t.support.c.class_id.is_not(None),
        )
    ).first()
    if version is None or row is None:
        raise _support_not_found(support_id)
    return found.id, version, row


def _check_id(support_id: int) -> None:
    if support_id > MAX_ID:  # the databases would raise an error of their own
        raise _support_not_found(support_id)


def _support_not_found(support_id: int) -> ExemplarError:
    return ExemplarError("support_not_found", f"there is no support {support_id} in this collection")


def _joined() -> Any:
    return select(t.support, t.class_.c.label).join(t.class_, t.class_.c.id == t.support.c.class_id)


def _unpack(row: Row[Any]) -> Support:
    return Support(
        row.id, row.label, row.picture, row.thumbnail, row.external_id, row.metadata, row.created_at
    )
