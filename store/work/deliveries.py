"""Deliveries: a job's end sent to its webhook at least once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, insert, select, update

from core.jobs import DeliveryState
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.unpacking import unpack
from store.work.leases import RELEASED, Leases, is_past
from store.work.rows import require_job

# the retry schedule that Standard Webhooks proposes, over a day
DELAYS_S = (5, 60, 300, 1800, 7200, 18000, 28800, 36000)
SPREAD = 0.1  # of a delay, at random, so that retries do not come at the same time
LEASE_S = 60.0  # several times the longest call


@dataclass(frozen=True, slots=True)
class Delivery:
    """A call that is due; `id` and `body` are the same in every attempt."""

    id: str
    url: str
    body: str
    attempts: int
    """The number of attempts, including this one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one call: a status, or an error if no answer came."""

    took_ms: float
    status: int | None = None
    error: str | None = None
    is_final: bool = False
    """Whether retrying is useless: the receiver has answered 410 Gone, or may not be called."""

    @property
    def is_delivered(self) -> bool:
        """Whether the receiver has accepted it."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Attempt:
    """An entry of the delivery log."""

    number: int
    at: float
    took_ms: float
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery with its log."""

    id: str
    url: str
    state: DeliveryState
    created_at: float
    next_at: float | None
    attempts: Sequence[Attempt]


class Deliveries(Leases):
    """The deliveries of the record."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, t.delivery, lease_s=LEASE_S)

    def announce(self, most: int = 100) -> int:
        """Create a delivery for each job that has ended and has a webhook; return their number."""
        with self._database.read() as connection:
            if not _is_any_unannounced(connection):
                return 0
        with self._database.write() as connection:
            jobs = connection.execute(
                select(t.job)
                .where(*_UNANNOUNCED)
                .order_by(t.job.c.id)
                .limit(most)
                .with_for_update(skip_locked=True)
            ).all()
            if jobs:
                connection.execute(
                    insert(t.delivery).values(due_at=now_s(), created_at=now_s()), [_row(job) for job in jobs]
                )
                connection.execute(
                    update(t.job).where(t.job.c.id.in_([job.id for job in jobs])).values(announced=True)
                )
        return len(jobs)

    def claim(self, owner: str, most: int) -> list[Delivery]:
        """Claim due deliveries under a lease; one whose owner dies is sent again."""
        with self._database.read() as connection:
            if not self._is_any_due(connection):
                return []
        with self._database.write() as connection:
            ids = connection.execute(
                select(t.delivery.c.id)
                .where(*self._due)
                .order_by(t.delivery.c.due_at)
                .limit(most)
                .with_for_update(skip_locked=True)
            ).scalars()
            rows = connection.execute(
                update(t.delivery)
                .where(t.delivery.c.id.in_(ids.all()))
                .values(**self._lease.taken_by(owner), attempts=t.delivery.c.attempts + 1)
                .returning(t.delivery)
            )
            return [unpack(Delivery, row) for row in rows]

    def waits(self, connection: Connection) -> bool:
        """Return whether there is anything to announce or to send."""
        return _is_any_unannounced(connection) or self._is_any_due(connection)

    @property
    def _due(self) -> tuple[ColumnElement[bool], ...]:
        return (t.delivery.c.state == DeliveryState.WAITING, _is_due(), self._lease.is_free)

    def _is_any_due(self, connection: Connection) -> bool:
        return connection.execute(select(t.delivery.c.id).where(*self._due).limit(1)).first() is not None

    def settle(self, owner: str, delivery: Delivery, outcome: Outcome) -> bool:
        """Store the outcome of a call and when the next is due; return whether the owner held it."""
        state = DeliveryState.WAITING
        if outcome.is_delivered:
            state = DeliveryState.DELIVERED
        elif outcome.is_final or delivery.attempts > len(DELAYS_S):
            state = DeliveryState.GIVEN_UP
        values: dict[str, Any] = {"state": state, **RELEASED}
        if state is DeliveryState.WAITING:
            values["due_at"] = now_s() + delay_s(delivery.attempts)
        else:
            values["ended_at"] = now_s()
        with self._database.write() as connection:
            held = connection.execute(
                update(t.delivery)
                .where(
                    t.delivery.c.id == delivery.id,
                    self._lease.is_of(owner),
                    t.delivery.c.attempts == delivery.attempts,
                )
                .values(values)
            ).rowcount
            if held:
                connection.execute(
                    insert(t.delivery_attempt).values(
                        delivery_id=delivery.id,
                        number=delivery.attempts,
                        at=now_s(),
                        took_ms=outcome.took_ms,
                        status=outcome.status,
                        error=outcome.error,
                    )
                )
        return held == 1

    def counts(self) -> dict[DeliveryState, int]:
        """Return the number of deliveries in each state."""
        state = t.delivery.c.state
        statement = select(state, func.count().label("deliveries")).group_by(state)
        with self._database.read() as connection:
            return {row.state: row.deliveries for row in connection.execute(statement)}

    def of_job(self, job_id: str) -> list[Logged]:
        """Return the deliveries of a job with their logs, oldest first; raises `job_not_found`."""
        log = t.delivery_attempt.c
        with self._database.read() as connection:
            require_job(connection, job_id)
            rows = connection.execute(
                select(t.delivery).where(t.delivery.c.job_id == job_id).order_by(t.delivery.c.created_at)
            ).all()
            attempts = connection.execute(
                select(t.delivery_attempt)
                .where(log.delivery_id.in_([row.id for row in rows]))
                .order_by(log.delivery_id, log.number)
            ).all()
        return [
            unpack(
                Logged,
                row,
                next_at=row.due_at if row.state is DeliveryState.WAITING else None,
                attempts=[unpack(Attempt, line) for line in attempts if line.delivery_id == row.id],
            )
            for row in rows
        ]


def delay_s(attempts: int) -> float:
    """Return the delay after so many attempts."""
    return DELAYS_S[attempts - 1] * (1 + SPREAD * secrets.randbelow(1000) / 1000)


_UNANNOUNCED = (t.job.c.webhook.is_not(None), ~t.job.c.announced, t.job.c.finished_at.is_not(None))


def _is_any_unannounced(connection: Connection) -> bool:
    return connection.execute(select(t.job.c.id).where(*_UNANNOUNCED).limit(1)).first() is not None


def _is_due() -> ColumnElement[bool]:
    tries = enumerate(DELAYS_S, start=1)
    longest_s = case(*((t.delivery.c.attempts == n, s * (1 + SPREAD)) for n, s in tries), else_=0.0)
    return is_past(t.delivery.c.due_at, longest_s)


def _row(job: Row[Any]) -> dict[str, Any]:
    body = {
        "type": "job.finished",
        "timestamp": datetime.fromtimestamp(job.finished_at, UTC).isoformat(),
        "data": {
            "id": job.id,
            "collection": job.collection_name,
            "kind": job.kind,
            "state": job.state,
            "progress": {"total": job.total, "done": job.done, "failed": job.failed},
            "links": {"self": f"/v1/jobs/{job.id}", "results": f"/v1/jobs/{job.id}/results"},
        },
    }
    return {
        "id": f"msg_{secrets.token_hex(16)}",
        "job_id": job.id,
        "url": job.webhook,
        "body": json.dumps(body, separators=(",", ":")),
        "state": DeliveryState.WAITING,
        "attempts": 0,
    }
