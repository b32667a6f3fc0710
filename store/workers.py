"""Workers: who is alive, and for which encoders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from store import tables as t
from store.clock import now_s
from store.database import Database

ALIVE_S = 15.0
FORGOTTEN_S = 86400.0  # containers that died took their names with them


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that gave a sign of life not long ago."""

    name: str
    encoders: tuple[str, ...]
    device: str
    silent_s: float


class Workers:
    """The workers of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, name: str, owner: str, encoders: Sequence[str], device: str) -> None:
        """Note that a worker is alive."""
        values = {"owner": owner, "encoders": list(encoders), "device": device, "beat_at": now_s()}
        with self._database.write() as connection:
            statement = update(t.worker).where(t.worker.c.name == name).values(values)
            if connection.execute(statement).rowcount == 0:
                connection.execute(delete(t.worker).where(t.worker.c.beat_at < now_s() - FORGOTTEN_S))
                connection.execute(insert(t.worker).values(name=name, **values))

    def leave(self, name: str, owner: str) -> None:
        """Note that a worker has stopped in good order."""
        with self._database.write() as connection:
            connection.execute(delete(t.worker).where(t.worker.c.name == name, t.worker.c.owner == owner))

    def alive(self) -> list[Worker]:
        """Return the workers heard of in the last 15 seconds."""
        silent = (now_s() - t.worker.c.beat_at).label("silent_s")
        statement = select(t.worker, silent).where(silent < ALIVE_S).order_by(t.worker.c.name)
        with self._database.read() as connection:
            return [
                Worker(row.name, tuple(row.encoders), row.device, max(row.silent_s, 0.0))
                for row in connection.execute(statement)
            ]
