"""Checks of the record: its schema, references, versions, supports and work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    text,
    update,
)

from core.collections import ChangeKind
from core.findings import Finding, some_of
from store import tables as t
from store.checks.label_sets import examine_label_sets
from store.checks.work import examine_work
from store.database import Database
from store.migrate import HEAD, ensure_schema, found_revision
from store.record.change_log import Made, log_change
from store.record.class_rows import mark_supports_deleted
from store.record.collections import lock_collection, set_version
from store.store import Store


def examine_record(store: Store, *, deep: bool = False) -> Iterator[Finding]:
    """Yield problems of the record; `deep` checks every page of SQLite's file.

    Raises `record_unavailable`.
    """
    database = store.database
    found = found_revision(database)
    if found != HEAD:
        yield _shape(database, found)
        return  # the other checks need this version's tables
    if database.is_sqlite:
        yield from _pages(database, deep=deep)
    yield from _references(database)
    yield from _versions(database)
    yield from _supports(database)
    yield from examine_label_sets(database)
    yield from examine_work(store)


def _shape(database: Database, found: str | None) -> Finding:
    def migrate() -> int:
        ensure_schema(database)
        return 1

    message = f"the tables have revision {found or 'none'}, this version needs {HEAD}"
    return Finding("record", "record_not_migrated", message, 1, migrate)


def _pages(database: Database, *, deep: bool) -> Iterator[Finding]:
    with database.read() as connection:
        pragma = "integrity_check" if deep else "quick_check"
        lines = list(connection.execute(text(f"PRAGMA {pragma}")).scalars())
    if lines != ["ok"]:
        message = f"SQLite's file is damaged ({lines[0]}); restore it from a backup"
        yield Finding("record", "record_damaged", message, len(lines))


def _references(database: Database) -> Iterator[Finding]:
    """Find rows that refer to missing rows; foreign keys prevent them, unless they were disabled."""
    for table in t.metadata.sorted_tables:
        for key in table.foreign_keys:
            orphans = _orphans(key)
            with database.read() as connection:
                count = connection.execute(
                    select(func.count()).select_from(table).where(orphans)
                ).scalar_one()
            if count:
                message = f"{count} rows of {table.name} refer to a missing {key.column.table.name}"
                yield Finding("record", "orphan_rows", message, count, partial(_cut, database, key))


def _orphans(key: ForeignKey) -> ColumnElement[bool]:
    parent = key.column.table.alias("parent")
    there = exists(select(1).where(parent.c[key.column.name] == key.parent))
    return key.parent.is_not(None) & ~there


def _cut(database: Database, key: ForeignKey) -> int:
    """Apply the foreign key's ON DELETE: delete such rows, or set the reference to null."""
    table = key.parent.table
    with database.write() as connection:
        if key.parent.nullable:
            statement = update(table).where(_orphans(key)).values({key.parent.name: None})
            return connection.execute(statement).rowcount
        return connection.execute(delete(table).where(_orphans(key))).rowcount


def _versions(database: Database) -> Iterator[Finding]:
    behind = t.collection.c.version < _newest()
    with database.read() as connection:
        names = connection.execute(select(t.collection.c.name).where(behind)).scalars().all()
    if names:
        message = f"replicas would miss changes of {some_of(names)}: the version is behind its supports"
        yield Finding("record", "version_behind", message, len(names), partial(_lift, database))


def _newest() -> ColumnElement[int]:
    collection = t.collection.c.id
    supports = select(func.max(t.support.c.seq)).where(t.support.c.collection_id == collection)
    classes = select(func.max(t.class_.c.seq)).where(t.class_.c.collection_id == collection)
    newest_support = func.coalesce(supports.scalar_subquery(), 0)
    newest_class = func.coalesce(classes.scalar_subquery(), 0)
    return case((newest_support > newest_class, newest_support), else_=newest_class)


def _lift(database: Database) -> int:
    change = t.change.c
    logged = select(func.max(change.version)).where(change.collection_id == t.collection.c.id)
    newest = select(t.collection.c.id, _newest().label("seen"), logged.scalar_subquery().label("logged"))
    with database.write() as connection:
        behind = connection.execute(newest.where(t.collection.c.version < _newest())).all()
        for row in behind:
            lock_collection(connection, row.id)
            version = max(row.seen, row.logged or 0)
            which = t.collection.c.id == row.id
            connection.execute(update(t.collection).where(which).values(version=version))
            if version != row.logged:
                log_change(connection, row.id, version, Made(ChangeKind.REPAIRED))
        return len(behind)


def _supports(database: Database) -> Iterator[Finding]:
    """Find supports that are neither complete nor tombstones; no count includes them."""
    support, class_ = t.support.c, t.class_.c
    halves = or_(
        support.class_id.is_(None)
        & or_(support.vector.is_not(None), support.vector_b.is_not(None))
        & ~exists(select(1).where(t.support_past.c.support_id == support.id)),
        support.class_id.is_not(None) & support.vector.is_(None) & support.vector_b.is_(None),
        exists(select(1).where(class_.id == support.class_id, class_.deleted)),
    )
    with database.read() as connection:
        ids = connection.execute(select(support.id).where(halves).order_by(support.id)).scalars().all()
    if ids:
        message = f"{len(ids)} supports are incomplete (ids {some_of(ids)}) and take no part in answers"
        yield Finding(
            "record", "support_incomplete", message, len(ids), partial(_delete_supports, database, ids)
        )


def _delete_supports(database: Database, ids: Sequence[int]) -> int:
    """Delete supports with a new `seq`, so that replicas and snapshots follow."""
    support = t.support.c
    with database.write() as connection:
        which = support.id.in_(ids)
        collections = select(support.collection_id).where(which).distinct().order_by(support.collection_id)
        for collection_id in connection.execute(collections).scalars().all():
            version = lock_collection(connection, collection_id)
            if version is not None:
                here = which & (support.collection_id == collection_id)
                version = mark_supports_deleted(connection, here, version)
                set_version(connection, collection_id, version, Made(ChangeKind.REPAIRED))
    return len(ids)
