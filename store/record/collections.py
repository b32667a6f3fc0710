"""Collections: sets of classes that share an encoder and a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.collections import ChangeKind, Collection, Index, IndexMeasure, Labels, Prompts, Rule, Views
from core.errors import ExemplarError
from core.quality import Quality, pack_quality, unpack_quality
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.audit_log import note
from store.record.change_log import Made, forget_before, keeps_history, log_change
from store.record.collection_removal import delete_collection
from store.record.collection_rows import (
    changed_fields,
    unpack_collection,
    unpack_index,
    unpack_rule,
    with_counts,
)
from store.record.keys import follow_name
from store.record.prompt_rules import check_index, check_labels, check_rule_of_prompts, check_views

_ROW = select(t.collection)


class Collections:
    """The collections of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        encoder: str,
        rule: Rule,
        *,
        views: Views = Views.ONE,
        prompts: Prompts | None = None,
        index: Index = Index(),  # noqa: B008 - a frozen value
        labels: Labels = Labels.ONE,
        quality: Mapping[str, Any] | None = None,
    ) -> Collection:
        """Add a collection; `quality` are fields of `Quality` that differ from the defaults.

        Raises `collection_exists` for a taken name, `rule_invalid`, `index_invalid`, `views_invalid` or
        `labels_unsupported`.
        """
        check_rule_of_prompts(rule, prompts)
        check_views(views, labels)
        check_labels(labels, rule, prompts)
        check_index(index, labels, prompts)
        row = {
            "name": name,
            "encoder": encoder,
            "rule": asdict(rule),
            "views": views.value,
            "prompts": prompts,
            "index_spec": asdict(index),
            "created_at": now_s(),
            "embedded_at": now_s(),
            "labels": labels,
            "quality": None if quality is None else pack_quality(replace(Quality(), **quality)),
        }
        try:
            with self._database.write() as connection:
                connection.execute(insert(t.collection).values(row))
                details = {"encoder": encoder, "labels": labels}
                note(connection, "collection_created", collection=name, details=details)
        except IntegrityError as error:
            raise collection_exists(name) from error
        return self.get(name)

    def all_versions(self) -> dict[int, int]:
        """Return the version of every collection by its id."""
        with self._database.read() as connection:
            return dict(connection.execute(select(t.collection.c.id, t.collection.c.version)).all())

    def encoders(self) -> dict[str, str]:
        """Return the active encoder of each collection, by collection name."""
        with self._database.read() as connection:
            return dict(connection.execute(select(t.collection.c.name, t.collection.c.encoder)).all())

    def get(self, name: str) -> Collection:
        """Return one collection with its counts; raises `collection_not_found`."""
        with self._database.read() as connection:
            return unpack_collection(find_collection(connection, name, with_counts()))

    def find(self, name: str) -> Collection:
        """Return one collection without counts, which are expensive; raises `collection_not_found`."""
        with self._database.read() as connection:
            return unpack_collection(find_collection(connection, name))

    def page(
        self, *, after: int = 0, limit: int = 100, among: frozenset[str] | None = None
    ) -> list[Collection]:
        """Return collections in order of creation, from the one after id `after` on.

        With `among`, return only those with these names.
        """
        statement = with_counts().where(t.collection.c.id > after).order_by(t.collection.c.id).limit(limit)
        if among is not None:
            statement = statement.where(t.collection.c.name.in_(among))
        with self._database.read() as connection:
            return [unpack_collection(row) for row in connection.execute(statement)]

    def change(
        self,
        name: str,
        changes: Mapping[str, Any] = {},
        *,
        index: Index | None = None,
        new_name: str | None = None,
        quality: Mapping[str, Any] | None = None,
    ) -> Collection:
        """Change some fields of the rule and of the quality settings, and the index and the name if given.

        The fields are named as in `Rule` and `Quality`. The next answer uses rule and index. Jobs and API
        keys follow the new name. Raises `collection_not_found`, `collection_exists` for a taken name, or
        `rule_invalid` or `index_invalid` if the rule or the index cannot be combined with the prompts.
        """
        with self._database.write() as connection:
            which = t.collection.c.name == name
            row = find_collection(connection, name, _ROW.with_for_update())
            before = unpack_rule(row.rule)
            rule = replace(before, **changes)
            check_rule_of_prompts(rule, row.prompts)
            check_labels(row.labels, rule, row.prompts)
            changed: dict[str, Any] = {"rule": asdict(rule)}
            if index is not None and index != unpack_index(row.index_spec):
                check_index(index, row.labels, row.prompts)
                changed |= {"index_spec": asdict(index), "index_measured": None}
                note(connection, "index_changed", collection=name, details=asdict(index))
            if quality:
                changed["quality"] = pack_quality(replace(unpack_quality(row.quality), **quality))
            connection.execute(update(t.collection).where(which).values(changed))
            if rule != before:
                made = Made(ChangeKind.RULE_CHANGED, changed_fields(before, rule), rule_before=row.rule)
                set_version(connection, row.id, row.version + 1, made)
            if new_name not in (None, name):
                _rename(connection, row.id, name, new_name)
                note(connection, "collection_renamed", collection=new_name, details={"before": name})
        return self.get(name if new_name is None else new_name)

    def note_measure(self, collection_id: int, measure: IndexMeasure) -> None:
        """Store a worker's measurement of an index, unless the collection's index has changed."""
        which = t.collection.c.id == collection_id
        with self._database.write() as connection:
            row = connection.execute(select(t.collection.c.index_spec).where(which).with_for_update()).first()
            if row is not None and row.index_spec["name"] == measure.name.value:
                connection.execute(update(t.collection).where(which).values(index_measured=asdict(measure)))

    def delete(self, name: str) -> None:
        """Delete a collection with its classes and supports; its waiting work fails when claimed."""
        with self._database.write() as connection:
            found = find_collection(connection, name)
            lock_collection(connection, found.id)
            delete_collection(connection, found.id)
            note(connection, "collection_deleted", collection=name)

    def current(self, collection_id: int) -> Collection | None:
        """Return the current state of a collection without counts; None if it was deleted."""
        with self._database.read() as connection:
            row = row_of(connection, collection_id)
        return None if row is None else unpack_collection(row)

    def versions(self, ids: Sequence[int]) -> list[tuple[int, str, int]]:
        """Return id, name and version of those of these collections that exist."""
        wanted = select(t.collection.c.id, t.collection.c.name, t.collection.c.version)
        with self._database.read() as connection:
            rows = connection.execute(wanted.where(t.collection.c.id.in_(ids)))
            return [(row.id, row.name, row.version) for row in rows]


