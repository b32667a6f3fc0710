"""Enrolment: pictures of a chunk become supports, in the transaction that settles the chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from core.collections import ChangeKind, Labels
from core.errors import ExemplarError
from core.jobs import Chunk, Item, JobKind
from core.label_sets import LabelSet, check_one_label
from core.quality import Finding
from core.results import Result, done_result, failed_result
from core.vectors import Vector, pack_vector
from store import tables as t
from store.clock import now_s
from store.record.change_log import Made
from store.record.class_rows import add_class, move_supports, resolve_label
from store.record.collections import answering, collection_gone, lock_collection, set_version, vector_column
from store.record.label_sets import SetWriter

Twin = tuple[int, str]
"""A support with the same picture, and the label of its class."""

Twins = dict[str, dict[int, Twin]]
"""The supports of pictures, by the class that has them."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A picture with its vector, to be written as a support."""

    item: Item
    vector: Vector
    thumbnail: str
    created_at: float | None = None
    """The time of an enrolment elsewhere, for imports."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with the picture."""

    def shown_findings(self) -> dict[str, Any]:
        """Return the field of its result."""
        return {"findings": [finding.as_json() for finding in self.findings]}


def enroll(connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]) -> list[Result]:
    """Write the supports of a chunk and return a result for each item.

    A picture that its class already has is not stored again: its result names the existing support. One
    that another class has is stored in both, and its result names that class as `duplicate_label`. If a
    picture may have several labels, one that is enrolled again stays one support, with the labels of both.
    """
    version = None if chunk.collection_id is None else lock_collection(connection, chunk.collection_id)
    if version is None or chunk.collection_id is None:
        return all_failed(outcomes, collection_gone())
    pictures = {outcome.item.picture or "" for outcome in outcomes if isinstance(outcome, Enrolment)}
    twins = _twins(connection, chunk.collection_id, pictures)
    said = answering(connection, chunk.collection_id)
    rows = _Rows(connection, chunk.collection_id, version, said.active_slot)
    writer: _Writer | _SetWriter
    if said.labels is Labels.MANY:
        writer = _SetWriter(rows, chunk.submitted_version, twins)
    else:
        writer = _Writer(rows, chunk.submitted_version, twins)
    results = [writer.add(outcome) if isinstance(outcome, Enrolment) else outcome for outcome in outcomes]
    kind = ChangeKind.IMPORTED if chunk.kind is JobKind.IMPORT else ChangeKind.ENROLLED
    set_version(connection, chunk.collection_id, rows.version, Made(kind, rows.counts()))
    return [
        {**result, "index_version": rows.version} if result["status"] == "done" else result
        for result in results
    ]


def all_failed(outcomes: Sequence[Result | Enrolment], error: ExemplarError) -> list[Result]:
    """Return the results of pictures none of which can be written."""
    return [failed_result(one.item, error) if isinstance(one, Enrolment) else one for one in outcomes]


class _Rows:
    """Writes supports of one locked collection, each with the next `seq`."""

    def __init__(self, connection: Connection, collection_id: int, version: int, slot: int) -> None:
        self.connection = connection
        self.collection_id = collection_id
        self.version = version
        self._vector = vector_column(slot).name
        self._first = version
        self._moved = 0

    def insert(self, enrolment: Enrolment, class_id: int) -> int:
        self.version += 1
        item = enrolment.item
        row = {
            "collection_id": self.collection_id,
            "class_id": class_id,
            "seq": self.version,
            self._vector: pack_vector(enrolment.vector),
            "picture": item.picture,
            "thumbnail": enrolment.thumbnail,
            "external_id": item.external_id,
            "metadata": dict(item.metadata),
            "created_at": now_s() if enrolment.created_at is None else enrolment.created_at,
        }
        statement = insert(t.support).values(row).returning(t.support.c.id)
        return int(self.connection.execute(statement).scalar_one())

    def move(self, support_id: int, class_id: int) -> None:
        self.version = move_supports(self.connection, t.support.c.id == support_id, class_id, self.version)
        self._moved += 1

    def counts(self) -> dict[str, int]:
        """Return how many supports were added and moved."""
        added = self.version - self._first - self._moved
        return {"added": added} | ({"moved": self._moved} if self._moved else {})


