"""The history of collections: their versions, and what they were at one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.changes import Past
from core.collections import ChangeKind, Collection, Rule
from core.vectors import Vector, unpack_vector
from store import tables as t
from store.database import Database, slices
from store.record.collection_rows import unpack_collection
from store.record.collections import collection_gone, find_collection, row_of, vector_column
from store.record.past import classes_at, supports_at
from store.record.restore import restore
from store.record.versions import check_answers, reached_version, rule_at
from store.unpacking import unpack


@dataclass(frozen=True, slots=True)
class Change:
    """Who made a version of a collection, when and how."""

    version: int
    from_version: int
    at: float
    kind: ChangeKind
    details: Mapping[str, Any]
    key_id: str | None
    actor: str
    """The name of the key, `local` without keys, `operator` for commands on the machine."""
    request_id: str | None
    job_id: str | None
    kept: bool
    """Whether the collection can be answered as of this version."""


class History:
    """The history of the record's collections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, name: str, *, before: int | None = None, limit: int = 100) -> list[Change]:
        """Return the changes of a collection, newest first, from the one before a version on."""
        change = t.change.c
        with self._database.read() as connection:
            collection = find_collection(connection, name)
            rows = select(t.change).where(change.collection_id == collection.id)
            if before is not None:
                rows = rows.where(change.version < before)
            found = connection.execute(rows.order_by(change.version.desc()).limit(limit))
            oldest = collection.oldest_version
            return [
                unpack(Change, row, key_id=row.actor, actor=row.actor_name, kept=row.version >= oldest)
                for row in found
            ]

    def at(self, name: str, version: int) -> Collection:
        """Return a collection without counts as it was at a version, the last one up to the given one.

        Raises `collection_not_found`, `version_gone`, `version_invalid` or `index_unsupported`.
        """
        with self._database.read() as connection:
            row = find_collection(connection, name)
            check_answers(row)
            reached = reached_version(connection, row, version)
            rule = rule_at(connection, row, reached)
            return replace(unpack_collection(row), version=reached, rule=rule)

    def past(self, collection_id: int, version: int) -> Past:
        """Return what a collection was at a version; raises as `at` does."""
        with self._read(collection_id) as (connection, row):
            reached = reached_version(connection, row, version)
            found = supports_at(row.id, reached, answered=True)
            supports = connection.execute(select(found.c.id, found.c.class_id).order_by(found.c.id))
            return Past(
                reached,
                row.embedded_at,
                rule_at(connection, row, reached),
                classes_at(connection, row.id, reached),
                dict(supports.all()),
            )

    def rule(self, collection_id: int, version: int) -> tuple[Rule, int]:
        """Return the rule of a version, and the last version that erased something; raises as `at` does."""
        change = t.change.c
        with self._read(collection_id) as (connection, row):
            reached = reached_version(connection, row, version)
            erased = select(func.max(change.version)).where(
                change.collection_id == row.id, change.version > reached, change.kind == ChangeKind.ERASED
            )
            return rule_at(connection, row, reached), connection.execute(erased).scalar() or 0

    def vectors(self, collection_id: int, ids: Sequence[int]) -> dict[int, Vector]:
        """Return the vectors of supports by id, also of deleted ones that are still kept."""
        support, found = t.support.c, {}
        with self._read(collection_id) as (connection, row):
            column = vector_column(row.active_slot)
            for some in slices(ids):
                which = (support.id.in_(some), column.is_not(None))
                for id_, packed in connection.execute(select(support.id, column).where(*which)):
                    found[id_] = unpack_vector(packed)
        return found

    def restore(self, name: str, version: int) -> int:
        """Make a collection what it was at a version; return its version then.

        Nothing changes if it is so already; raises as `at` does.
        """
        with self._database.write() as connection:
            return restore(connection, name, version)

    @contextmanager
    def _read(self, collection_id: int) -> Iterator[tuple[Connection, Row[Any]]]:
        with self._database.read() as connection:
            row = row_of(connection, collection_id)
            if row is None:
                raise collection_gone()
            yield connection, row
