"""The audit log: who did what and when; rows are only ever added, and outlive what they are about."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, insert, select

from core.actor import Actor, current_actor
from store import tables as t
from store.clock import now_s
from store.database import Database

AT_ONCE = 500

ROUNDING_S = 5e-7  # of the times that callers see, and may ask from


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log; `from_version` and `version` are those that a change led from and to."""

    id: int
    at: float
    kind: str
    collection: str | None
    from_version: int | None
    version: int | None
    actor: str | None
    actor_name: str
    request_id: str | None
    job_id: str | None
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Period:
    """A selection of entries; times are seconds since 1970."""

    collection: str | None = None
    since: float | None = None
    until: float | None = None
    among: Collection[str] | None = None
    """The collections that the reader may see; None for everything."""


def note(
    connection: Connection,
    kind: str,
    *,
    collection: str | None = None,
    details: Mapping[str, Any] | None = None,
    versions: tuple[int, int] | None = None,
    actor: Actor | None = None,
) -> None:
    """Write what an actor, by default the current one, does, in the transaction that does it."""
    actor = actor or named_actor(connection)
    connection.execute(
        insert(t.audit).values(
            at=now_s(),
            kind=kind,
            collection=collection,
            from_version=None if versions is None else versions[0],
            version=None if versions is None else versions[1],
            actor=actor.key_id,
            actor_name=actor.name,
            request_id=actor.request_id,
            job_id=actor.job_id,
            details=dict(details or {}),
        )
    )


def named_actor(connection: Connection) -> Actor:
    """Return the current actor with its name, where only the id of its key is known so far."""
    actor = current_actor()
    if actor.name or actor.key_id is None:
        return actor
    name = select(t.api_key.c.name).where(t.api_key.c.id == actor.key_id)
    return replace(actor, name=connection.execute(name).scalar() or "")


class AuditLog:
    """The audit log of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, period: Period, *, after: int = 0, limit: int = 100) -> list[Entry]:
        """Return entries, oldest first, from the one after id `after` on."""
        row = t.audit.c
        statement = select(t.audit).where(row.id > after).order_by(row.id).limit(limit)
        if period.collection is not None:
            statement = statement.where(row.collection == period.collection)
        if period.among is not None:
            statement = statement.where(row.collection.in_(sorted(period.among)))
        if period.since is not None:
            statement = statement.where(row.at >= period.since - ROUNDING_S)
        if period.until is not None:
            statement = statement.where(row.at < period.until - ROUNDING_S)
        with self._database.read() as connection:
            return [Entry(*one) for one in connection.execute(statement)]

    def entries(self, period: Period) -> Iterator[Entry]:
        """Yield entries, oldest first, however many there are."""
        after = 0
        while found := self.page(period, after=after, limit=AT_ONCE):
            yield from found
            after = found[-1].id

    def note(self, kind: str, *, collection: str | None = None, details: Mapping[str, Any]) -> None:
        """Write what the current actor does that changes nothing else."""
        with self._database.write() as connection:
            note(connection, kind, collection=collection, details=details)
