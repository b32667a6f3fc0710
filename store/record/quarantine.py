"""Quarantine: pictures that contributors enrolled, which no answer sees until their owner accepts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from core.actor import LOCAL, current_actor
from core.collections import Labels
from core.errors import ExemplarError
from core.jobs import Chunk, Item, JobKind, QuarantineState
from core.labels import pack_labels, unpack_labels
from core.results import Result, done_result, failed_result
from core.vectors import Vector, pack_vector, unpack_vector
from store import tables as t
from store.clock import now_s
from store.database import Database, slices
from store.record.audit_log import note
from store.record.collections import answering, collection_gone, find_collection, lock_collection
from store.record.contributions import Contribution, Which, unpack_contribution
from store.record.enrolment import Enrolment, all_failed, enroll, one_label
from store.record.retention import unused

MOST_AT_ONCE = 5_000  # decided in one change
OPTION = "quarantine"
"""The option of an enrolment whose pictures are contributed: the name of the key."""


@dataclass(frozen=True, slots=True)
class Decided:
    """How many contributions were decided, how many of the selection still wait, and files to delete."""

    decided: int
    waiting: int
    results: Sequence[Result] = ()
    pictures: Sequence[str] = ()
    thumbnails: Sequence[str] = ()


def contribute(connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]) -> list[Result]:
    """Put the pictures of a chunk into quarantine, and return a result for each item.

    One that the key contributed with the same labels and that still waits is not kept twice.
    """
    version = None if chunk.collection_id is None else lock_collection(connection, chunk.collection_id)
    if version is None or chunk.collection_id is None:
        return all_failed(outcomes, collection_gone())
    said = answering(connection, chunk.collection_id)
    return [
        _put(connection, chunk, said.labels, one) if isinstance(one, Enrolment) else one for one in outcomes
    ]


def _put(connection: Connection, chunk: Chunk, labels: Labels, one: Enrolment) -> Result:
    item, key = one.item, LOCAL if chunk.origin is None else chunk.origin.key
    try:
        text = _text_of(item, labels)
    except ExemplarError as error:
        return failed_result(item, error)
    row = t.quarantine.c
    same = Which(key=key).condition(chunk.collection_id or 0)
    there = select(row.id).where(same, row.picture == item.picture, row.label == text)
    found = connection.execute(there.limit(1)).scalar()
    if found is None:
        values = {
            "collection_id": chunk.collection_id,
            "state": QuarantineState.WAITING,
            "label": text,
            "complete": item.complete,
            "encoder": chunk.encoder,
            "vector": pack_vector(one.vector),
            "picture": item.picture,
            "thumbnail": one.thumbnail,
            "external_id": item.external_id,
            "metadata": dict(item.metadata),
            "findings": [finding.as_json() for finding in one.findings],
            "key_id": key,
            "key_name": chunk.options[OPTION],
            "request_id": None if chunk.origin is None else chunk.origin.request_id,
        }
        made = insert(t.quarantine).values(**values, created_at=now_s()).returning(row.id)
        found = connection.execute(made).scalar_one()
    shown = {"label": text} if labels is Labels.ONE else {"labels": list(unpack_labels(text))}
    return done_result(item, {"quarantine_id": found, **shown, **one.shown_findings()})


def _text_of(item: Item, labels: Labels) -> str:
    if labels is Labels.MANY:
        return pack_labels((item.label or "",) if item.labels is None else item.labels)
    return one_label(item)


class Quarantine:
    """The contributions of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, collection: str, which: Which, *, after: int = 0, limit: int = 100) -> list[Contribution]:
        """Return contributions in the order in which they came."""
        with self._database.read() as connection:
            found = find_collection(connection, collection)
            row = t.quarantine.c
            rows = connection.execute(
                select(t.quarantine)
                .where(which.condition(found.id), row.id > after)
                .order_by(row.id)
                .limit(limit)
            )
            return [unpack_contribution(one) for one in rows]

    def get(self, collection: str, contribution_id: int, *, key: str | None = None) -> Contribution:
        """Return one contribution, of a key or of any; raises `contribution_not_found`."""
        found = self.page(collection, Which((contribution_id,), key, state=None), limit=1)
        if not found:
            raise ExemplarError("contribution_not_found", f"there is no contribution {contribution_id} here")
        return found[0]

    def vectors(self, collection_id: int, which: Which, encoder: str) -> list[tuple[int, str, Vector]]:
        """Return id, label and an encoder's vector of contributions, at most those that one call decides."""
        row = t.quarantine.c
        statement = (
            select(row.id, row.label, row.vector)
            .where(which.condition(collection_id), row.encoder == encoder, row.vector.is_not(None))
            .order_by(row.id)
            .limit(MOST_AT_ONCE)
        )
        with self._database.read() as connection:
            return [(one.id, one.label, unpack_vector(one.vector)) for one in connection.execute(statement)]

    def last_change(self, collection_id: int) -> tuple[int, int]:
        """Return the newest contribution and how many wait, which change with what an effect depends on."""
        row = t.quarantine.c
        newest = select(func.max(row.id)).where(row.collection_id == collection_id)
        waiting = select(func.count()).where(Which().condition(collection_id))
        with self._database.read() as connection:
            return connection.execute(newest).scalar() or 0, connection.execute(waiting).scalar_one()

    def accept(self, collection: str, which: Which) -> Decided:
        """Make contributions supports, as one change; a picture that its class has already stays one.

        Raises `encoder_changed` if the first of them is of another encoder than the collection's: such must
        be contributed again.
        """
        with self._database.write() as connection:
            found = find_collection(connection, collection)
            version = lock_collection(connection, found.id) or 0
            rows = _lock(connection, which.condition(found.id))
            said = answering(connection, found.id)
            ours = [row for row in rows if row.encoder == said.encoder]
            if rows and not ours:
                raise ExemplarError(
                    "encoder_changed",
                    f"these were contributed for {rows[0].encoder}, and the collection answers with "
                    f"{said.encoder} now; refuse them, and let them be contributed again",
                )
            chunk = _chunk(found.id, version)
            results = enroll(
                connection, chunk, [_enrolment(n, row, said.labels) for n, row in enumerate(ours)]
            )
            for row, result in zip(ours, results, strict=True):
                _decide(connection, [row.id], QuarantineState.ACCEPTED, result.get("support_id"))
            waiting = _waiting(connection, which.condition(found.id))
            _note(connection, "accepted", collection, ours)
        return Decided(len(ours), waiting, results)

    def refuse(self, collection: str, which: Which) -> Decided:
        """Refuse contributions: only who sent what for which class, and when, is kept of them."""
        with self._database.write() as connection:
            found = find_collection(connection, collection)
            rows = _lock(connection, which.condition(found.id))
            for ids in slices([row.id for row in rows]):
                _decide(connection, ids, QuarantineState.REFUSED, None, picture="", thumbnail="")
            waiting = _waiting(connection, which.condition(found.id))
            _note(connection, "refused", collection, rows)
            pictures = sorted(unused(connection, "picture", {row.picture for row in rows} - {""}))
            thumbnails = sorted(unused(connection, "thumbnail", {row.thumbnail for row in rows} - {""}))
        return Decided(len(rows), waiting, (), pictures, thumbnails)


