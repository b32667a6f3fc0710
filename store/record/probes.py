"""Probes: what each encoder makes of one picture, as a worker saw it last."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from core.vectors import Vector, pack_vector, unpack_vector
from store import tables as t
from store.database import Database


class Probes:
    """The probes of the record, by encoder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, encoder: str) -> Vector | None:
        """Return the probe of an encoder, None where no worker has loaded it yet."""
        with self._database.read() as connection:
            return probe_of(connection, encoder)

    def put(self, encoder: str, vector: Vector) -> None:
        """Keep the probe of an encoder; of two workers that start at once either may be the last."""
        try:
            with self._database.write() as connection:
                connection.execute(delete(t.probe).where(t.probe.c.encoder == encoder))
                connection.execute(insert(t.probe).values(encoder=encoder, vector=pack_vector(vector)))
        except IntegrityError:  # the other one was faster
            return


def probe_of(connection: Connection, encoder: str) -> Vector | None:
    """Return the probe of an encoder inside a transaction, None where no worker has loaded it yet."""
    packed = connection.execute(
        select(t.probe.c.vector).where(t.probe.c.encoder == encoder)
    ).scalar_one_or_none()
    return None if packed is None else unpack_vector(packed)
