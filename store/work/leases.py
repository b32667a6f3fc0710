"""Leases: who holds a row and until when, the same for every table that workers share.

A lease ends by itself when its holder dies. It also counts as over when it ends later than any lease can:
then the database's clock was set back after it was taken, and would otherwise hold the row for as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, case, func, or_, select, update

from store.clock import now_s
from store.database import Database

RELEASED = {"lease_owner": None, "lease_until": None}
OVER = {"lease_until": 0.0}
"""Ended, with its owner still named: the next sweep sees whose it was."""


def is_past(moment: ColumnElement[Any], most_s: float | ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a moment, set at most `most_s` ahead, has come, or lies too far ahead to be believed.

    As much again is allowed, so that a clock that is corrected by little ends nothing early.
    """
    return or_(moment <= now_s(), moment > now_s() + 2 * most_s)


@dataclass(frozen=True, slots=True)
class Lease:
    """The columns `lease_owner` and `lease_until` of a table, and how long a lease on a row lasts."""

    table: Table
    duration_s: float

    @property
    def is_over(self) -> ColumnElement[bool]:
        """Whether a lease that was taken has ended."""
        return is_past(self.table.c.lease_until, self.duration_s)

    @property
    def is_free(self) -> ColumnElement[bool]:
        """Whether a row may be taken: it has no owner, or its lease is over."""
        return self.table.c.lease_until.is_(None) | self.is_over

    def taken_by(self, owner: str) -> dict[str, Any]:
        """Return the values that give a row to an owner."""
        return {"lease_owner": owner, **self.renewed}

    @property
    def renewed(self) -> dict[str, Any]:
        """The value with which a lease begins again."""
        return {"lease_until": now_s() + self.duration_s}

    def is_of(self, owner: str) -> ColumnElement[bool]:
        """Whether an owner holds a row; it does until another takes it."""
        return self.table.c.lease_owner == owner

    def is_of_worker(self, worker: str) -> ColumnElement[bool]:
        """Whether any owner of a worker holds a row; owners are named `WORKER:TOKEN`."""
        owner, prefix = self.table.c.lease_owner, f"{worker}:"
        colons = func.length(owner) - func.length(func.replace(owner, ":", ""))
        # the name of a worker may have a colon too: `gpu` must not match what `gpu:2` holds
        return owner.startswith(prefix, autoescape=True) & (colons == prefix.count(":"))

    def renew(self, connection: Connection, held: Select[Any]) -> int:
        """Begin the leases again of the rows whose keys `held` selects; return how many those are."""
        [key] = self.table.primary_key
        # a locked row is just being written; waiting for it could break the lock order
        free = held.with_for_update(skip_locked=True)
        statement = update(self.table).where(key.in_(free)).values(**self.renewed)
        return connection.execute(statement).rowcount


class JobLeases:
    """The leases of a table with a row a job; its subclass says what they are taken for."""

    def __init__(self, database: Database, table: Table, *, lease_s: float) -> None:
        self._database = database
        self._table = table
        self._lease = Lease(table, lease_s)

    def renew(self, owner: str) -> int:
        """Renew the leases that the owner holds; return how many jobs that is."""
        jobs = self._table.c.job_id
        with self._database.read() as connection:
            if connection.execute(select(jobs).limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            return self._lease.renew(connection, select(jobs).where(self._lease.is_of(owner)))

    def release(self, owner: str) -> None:
        """Release all that the owner holds; its attempt does not count."""
        attempts = self._table.c.attempts
        self._release(self._lease.is_of(owner), attempts=case((attempts > 0, attempts - 1), else_=0))

    def fail_attempt(self, owner: str, job_id: str, reason: str) -> None:
        """Release a job on which the work failed; the attempt counts."""
        self._release(self._lease.is_of(owner) & (self._table.c.job_id == job_id), reason=reason)

    def expire_leases(self, worker: str) -> None:
        """End the leases of earlier lives of a worker, which has just started."""
        self._release(self._lease.is_of_worker(worker))

    def _release(self, which: ColumnElement[bool], **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(update(self._table).where(which).values(**RELEASED, **values))
