"""Retention: what collections were is erased once it is old enough."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, true, update

from store import tables as t
from store.clock import now_s
from store.database import Database, slices
from store.record.change_log import forget_before
from store.record.collections import lock_collection

Names = tuple[set[str], set[str]]
"""The names of pictures and of thumbnails."""


class Retention:
    """Erases the past of the record's collections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def erase_older(self, keep_s: float) -> Iterator[Names]:
        """Erase what was replaced or deleted so long ago, collection by collection.

        Yields the pictures and thumbnails that supports erased had, which others may share.
        """
        change, collection = t.change.c, t.collection.c
        with self._database.read() as connection:
            due = connection.execute(
                select(change.collection_id, func.max(change.version).label("version"))
                .join(t.collection, collection.id == change.collection_id)
                .where(change.at <= now_s() - keep_s)
                .group_by(change.collection_id, collection.oldest_version)
                .having(func.max(change.version) > collection.oldest_version)
            ).all()
        for row in due:
            with self._database.write() as connection:
                if lock_collection(connection, row.collection_id) is None:
                    continue
                files = _erase(connection, row.collection_id, row.version)
            yield files

    def unused(self, pictures: Sequence[str], thumbnails: Sequence[str]) -> Names:
        """Return those of these pictures and thumbnails that no support or contribution has or keeps."""
        with self._database.read() as connection:
            return unused(connection, "picture", pictures), unused(connection, "thumbnail", thumbnails)


def unused(connection: Connection, column: str, names: Collection[str]) -> set[str]:
    """Return those of these pictures, or thumbnails, that no support or contribution has or keeps."""
    left = set(names)
    for table, keeps in ((t.support, keeps_files()), (t.quarantine, true())):
        for some in slices(sorted(left)):
            named = table.c[column]
            left -= set(connection.execute(select(named).where(named.in_(some), keeps)).scalars())
    return left


def keeps_files() -> Any:
    """Return the condition that a support needs its picture: it is there, or may be restored."""
    support = t.support.c
    return or_(support.class_id.is_not(None), support.vector.is_not(None), support.vector_b.is_not(None))


def _erase(connection: Connection, collection_id: int, version: int) -> Names:
    """Erase what a locked collection was before a version."""
    forget_before(connection, collection_id, version)
    for table in (t.support_past, t.class_past):
        which = (table.c.collection_id == collection_id, table.c.until <= version)
        connection.execute(delete(table).where(*which))
    support = t.support.c
    gone = (
        support.collection_id == collection_id,
        support.class_id.is_(None),
        support.seq <= version,
        support.vector.is_not(None) | support.vector_b.is_not(None),
    )
    files = connection.execute(select(support.picture, support.thumbnail).where(*gone)).all()
    connection.execute(update(t.support).where(*gone).values(vector=None, vector_b=None))
    return {row.picture for row in files}, {row.thumbnail for row in files if row.thumbnail}
