"""Leases: who holds a row and until when, the same for every table that workers share.

A lease expires when its holder dies. It also counts as expired if it ends later than any lease can:
then the database's clock was set back after it was taken, and it would block the row for as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, case, func, or_, select, update

from store.clock import now_s
from store.database import Database

RELEASED = {"lease_owner": None, "lease_until": None}
OVER = {"lease_until": 0.0}
"""An expired lease that still names its owner, for the next sweep."""


def is_past(moment: ColumnElement[Any], most_s: float | ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether a time, set at most `most_s` ahead, has come, or lies implausibly far ahead.

    Twice `most_s` is allowed, so that a small clock correction expires nothing early.
    """
    return or_(moment <= now_s(), moment > now_s() + 2 * most_s)


@dataclass(frozen=True, slots=True)
class Lease:
    """The columns `lease_owner` and `lease_until` of a table, and the duration of its leases."""

    table: Table
    duration_s: float

    @property
    def is_over(self) -> ColumnElement[bool]:
        """Return whether a lease was taken and has expired."""
        return is_past(self.table.c.lease_until, self.duration_s)

    @property
    def is_free(self) -> ColumnElement[bool]:
        """Return whether a row may be claimed: it has no owner, or its lease has expired."""
        return self.table.c.lease_until.is_(None) | self.is_over

    def taken_by(self, owner: str) -> dict[str, Any]:
        """Return the values that assign a row to an owner."""
        return {"lease_owner": owner, **self.renewed}

    @property
    def renewed(self) -> dict[str, Any]:
        """Return the value that renews a lease."""
        return {"lease_until": now_s() + self.duration_s}

    def is_of(self, owner: str) -> ColumnElement[bool]:
        """Return whether an owner holds a row; it does until another owner claims it."""
        return self.table.c.lease_owner == owner

    def is_of_worker(self, worker: str) -> ColumnElement[bool]:
        """Return whether any owner of a worker holds a row; owners are named `WORKER:TOKEN`."""
        owner, prefix = self.table.c.lease_owner, f"{worker}:"
        colons = func.length(owner) - func.length(func.replace(owner, ":", ""))
        # the name of a worker may have a colon too: `gpu` must not match what `gpu:2` holds
        return owner.startswith(prefix, autoescape=True) & (colons == prefix.count(":"))

    def claim(self, database: Database, ready: Select[Any], owner: str, **values: Any) -> Row[Any] | None:
        """Take the first row that is ready, whose key comes first, with more values; None if none is."""
        ready = ready.limit(1)
        with database.read() as connection:  # most calls end here, without a lock
            if connection.execute(ready).first() is None:
                return None
        [key] = self.table.primary_key
        with database.write() as connection:
            row = connection.execute(ready.with_for_update(skip_locked=True, of=self.table)).first()
            if row is not None:
                claimed = update(self.table).where(key == row[0])
                connection.execute(claimed.values(**self.taken_by(owner), **values))
        return row

    def renew(self, connection: Connection, held: Select[Any]) -> int:
        """Renew the leases of the rows whose keys `held` selects; return their number."""
        [key] = self.table.primary_key
        # a locked row is being written; waiting for it could break the lock order
        free = held.with_for_update(skip_locked=True)
        statement = update(self.table).where(key.in_(free)).values(**self.renewed)
        return connection.execute(statement).rowcount


class Leases:
    """The leases of a table; subclasses define their use."""

    def __init__(self, database: Database, table: Table, *, lease_s: float) -> None:
        self._database = database
        self._table = table
        self._lease = Lease(table, lease_s)

    def release(self, owner: str) -> None:
        """Release everything the owner holds."""
        self._release(self._lease.is_of(owner))

    def expire_leases(self, worker: str) -> None:
        """Expire the leases of earlier processes of a worker that has just started."""
        self._release(self._lease.is_of_worker(worker))

    def _release(self, which: ColumnElement[bool], **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(self._table).where(which).values(**RELEASED, **values))


class JobLeases(Leases):
    """The leases of a table with one row per job, which counts attempts."""

    def renew(self, owner: str) -> int:
        """Renew the leases that the owner holds; return the number of jobs."""
        jobs = self._table.c.job_id
        with self._database.read() as connection:
            if connection.execute(select(jobs).limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            return self._lease.renew(connection, select(jobs).where(self._lease.is_of(owner)))

    def release(self, owner: str) -> None:
        """Release everything the owner holds; the attempts do not count."""
        attempts = self._table.c.attempts
        self._release(self._lease.is_of(owner), attempts=case((attempts > 0, attempts - 1), else_=0))

    def fail_attempt(self, owner: str, job_id: str, reason: str) -> None:
        """Release a job whose processing failed; the attempt counts."""
        self._release(self._lease.is_of(owner) & (self._table.c.job_id == job_id), reason=reason)
