"""Label sets: classes of kind `set`, which supports belong to where a picture may have several labels.

The labels are classes of their own, without supports; `class_member` says which labels a set has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select, update

from core.collections import ClassKind
from core.errors import ExemplarError
from core.label_sets import LabelSet, with_parents
from store import tables as t
from store.database import slices
from store.record.class_rows import add_class, find_class, resolve_label
from store.record.past import labels_in


@dataclass(frozen=True, slots=True)
class Members:
    """The ids of the labels in a set, and whether those are all."""

    ids: frozenset[int]
    complete: bool

    @property
    def text(self) -> str:
        """What stands in the place of a label: one text for each set, which no label can be."""
        digest = hashlib.sha256(",".join(map(str, sorted(self.ids))).encode()).hexdigest()
        return f"\x1f{'complete' if self.complete else 'partial'} {digest}"

    def union(self, other: Members) -> Members:
        """Return the labels of both; they are all if either says so."""
        return Members(self.ids | other.ids, self.complete or other.complete)


def find_or_make_set(connection: Connection, collection_id: int, members: Members, seq: int) -> int:
    """Return the id of a set in a locked collection."""
    found = find_class(connection, collection_id, members.text)
    if found is not None:
        return found
    made = add_class(connection, collection_id, members.text, seq, ClassKind.SET)
    write_members(connection, {made: members})
    return made


def write_members(connection: Connection, sets: Mapping[int, Members]) -> None:
    """Write the labels of sets that have none yet."""
    if not sets:
        return
    connection.execute(
        update(t.class_)
        .where(t.class_.c.id == bindparam("of"))
        .values(label=bindparam("as_text"), complete=bindparam("whole")),
        [{"of": set_id, "as_text": one.text, "whole": one.complete} for set_id, one in sets.items()],
    )
    rows = [{"set_id": set_id, "label_id": id_} for set_id, one in sets.items() for id_ in sorted(one.ids)]
    if rows:
        connection.execute(insert(t.class_member), rows)


def find_or_make_labels(
    connection: Connection, collection_id: int, labels: Iterable[str], seq: int
) -> frozenset[int]:
    """Return the ids of labels in a locked collection, and of all that they imply."""
    found = set()
    for label in sorted(with_parents(labels)):  # parents first
        class_id = find_class(connection, collection_id, label)
        found.add(add_class(connection, collection_id, label, seq) if class_id is None else class_id)
    return frozenset(found)


class SetWriter:
    """Finds or makes the sets of pictures that were accepted at an earlier version of a locked collection."""

    def __init__(self, connection: Connection, collection_id: int, since_version: int) -> None:
        self._connection = connection
        self._collection_id = collection_id
        self._since = since_version
        self._ids: dict[str, frozenset[int]] = {}
        self._members: dict[int, Members] = {}
        self._labels: dict[int, LabelSet] = {}

    def members(self, labels: LabelSet, seq: int) -> Members:
        """Return the members of a set of labels, as they were renamed or merged since.

        Labels deleted since are left out, as they would be had the picture been enrolled at once; raises
        `class_deleted` if none is left and the set is not complete.
        """
        ids: set[int] = set()
        deleted = None
        for label in labels.labels:
            try:
                ids |= self._resolve(label, seq)
            except ExemplarError as error:
                deleted = error
        if deleted is not None and not ids and not labels.complete:
            raise deleted
        return Members(frozenset(ids), labels.complete)

    def find_or_make(self, members: Members, seq: int) -> int:
        """Return the id of the set with these members."""
        set_id = find_or_make_set(self._connection, self._collection_id, members, seq)
        self._members[set_id] = members
        return set_id

    def members_of(self, set_id: int) -> Members:
        """Return the members of a set."""
        if set_id not in self._members:
            self._members |= members_of(self._connection, [set_id])
        return self._members[set_id]

    def labels_of(self, set_id: int) -> LabelSet:
        """Return the labels of a set."""
        if set_id not in self._labels:
            self._labels |= label_sets(self._connection, [set_id])
        return self._labels[set_id]

    def _resolve(self, label: str, seq: int) -> frozenset[int]:
        """Return the ids of what a label has become and implies; a new one is made."""
        if label not in self._ids:
            current = self._current(label)
            self._ids[label] = find_or_make_labels(self._connection, self._collection_id, [current], seq)
        return self._ids[label]

    def _current(self, label: str) -> str:
        found = resolve_label(self._connection, self._collection_id, label, self._since)
        if found is not None:
            return found[1]
        parent, _, name = label.rpartition("/")
        return f"{self._current(parent)}/{name}" if parent else name  # the parent may be renamed


def members_of(connection: Connection, set_ids: Sequence[int]) -> dict[int, Members]:
    """Return the members of sets by id."""
    class_, ids = t.class_.c, labels_in(connection, set_ids)
    found: dict[int, Members] = {}
    for some in slices(set_ids):
        rows = connection.execute(select(class_.id, class_.complete).where(class_.id.in_(some)))
        found |= {row.id: Members(frozenset(ids.get(row.id, ())), row.complete) for row in rows}
    return found


def label_sets(connection: Connection, set_ids: Collection[int]) -> dict[int, LabelSet]:
    """Return the labels of sets by id."""
    class_, member = t.class_.c, t.class_member.c
    complete: dict[int, bool] = {}
    labels: dict[int, list[str]] = {}
    for some in slices(sorted(set_ids)):
        rows = connection.execute(select(class_.id, class_.complete).where(class_.id.in_(some)))
        complete |= {row.id: row.complete for row in rows}
        named = select(member.set_id, class_.label).join(t.class_, class_.id == member.label_id)
        for row in connection.execute(named.where(member.set_id.in_(some))):
            labels.setdefault(row.set_id, []).append(row.label)
    return {one: LabelSet(tuple(sorted(labels.get(one, ()))), flag) for one, flag in complete.items()}