class _Writer:
    """Adds supports to classes."""

    def __init__(self, rows: _Rows, submitted_version: int, twins: Twins) -> None:
        self._rows = rows
        self._submitted_version = submitted_version
        self._classes: dict[str, tuple[int, str]] = {}
        self._twins = twins

    def add(self, enrolment: Enrolment) -> Result:
        item = enrolment.item
        try:
            class_id, label = self._class_of(one_label(item))
        except ExemplarError as error:
            return failed_result(item, error)
        twins = self._twins.setdefault(item.picture or "", {})
        duplicate_of, duplicate_label = twins.get(class_id, min(twins.values(), default=(None, None)))
        if class_id not in twins:
            twins[class_id] = self._rows.insert(enrolment, class_id), label
        return done_result(
            item,
            {
                "support_id": twins[class_id][0],
                "label": label,
                "duplicate_of": duplicate_of,
                "duplicate_label": duplicate_label,
                **enrolment.shown_findings(),
            },
        )

    def _class_of(self, label: str) -> tuple[int, str]:
        rows = self._rows
        if label not in self._classes:
            found = resolve_label(rows.connection, rows.collection_id, label, self._submitted_version)
            if found is None:
                found = add_class(rows.connection, rows.collection_id, label, rows.version + 1), label
            self._classes[label] = found
        return self._classes[label]


class _SetWriter:
    """Adds supports to label sets; the set of a picture that is a support already grows."""

    def __init__(self, rows: _Rows, submitted_version: int, twins: Twins) -> None:
        self._rows = rows
        self._sets = SetWriter(rows.connection, rows.collection_id, submitted_version)
        self._supports = {
            picture: min((support_id, set_id) for set_id, (support_id, _) in found.items())
            for picture, found in twins.items()
        }

    def add(self, enrolment: Enrolment) -> Result:
        item, rows, seq = enrolment.item, self._rows, self._rows.version + 1
        try:
            members = self._sets.members(_labels_of(item), seq)
        except ExemplarError as error:
            return failed_result(item, error)
        support_id, set_id = self._supports.get(item.picture or "", (None, None))
        duplicate_of = support_id
        if support_id is None or set_id is None:
            set_id = self._sets.find_or_make(members, seq)
            support_id = rows.insert(enrolment, set_id)
        elif (grown := self._sets.members_of(set_id).union(members)) != self._sets.members_of(set_id):
            set_id = self._sets.find_or_make(grown, seq)
            rows.move(support_id, set_id)
        self._supports[item.picture or ""] = support_id, set_id
        shown = self._sets.labels_of(set_id)
        return done_result(
            item,
            {
                "support_id": support_id,
                "labels": list(shown.labels),
                "complete": shown.complete,
                "duplicate_of": duplicate_of,
                **enrolment.shown_findings(),
            },
        )


def one_label(item: Item) -> str:
    """Return the only label of an item; raises `labels_invalid` for several."""
    return str(check_one_label(item.labels)) if item.labels is not None else item.label or ""


def _labels_of(item: Item) -> LabelSet:
    return LabelSet((item.label or "",) if item.labels is None else item.labels, item.complete)


def _twins(connection: Connection, collection_id: int, pictures: set[str]) -> Twins:
    """Return the existing supports of these pictures: picture -> class -> support and label."""
    rows = connection.execute(
        select(t.support.c.picture, t.support.c.class_id, t.support.c.id, t.class_.c.label)
        .join(t.class_, t.class_.c.id == t.support.c.class_id)
        .where(
            t.support.c.collection_id == collection_id,
            t.support.c.picture.in_(sorted(pictures)),
            t.support.c.class_id.is_not(None),
        )
    )
    found: dict[str, dict[int, Twin]] = {}
    for row in rows:
        found.setdefault(row.picture, {})[row.class_id] = row.id, row.label
    return found
