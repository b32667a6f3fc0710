"""Leases on what a worker does for a whole job: to read its source, to smooth its results."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Table, case, select, update

from store.clock import now_s
from store.database import Database


def is_over(lease_until: ColumnElement[Any], lease_s: float) -> ColumnElement[bool]:
    """Say whether a lease has run out, or ends later than any can: then the clock was set back meanwhile."""
    return (lease_until < now_s()) | (lease_until > now_s() + 2 * lease_s)


class Leases:
    """The leases of a table that has a row a job; the class of the table says what they are taken for."""

    def __init__(self, database: Database, table: Table, *, lease_s: float) -> None:
        self._database = database
        self._table = table
        self._lease_s = lease_s

    @property
    def _is_free(self) -> ColumnElement[bool]:
        """Whether nobody holds a job, or whoever did is gone."""
        return self._table.c.lease_owner.is_(None) | is_over(self._table.c.lease_until, self._lease_s)

    def renew(self, owner: str) -> int:
        """Lengthen the lease of what the owner holds; return how many jobs that is."""
        jobs = self._table.c.job_id
        with self._database.read() as connection:
            if connection.execute(select(jobs).limit(1)).first() is None:
                return 0
        with self._database.write() as connection:
            held = select(jobs).where(self._table.c.lease_owner == owner)
            return connection.execute(
                update(self._table)
                # what is locked is just being written; to wait for it could become a circle
                .where(jobs.in_(held.with_for_update(skip_locked=True)))
                .values(lease_until=now_s() + self._lease_s)
            ).rowcount

    def release(self, owner: str) -> None:
        """Leave everything to others, who are not to count this as an attempt."""
        attempts = self._table.c.attempts
        self._free(self._table.c.lease_owner == owner, attempts=case((attempts > 0, attempts - 1), else_=0))

    def hand_back(self, owner: str, job_id: str, reason: str) -> None:
        """Leave a job that could not be gone on with; the attempt counts."""
        self._free((self._table.c.lease_owner == owner) & (self._table.c.job_id == job_id), reason=reason)

    def expire(self, worker: str) -> None:
        """End the leases of an earlier life of this worker: it starts anew, so that life is over."""
        self._free(self._table.c.lease_owner.startswith(f"{worker}:", autoescape=True))

    def _free(self, whose: ColumnElement[bool], **values: Any) -> None:
        with self._database.write() as connection:
            connection.execute(
                update(self._table).where(whose).values(lease_owner=None, lease_until=None, **values)
            )
