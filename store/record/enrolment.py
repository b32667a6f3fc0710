"""Enrolment: pictures of a chunk become supports, in the transaction that settles the chunk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from core.errors import ExemplarError
from core.results import Result, failed_result
from core.types import Chunk, Item
from core.vectors import Vector, pack_vector
from store import tables as t
from store.clock import now_s
from store.record.classes import add_class, resolve_label
from store.record.collections import answering, collection_gone, lock_collection, set_version, vector_column

Twin = tuple[int, str]
"""A support with the same picture, and the label of its class."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A picture with its vector, to be written as a support."""

    item: Item
    vector: Vector
    thumbnail: str
    created_at: float | None = None
    """The time of an enrolment elsewhere, for imports."""


def enroll(connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]) -> list[Result]:
    """Write the supports of a chunk and return a result for each item.

    A picture that its class already has is not stored again: its result names the existing support. One
    that another class has is stored in both, and its result names that class as `duplicate_label`.
    """
    version = None if chunk.collection_id is None else lock_collection(connection, chunk.collection_id)
    if version is None or chunk.collection_id is None:
        return [
            failed_result(outcome.item, collection_gone()) if isinstance(outcome, Enrolment) else outcome
            for outcome in outcomes
        ]
    pictures = {outcome.item.picture or "" for outcome in outcomes if isinstance(outcome, Enrolment)}
    twins = _twins(connection, chunk.collection_id, pictures)
    writer = _Writer(connection, chunk.collection_id, chunk, version, twins)
    results = [writer.add(outcome) if isinstance(outcome, Enrolment) else outcome for outcome in outcomes]
    set_version(connection, chunk.collection_id, writer.version)
    return [
        {**result, "index_version": writer.version} if result["status"] == "done" else result
        for result in results
    ]


class _Writer:
    """Adds supports to one locked collection, each with the next `seq`."""

    def __init__(
        self,
        connection: Connection,
        collection_id: int,
        chunk: Chunk,
        version: int,
        twins: dict[str, dict[int, Twin]],
    ) -> None:
        self.version = version
        self._vector = vector_column(answering(connection, collection_id).active_slot).name
        self._connection = connection
        self._collection_id = collection_id
        self._submitted_version = chunk.submitted_version
        self._classes: dict[str, tuple[int, str]] = {}
        self._twins = twins

    def add(self, enrolment: Enrolment) -> Result:
        item = enrolment.item
        try:
            class_id, label = self._class_of(item.label or "")
        except ExemplarError as error:
            return failed_result(item, error)
        twins = self._twins.setdefault(item.picture or "", {})
        duplicate_of, duplicate_label = twins.get(class_id, min(twins.values(), default=(None, None)))
        if class_id not in twins:
            twins[class_id] = self._insert(enrolment, class_id), label
        return {
            "item": item.index,
            "custom_id": item.custom_id,
            "status": "done",
            "support_id": twins[class_id][0],
            "label": label,
            "duplicate_of": duplicate_of,
            "duplicate_label": duplicate_label,
        }

    def _class_of(self, label: str) -> tuple[int, str]:
        if label not in self._classes:
            found = resolve_label(self._connection, self._collection_id, label, self._submitted_version)
            if found is None:
                found = add_class(self._connection, self._collection_id, label, self.version + 1), label
            self._classes[label] = found
        return self._classes[label]

    def _insert(self, enrolment: Enrolment, class_id: int) -> int:
        self.version += 1
        item = enrolment.item
        row = {
            "collection_id": self._collection_id,
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
        return int(self._connection.execute(statement).scalar_one())


def _twins(connection: Connection, collection_id: int, pictures: set[str]) -> dict[str, dict[int, Twin]]:
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
