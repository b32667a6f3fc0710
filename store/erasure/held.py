"""An erasure as a worker holds it: every step writes how far it has come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, delete, text, update

from core.actor import LOCAL, Actor, acting
from core.jobs import ErasureState
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.erasure.targets import Targets, Wanted, read_targets
from store.record.audit_log import note
from store.work.leases import RELEASED, Lease


class LeaseLostError(Exception):
    """Another worker goes on with the erasure."""


@dataclass(slots=True)
class Held:
    """An erasure as a worker holds it."""

    database: Database
    lease: Lease
    owner: str
    row: Row[Any]
    phase: str = ""
    position: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    elsewhere: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    found: Targets | None = None
    is_done: bool = False

    def __post_init__(self) -> None:
        self.phase, self.position = self.row.phase, self.row.position
        self.counts.update(self.row.counts)
        self.elsewhere, self.unread = list(self.row.elsewhere), list(self.row.unread)

    @property
    def id(self) -> str:
        """The id of the receipt."""
        return str(self.row.id)

    @property
    def wanted(self) -> Wanted:
        """What is to be erased."""
        return Wanted.of(self.row.wanted)

    @property
    def names(self) -> Sequence[str] | None:
        """The collections, None for all."""
        names: Sequence[str] | None = self.row.collections
        return names

    def targets(self, connection: Connection) -> Targets:
        """Return what was found; it grows by the items that `erase_in_chunk` finds."""
        if self.found is None:
            self.found = read_targets(connection, self.id, self.wanted)
        return self.found

    @contextmanager
    def step(self) -> Iterator[Connection]:
        """A transaction that also writes how far the erasure has come; raises `LeaseLostError`."""
        with self.database.write() as connection:
            if self.database.is_sqlite:  # what is deleted is overwritten too
                connection.execute(text("PRAGMA secure_delete = ON"))
            yield connection
            self._note(connection, state=ErasureState.RUNNING, **self.lease.renewed)

    def finish(self) -> None:
        """Turn it into a receipt that names nobody."""
        with self.database.write() as connection:
            if self.database.is_sqlite:
                connection.execute(text("PRAGMA secure_delete = ON"))
            connection.execute(delete(t.erased).where(t.erased.c.erasure_id == self.id))
            done = {"state": ErasureState.DONE, "finished_at": now_s(), "wanted": None}
            self._note(connection, **done, **RELEASED)
            details = {"erasure": self.id, "counts": dict(self.counts), "elsewhere": len(self.elsewhere)}
            only = self.names[0] if self.names is not None and len(self.names) == 1 else None
            with acting(self._actor()):
                note(connection, "erased", collection=only, details=details)
        self.is_done = True
        self.database.scrub()

    def _actor(self) -> Actor:
        key_id = None if self.row.key_id == LOCAL else self.row.key_id
        return Actor(key_id, "" if key_id else LOCAL, self.row.request_id)

    def _note(self, connection: Connection, **values: Any) -> None:
        ours = (t.erasure.c.id == self.id, self.lease.is_of(self.owner))
        noted = update(t.erasure).where(*ours).values(
            phase=self.phase,
            position=self.position,
            counts={name: count for name, count in sorted(self.counts.items()) if count},
            elsewhere=self.elsewhere,
            unread=self.unread,
            **values,
        )  # fmt: skip
        if connection.execute(noted).rowcount == 0:
            raise LeaseLostError

    def next(self, phase: str) -> None:
        """Go on with the next phase."""
        self.phase, self.position, self.found = phase, 0, None
