"""Workers: which are alive, what they serve, and their metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from core.jobs import Lane
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.work.leases import is_past

ALIVE_S = 15.0
FORGOTTEN_S = 86400.0  # containers that died never reuse their names


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker whose heartbeat is recent."""

    name: str
    owner: str
    encoders: Sequence[str]
    device: str
    lanes: Sequence[Lane] = tuple(Lane)
    silent_s: float = 0.0
    """The age of its last heartbeat."""
    idle_s: float = 0.0
    """The time since it last claimed or settled work."""


class Workers:
    """The workers of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, worker: Worker, *, metrics: str | None = None) -> None:
        """Store a worker's heartbeat, and its metrics if given."""
        values: dict[str, Any] = {
            "owner": worker.owner,
            "encoders": list(worker.encoders),
            "lanes": [lane.value for lane in worker.lanes],
            "device": worker.device,
            "beat_at": now_s(),
            "moved_at": now_s() - worker.idle_s,
            **({} if metrics is None else {"metrics": metrics}),
        }
        with self._database.write() as connection:
            statement = update(t.worker).where(t.worker.c.name == worker.name).values(values)
            if connection.execute(statement).rowcount == 0:
                connection.execute(delete(t.worker).where(t.worker.c.beat_at < now_s() - FORGOTTEN_S))
                connection.execute(insert(t.worker).values(name=worker.name, **values))

    def leave(self, name: str, owner: str) -> None:
        """Record that a worker has stopped in good order."""
        with self._database.write() as connection:
            connection.execute(delete(t.worker).where(t.worker.c.name == name, t.worker.c.owner == owner))

    def alive(self) -> list[Worker]:
        """Return the workers with a heartbeat in the last 15 seconds."""
        worker = t.worker.c
        silent = (now_s() - worker.beat_at).label("silent_s")
        idle = (now_s() - worker.moved_at).label("idle_s")
        statement = (
            select(worker.name, worker.owner, worker.encoders, worker.lanes, worker.device, silent, idle)
            .where(_is_alive())
            .order_by(worker.name)
        )
        with self._database.read() as connection:
            return [
                Worker(
                    row.name,
                    row.owner,
                    tuple(row.encoders),
                    row.device,
                    # a worker of an earlier version does not report these
                    tuple(Lane) if row.lanes is None else tuple(map(Lane, row.lanes)),
                    max(row.silent_s, 0.0),
                    max(row.idle_s or 0.0, 0.0),
                )
                for row in connection.execute(statement)
            ]

    def metrics(self) -> dict[str, str]:
        """Return the metrics of live workers by name."""
        statement = select(t.worker.c.name, t.worker.c.metrics).where(
            _is_alive(), t.worker.c.metrics.is_not(None)
        )
        with self._database.read() as connection:
            return {row.name: row.metrics for row in connection.execute(statement)}


def _is_alive() -> ColumnElement[bool]:
    """Return whether a worker's heartbeat, as a lease on its name, has not expired."""
    return ~is_past(t.worker.c.beat_at + ALIVE_S, ALIVE_S)
