"""Names of versions: one for each, and unique in a collection."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from core.errors import ExemplarError
from core.labels import check_slug
from store import tables as t
from store.database import Database
from store.record.audit_log import note
from store.record.collections import find_collection, locked_collection
from store.record.versions import reached_version


class VersionNames:
    """The names of the versions of the record's collections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, collection: str, version: int, name: str) -> int:
        """Name a version, or rename it; return the version that the number stands for.

        Raises `name_invalid`, `version_name_taken`, `version_invalid` and `version_gone`.
        """
        check_version_name(name)
        with self._database.write() as connection:
            found = locked_collection(connection, collection)
            reached = reached_version(connection, found, version)
            row = t.version_name.c
            owner = select(row.version).where(row.collection_id == found.id, row.name == name)
            if connection.execute(owner).scalar() not in (None, reached):
                raise ExemplarError(
                    "version_name_taken", f"another version of this collection is named {name!r} already"
                )
            _remove(connection, found.id, reached)
            connection.execute(
                insert(t.version_name).values(collection_id=found.id, name=name, version=reached)
            )
            note(
                connection, "version_named", collection=collection, details={"version": reached, "name": name}
            )
        return reached

    def remove(self, collection: str, version: int) -> None:
        """Remove the name of a version; raises `version_not_found` if it has none."""
        with self._database.write() as connection:
            found = locked_collection(connection, collection)
            if _remove(connection, found.id, version) == 0:
                raise _not_found(str(version))
            note(connection, "version_unnamed", collection=collection, details={"version": version})

    def of(self, collection: str) -> dict[int, str]:
        """Return the names by version."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            row = t.version_name.c
            rows = select(row.version, row.name).where(row.collection_id == found.id)
            return {one.version: one.name for one in connection.execute(rows)}

    def resolve(self, collection: str, name: str) -> int:
        """Return the version with a name; raises `version_not_found`."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            row = t.version_name.c
            version = select(row.version).where(row.collection_id == found.id, row.name == name)
            number = connection.execute(version).scalar()
        if number is None:
            raise _not_found(name)
        return int(number)


def check_version_name(name: str) -> str:
    """Return a name; raise `name_invalid` unless it is a slug that is no number."""
    if check_slug(name).isdigit():
        raise ExemplarError("name_invalid", f"expected a name with a letter, got the number {name}")
    return name


def _remove(connection: Connection, collection_id: int, version: int) -> int:
    row = t.version_name.c
    which = (row.collection_id == collection_id, row.version == version)
    return connection.execute(delete(t.version_name).where(*which)).rowcount


def _not_found(version: str) -> ExemplarError:
    return ExemplarError("version_not_found", f"expected the name of a version, got {version!r}")
