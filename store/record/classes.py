"""Classes: the labels of a collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from core.collections import ChangeKind, ClassKind, Labels
from core.errors import ExemplarError
from core.label_sets import clean_part, unsupported
from store import tables as t
from store.database import Database
from store.record.change_log import Made
from store.record.class_counts import Class, count_supports, read_classes
from store.record.class_rows import (
    add_class,
    find_class,
    mark_class_deleted,
    mark_supports_deleted,
    move_supports,
)
from store.record.collections import find_collection, locked_collection, set_version
from store.record.label_changes import delete_label, merge_labels, rename_label
from store.record.label_sets import find_or_make_labels
from store.record.past import keep_classes


@dataclass(frozen=True, slots=True)
class _Locked:
    """A locked collection."""

    id: int
    version: int
    labels: Labels

    def clean(self, label: str) -> str:
        """Return a label as the collection writes it."""
        return clean_part(label, exists=True) if self.labels is Labels.MANY else label


class Classes:
    """The classes of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, collection: str, *, after: int = 0, limit: int = 100) -> list[Class]:
        """Return the classes in order of creation, from the one after id `after` on."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            return read_classes(connection, found.id, found.labels, t.class_.c.id > after, limit=limit)

    def counts(self, collection_id: int) -> dict[str, int]:
        """Return the number of supports of each label that has any."""
        with self._database.read() as connection:
            return count_supports(connection, collection_id)

    def get(self, collection: str, label: str) -> Class:
        """Return one class; raises `class_not_found`."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            classes = read_classes(connection, found.id, found.labels, t.class_.c.label == label)
        if not classes:
            raise _class_not_found(label)
        return classes[0]

    def add(self, collection: str, label: str, kind: ClassKind = ClassKind.NORMAL) -> Class:
        """Create a class from its name; a taken label raises `class_exists`.

        If a picture may have several labels, what the label implies is created too, and `negative` raises
        `labels_unsupported`.
        """
        with self._database.write() as connection:
            locked = _locked(connection, collection)
            label = locked.clean(label)
            if find_class(connection, locked.id, label) is not None:
                raise ExemplarError("class_exists", f"there is already a class {label!r}")
            if locked.labels is Labels.MANY:
                _check_kind(kind)
                find_or_make_labels(connection, locked.id, [label], locked.version + 1)
            else:
                add_class(connection, locked.id, label, locked.version + 1, kind)
            made = Made(ChangeKind.CLASS_ADDED, {"label": label})
            set_version(connection, locked.id, locked.version + 1, made)
        return self.get(collection, label)

    def change(
        self, collection: str, label: str, *, new_label: str | None = None, kind: ClassKind | None = None
    ) -> Class:
        """Rename a class or change its kind; a taken label raises `class_exists` (merge instead)."""
        with self._database.write() as connection:
            locked = _locked(connection, collection)
            label = locked.clean(label)
            new_label = label if new_label is None else locked.clean(new_label)
            _require_class(connection, locked.id, label)
            if locked.labels is Labels.MANY:
                _check_kind(kind)
                version = rename_label(connection, locked.id, label, new_label, locked.version)
            else:
                version = _change(connection, locked, label, new_label, kind)
            set_version(connection, locked.id, version, _changed(label, new_label, kind))
        return self.get(collection, new_label)

    def delete(self, collection: str, label: str) -> None:
        """Delete a class with its supports; work accepted earlier does not recreate it.

        If a picture may have several labels, only supports that have no other label are deleted.
        """
        with self._database.write() as connection:
            locked = _locked(connection, collection)
            label = locked.clean(label)
            class_id = _require_class(connection, locked.id, label)
            if locked.labels is Labels.MANY:
                version = delete_label(connection, locked.id, label, locked.version)
            else:
                of_class = t.support.c.class_id == class_id
                version = mark_supports_deleted(connection, of_class, locked.version) + 1
                mark_class_deleted(connection, class_id, version, merged_into=None)
            set_version(connection, locked.id, version, Made(ChangeKind.CLASS_DELETED, {"label": label}))

    def merge(self, collection: str, label: str, sources: Sequence[str]) -> Class:
        """Move every support of the source classes to this one; drop pictures that it already has."""
        with self._database.write() as connection:
            locked = _locked(connection, collection)
            label, sources = locked.clean(label), [*dict.fromkeys(map(locked.clean, sources))]
            if label in sources or not sources:
                raise ExemplarError(
                    "merge_invalid", "expected one or more other classes to merge into this one"
                )
            target = _require_class(connection, locked.id, label)
            source_ids = [_require_class(connection, locked.id, source) for source in sources]
            version = locked.version
            if locked.labels is Labels.MANY:
                version = merge_labels(connection, locked.id, label, sources, version)
                source_ids = []
            for source_id in source_ids:
                version = _move_all(connection, source_id, target, version) + 1
                mark_class_deleted(connection, source_id, version, merged_into=target)
            made = Made(ChangeKind.CLASS_MERGED, {"label": label, "from": list(sources)})
            set_version(connection, locked.id, version, made)
        return self.get(collection, label)


def _changed(label: str, new_label: str, kind: ClassKind | None) -> Made:
    details = {} if kind is None else {"kind": kind.value}
    if new_label == label:
        return Made(ChangeKind.CLASS_CHANGED, {"label": label, **details})
    return Made(ChangeKind.CLASS_RENAMED, {"from": label, "to": new_label, **details})


def _check_kind(kind: ClassKind | None) -> None:
    if kind is ClassKind.NEGATIVE:
        raise unsupported("kind negative", "enrol pictures without labels instead: they show none of them")


def _change(
    connection: Connection, locked: _Locked, label: str, new_label: str, kind: ClassKind | None
) -> int:
    """Rename a class, change its kind or both; return the resulting version."""
    class_id, version = _require_class(connection, locked.id, label), locked.version + 1
    if new_label != label and find_class(connection, locked.id, new_label) is not None:
        raise ExemplarError("class_exists", f"there is already a class {new_label!r}; merge the two instead")
    keep_classes(connection, [class_id], version)
    values: dict[str, Any] = {"seq": version, "label": new_label}
    if kind is not None:
        values["kind"] = kind
    connection.execute(update(t.class_).where(t.class_.c.id == class_id).values(values))
    if new_label != label:  # work accepted under the old name follows, as after a merge
        tombstone = add_class(connection, locked.id, label, version)
        mark_class_deleted(connection, tombstone, version, merged_into=class_id)
    return version


def _locked(connection: Connection, collection: str) -> _Locked:
    found = locked_collection(connection, collection)
    return _Locked(found.id, found.version, found.labels)


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
