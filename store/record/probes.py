"""Probes: each encoder's vector of one reference picture, and how the encoder runs, as last reported."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.exc import IntegrityError

from core.vectors import Vector, pack_vector, unpack_vector
from store import tables as t
from store.database import Database


@dataclass(frozen=True, slots=True)
class Probe:
    """A vector of the probe picture, and the identity of the encoder that produced it."""

    vector: Vector
    identity: str


class Probes:
    """The probes of the record, by encoder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, encoder: str) -> Probe | None:
        """Return the probe of an encoder, None if no worker has loaded it yet."""
        with self._database.read() as connection:
            return probe_of(connection, encoder)

    def put(self, encoder: str, probe: Probe) -> None:
        """Store the probe of an encoder; of two workers that start at once either may be last."""
        values = {"vector": pack_vector(probe.vector), "identity": probe.identity}
        try:
            with self._database.write() as connection:
                connection.execute(delete(t.probe).where(t.probe.c.encoder == encoder))
                connection.execute(insert(t.probe).values(encoder=encoder, **values))
        except IntegrityError:  # another worker inserted it first
            return


def probe_of(connection: Connection, encoder: str) -> Probe | None:
    """Return the probe of an encoder inside a transaction, None if no worker has loaded it yet."""
    row = connection.execute(
        select(t.probe.c.vector, t.probe.c.identity).where(t.probe.c.encoder == encoder)
    ).first()
    return None if row is None else Probe(unpack_vector(row.vector), row.identity)
