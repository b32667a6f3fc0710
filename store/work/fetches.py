"""Fetches: chunks with pictures at URLs, leased until the pictures are stored as blobs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select, update

from core.jobs import Item, JobKind, Lane
from store import tables as t
from store.database import Database
from store.work.leases import RELEASED, Lease
from store.work.packing import pack_item, unpack_items


@dataclass(frozen=True, slots=True)
class Fetch:
    """A chunk with pictures that are still to be fetched."""

    chunk_id: int
    job_id: str
    kind: JobKind
    lane: Lane
    encoder: str
    items: tuple[Item, ...]


class Fetches:
    """The unfetched chunks of the record.

    They are queued like others, and pause, cancel and resume apply to them; but no worker claims them
    for its encoder before `put`. Fetching a picture twice is harmless, so a lease is enough.
    """

    def __init__(self, database: Database, *, lease_s: float) -> None:
        self._database = database
        self._lease = Lease(t.chunk, lease_s)

    def claim(self, owner: str, lane: Lane, *, exclude_jobs: Collection[str] = ()) -> Fetch | None:
        """Claim the chunk that has waited longest, of no job in `exclude_jobs`; None if there is none."""
        chunk = t.chunk.c
        waiting = (
            select(chunk.id, chunk.job_id, t.job.c.kind, chunk.encoder, chunk.inputs)
            .join(t.job, t.job.c.id == chunk.job_id)
            .where(
                chunk.unfetched,
                t.IS_QUEUED,
                chunk.lane == lane,
                self._lease.is_free,
                chunk.job_id.not_in(exclude_jobs),
            )
            .order_by(chunk.queued_at, chunk.id)
        )
        row = self._lease.claim(self._database, waiting, owner)
        if row is None:
            return None
        return Fetch(row.id, row.job_id, row.kind, lane, row.encoder, unpack_items(row.inputs))

    def waiting_lanes(self, connection: Connection) -> list[Lane]:
        """Return the lanes with chunks to fetch that nobody fetches."""
        waiting = (t.chunk.c.unfetched, t.IS_QUEUED, self._lease.is_free)
        return list(connection.execute(select(t.chunk.c.lane).where(*waiting).distinct()).scalars())

    def put(self, owner: str, chunk_id: int, items: Sequence[Item]) -> bool:
        """Queue a fetched chunk for its encoder; return whether the owner held it."""
        held = (t.chunk.c.id == chunk_id) & self._held_by(owner)
        values = {"inputs": [pack_item(item) for item in items], "unfetched": False}
        with self._database.write() as connection:
            fetched = update(t.chunk).where(held).values(**values, **RELEASED)
            return connection.execute(fetched).rowcount == 1

    def renew(self, owner: str, chunk_ids: Collection[int]) -> None:
        """Renew the leases of these chunks that the owner holds."""
        which = (self._held_by(owner), t.chunk.c.id.in_(chunk_ids))
        with self._database.write() as connection:
            self._lease.renew(connection, select(t.chunk.c.id).where(*which).order_by(t.chunk.c.id))

    def release(self, owner: str) -> None:
        """Release everything that the owner holds."""
        held = select(t.chunk.c.id).where(self._held_by(owner)).order_by(t.chunk.c.id).with_for_update()
        with self._database.write() as connection:
            connection.execute(update(t.chunk).where(t.chunk.c.id.in_(held)).values(**RELEASED))

    def _held_by(self, owner: str) -> ColumnElement[bool]:
        return self._lease.is_of(owner) & t.chunk.c.unfetched
