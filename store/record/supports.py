"""Supports: the labelled pictures, and the feed of their changes that replicas follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from core.caller_fields import check_metadata
from core.changes import Changes
from core.collections import ChangeKind, Labels
from core.errors import ExemplarError
from core.label_sets import LabelChange, LabelSet, check_one_label
from core.where import Where
from store import tables as t
from store.database import Database, slices
from store.record.change_log import Made
from store.record.class_rows import (
    add_class,
    find_class,
    mark_supports_deleted,
    move_supports,
    renumber_supports,
)
from store.record.collections import find_collection, lock_collection, row_of, set_version
from store.record.feed import class_changes, support_changes
from store.record.label_sets import Members, find_or_make_labels, find_or_make_set, label_sets
from store.record.metadata_filter import matches
from store.record.past import supports_at
from store.unpacking import unpack

MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Support:
    """One labelled picture, without its vector."""

    id: int
    label: str | None
    """None if a picture may have several labels."""
    picture: str
    thumbnail: str
    external_id: str | None
    metadata: Mapping[str, Any]
    created_at: float
    labels: LabelSet | None = None
    """Its labels, if a picture may have several."""


class Supports:
    """The supports of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        collection: str,
        *,
        label: str | None = None,
        where: Where | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[Support]:
        """Return supports in order of enrolment: those that bear a label and match a filter, or all."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            which = t.support.c.collection_id == found.id
            if label is not None:
                class_id = find_class(connection, found.id, label)
                if class_id is None:
                    return []
                which = t.support.c.class_id.in_(_classes_with(class_id, found.labels))
            if where is not None:
                which &= matches(connection, where)
            statement = _joined().where(which, t.support.c.id > after).order_by(t.support.c.id).limit(limit)
            return _unpack(connection, connection.execute(statement).all(), found.labels)

    def get(self, collection: str, support_id: int) -> Support:
        """Return one support; raises `support_not_found`."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            _check_id(support_id)
            one = (t.support.c.collection_id == found.id, t.support.c.id == support_id)
            rows = connection.execute(_joined().where(*one)).all()
            if not rows:
                raise _support_not_found(support_id)
            return _unpack(connection, rows, found.labels)[0]

    def move(self, collection: str, support_id: int, label: str) -> Support:
        """Move a support to another class, which is created if it does not exist; return it as it is there.

        If that class already has the picture, the two become one: the class's own is returned. Raises
        `labels_invalid` if a picture may have several labels.
        """
        with self._database.write() as connection:
            collection_id, version, row = _locked_support(connection, collection, support_id)
            if row.labels is Labels.MANY:
                raise ExemplarError(
                    "labels_invalid",
                    "expected labels, or add and remove, since pictures here may have several labels",
                )
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
                move_supports(connection, t.support.c.id == support_id, class_id, version)
            else:
                mark_supports_deleted(connection, t.support.c.id == support_id, version)
            made = Made(ChangeKind.MOVED, {"support": support_id, "label": label})
            set_version(connection, collection_id, version + 1, made)
        return self.get(collection, support_id if twin is None else twin.id)

    def change_labels(self, collection: str, support_id: int, change: LabelChange) -> Support:
        """Change the labels of a support; return it with the changed ones.

        New labels are created. If a picture has one label only, `labels` must name exactly one; raises
        `labels_invalid`, and what moving a support raises.
        """
        with self._database.read() as connection:
            labels = find_collection(connection, collection).labels
        if labels is Labels.ONE:
            return self.move(collection, support_id, _only_label(change))
        with self._database.write() as connection:
            collection_id, version, row = _locked_support(connection, collection, support_id)
            changed = change.apply(label_sets(connection, [row.class_id])[row.class_id])
            ids = find_or_make_labels(connection, collection_id, changed.labels, version + 1)
            set_id = find_or_make_set(connection, collection_id, Members(ids, changed.complete), version + 1)
            if set_id != row.class_id:
                version = move_supports(connection, t.support.c.id == support_id, set_id, version)
                made = Made(
                    ChangeKind.LABELS_CHANGED, {"support": support_id, "labels": list(changed.labels)}
                )
                set_version(connection, collection_id, version, made)
        return self.get(collection, support_id)

    def describe(self, collection: str, support_id: int, change: Mapping[str, Any]) -> Support:
        """Change what a caller says of a support, `external_id` and `metadata`; return it as it is then.

        Metadata is merged by name, and a name that is None is removed. Raises `support_not_found`, and
        `item_invalid` if the metadata would become too large.
        """
        with self._database.write() as connection:
            collection_id, version, row = _locked_support(connection, collection, support_id)
            values = dict(change)
            if "metadata" in values:
                merged = {**row.metadata, **values["metadata"]}
                values["metadata"] = {name: value for name, value in merged.items() if value is not None}
                check_metadata(values["metadata"])
            one = t.support.c.id == support_id
            version = renumber_supports(connection, one, version)
            connection.execute(update(t.support).where(one).values(**values))
            made = Made(ChangeKind.DESCRIBED, {"support": support_id, "fields": sorted(change)})
            set_version(connection, collection_id, version, made)
        return self.get(collection, support_id)

    def external_ids(self, support_ids: Collection[int]) -> dict[int, str]:
        """Return the external ids of those of these supports that have one."""
        support = t.support.c
        found: dict[int, str] = {}
        with self._database.read() as connection:
            for some in slices(sorted(support_ids)):
                rows = select(support.id, support.external_id).where(
                    support.id.in_(some), support.external_id.is_not(None)
                )
                found |= {row.id: row.external_id for row in connection.execute(rows)}
        return found

    def delete(self, collection: str, support_id: int) -> None:
        """Delete a support; raises `support_not_found`."""
        with self._database.write() as connection:
            collection_id, version, _ = _locked_support(connection, collection, support_id)
            version = mark_supports_deleted(connection, t.support.c.id == support_id, version)
            made = Made(ChangeKind.DELETED, {"support": support_id})
            set_version(connection, collection_id, version, made)

    def repeated_pictures(self, collection_id: int, version: int | None = None) -> dict[int, str]:
        """Return the pictures that several supports share, now or at a version, by support id."""
        support = t.support.c
        here = select(support.id, support.picture)
        if version is None:
            here = here.where(support.collection_id == collection_id, support.class_id.is_not(None))
        else:
            at = supports_at(collection_id, version)
            here = here.join(at, at.c.id == support.id)
        found = here.subquery().c
        repeated = select(found.picture).group_by(found.picture).having(func.count() > 1)
        statement = select(found.id, found.picture).where(found.picture.in_(repeated))
        with self._database.read() as connection:
            return {row.id: row.picture for row in connection.execute(statement)}

    def changes_since(self, collection_id: int, version: int, where: Where | None = None) -> Changes | None:
        """Return the next changes after a version, read in one snapshot; None if the collection is gone.

        At most 20,000 supports are returned; if `more` is set, ask again from the returned `version` on.
        One that does not match the filter looks deleted.
        """
        with self._database.read() as connection:
            now = row_of(connection, collection_id)
            if now is None:
                return None
            if now.version == version:
                return Changes(version, (), (), now.embedded_at, now.encoder)
            upto, supports = support_changes(connection, version, now, where)
            return Changes(
                upto,
                class_changes(connection, collection_id, version, upto),
                supports,
                now.embedded_at,
                now.encoder,
                more=upto < now.version,
            )