def _rename(connection: Connection, collection_id: int, name: str, new_name: str) -> None:
    """Rename a locked collection, in its jobs and in the keys that are restricted to it too."""
    which = t.collection.c.id == collection_id
    try:
        connection.execute(update(t.collection).where(which).values(name=new_name))
    except IntegrityError as error:
        raise collection_exists(new_name) from error
    of_it = t.job.c.collection_id == collection_id
    connection.execute(select(t.job.c.id).where(of_it).order_by(t.job.c.id).with_for_update())
    connection.execute(update(t.job).where(of_it).values(collection_name=new_name))
    follow_name(connection, name, new_name)


def collection_exists(name: str) -> ExemplarError:
    """Return the error for a taken name."""
    return ExemplarError("collection_exists", f"there is already a collection named {name!r}")


def collection_not_found(name: str) -> ExemplarError:
    """Return the error for a missing collection."""
    return ExemplarError("collection_not_found", f"there is no collection named {name!r}")


def collection_gone() -> ExemplarError:
    """Return the error for work whose collection was deleted while it waited."""
    return ExemplarError(
        "collection_not_found", "the collection was deleted before this picture was processed"
    )


def find_collection(connection: Connection, name: str, rows: Select[Any] = _ROW) -> Row[Any]:
    """Return the row of a collection; raises `collection_not_found`."""
    row = connection.execute(rows.where(t.collection.c.name == name)).first()
    if row is None:
        raise collection_not_found(name)
    return row


def keep_collection(connection: Connection, name: str) -> Row[Any]:
    """Find a collection, which keeps its name until the transaction ends."""
    return find_collection(connection, name, _ROW.with_for_update(read=True, key_share=True))


def locked_collection(connection: Connection, name: str) -> Row[Any]:
    """Return the row of a collection as it is once it is locked; raises `collection_not_found`."""
    lock_collection(connection, find_collection(connection, name).id)
    return find_collection(connection, name)


def row_of(connection: Connection, collection_id: int) -> Row[Any] | None:
    """Return the row of a collection; None if it is gone."""
    return connection.execute(_ROW.where(t.collection.c.id == collection_id)).first()


def lock_collection(connection: Connection, collection_id: int) -> int | None:
    """Lock a collection's row until the end of the transaction and return its version; None if it is gone.

    Every change of supports starts here, so commit order equals `seq` order and no reader skips a row.
    """
    return connection.execute(
        update(t.collection)
        .where(t.collection.c.id == collection_id)
        .values(version=t.collection.c.version)
        .returning(t.collection.c.version)
    ).scalar_one_or_none()


def answering(connection: Connection, collection_id: int) -> Row[str, int, Labels]:
    """Return the active encoder of a locked collection, the slot of its vectors, and a picture's labels."""
    collection = t.collection.c
    columns = (collection.encoder, collection.active_slot, collection.labels)
    return connection.execute(select(*columns).where(collection.id == collection_id)).one()


def vector_column(slot: int) -> Column[bytes]:
    """Return the column of a support's vector in a slot, 0 or 1."""
    return t.support.c.vector_b if slot else t.support.c.vector


def set_version(connection: Connection, collection_id: int, version: int, made: Made) -> None:
    """Write the new version of a locked collection, and who made it, unless nothing has changed."""
    which = (t.collection.c.id == collection_id, t.collection.c.version != version)
    if connection.execute(update(t.collection).where(*which).values(version=version)).rowcount == 0:
        return
    log_change(connection, collection_id, version, made)
    if not keeps_history(connection):
        forget_before(connection, collection_id, version)