def _lock(connection: Connection, condition: ColumnElement[bool]) -> Sequence[Row[Any]]:
    statement = select(t.quarantine).where(condition).order_by(t.quarantine.c.id).limit(MOST_AT_ONCE)
    return connection.execute(statement.with_for_update()).all()


def _decide(
    connection: Connection, ids: Sequence[int], state: QuarantineState, support_id: Any, **values: Any
) -> None:
    actor = current_actor()
    connection.execute(
        update(t.quarantine)
        .where(t.quarantine.c.id.in_(ids))
        .values(
            state=state,
            vector=None,
            decided_at=now_s(),
            decided_by=actor.key_id or actor.name,
            support_id=support_id,
            **values,
        )
    )


def _waiting(connection: Connection, condition: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).where(condition)).scalar_one())


def _note(connection: Connection, what: str, collection: str, rows: Sequence[Row[Any]]) -> None:
    keys = sorted({row.key_id for row in rows})
    details = {"contributions": len(rows), "first": min((row.id for row in rows), default=None), "keys": keys}
    if rows:
        note(connection, f"quarantine_{what}", collection=collection, details=details)


def _chunk(collection_id: int, version: int) -> Chunk:
    """Return what `enroll` must know of the chunk that it enrols."""
    return Chunk(0, "", JobKind.ENROLL, collection_id, (), 0, 0, version, 0)


def _enrolment(number: int, row: Row[Any], labels: Labels) -> Enrolment:
    several = unpack_labels(row.label) if labels is Labels.MANY else None
    item = Item(
        number,
        row.picture,
        None if several is not None else row.label,
        external_id=row.external_id,
        metadata=row.metadata,
        labels=several,
        complete=row.complete,
    )
    return Enrolment(item, unpack_vector(row.vector), row.thumbnail)