def _locked_support(connection: Connection, collection: str, support_id: int) -> tuple[int, int, Any]:
    found = find_collection(connection, collection)
    _check_id(support_id)
    version = lock_collection(connection, found.id)
    row = connection.execute(
        select(t.support.c.picture, t.support.c.class_id, t.support.c.metadata, t.collection.c.labels)
        .join(t.collection, t.collection.c.id == t.support.c.collection_id)
        .where(
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


def _classes_with(label_id: int, labels: Labels) -> Any:
    """Return the classes whose supports bear a label."""
    if labels is Labels.ONE:
        return [label_id]
    return select(t.class_member.c.set_id).where(t.class_member.c.label_id == label_id)


def _only_label(change: LabelChange) -> str:
    if change.labels is None:
        raise ExemplarError(
            "labels_invalid", "expected label, since a picture of this collection has exactly one label"
        )
    return str(check_one_label(change.labels, change.complete))


def _joined() -> Any:
    return select(t.support, t.class_.c.label).join(t.class_, t.class_.c.id == t.support.c.class_id)


def _unpack(connection: Connection, rows: Sequence[Row[Any]], labels: Labels) -> list[Support]:
    is_many = labels is Labels.MANY
    sets = label_sets(connection, {row.class_id for row in rows}) if is_many else {}
    return [
        unpack(Support, row, label=None if is_many else row.label, labels=sets.get(row.class_id))
        for row in rows
    ]
