"""Chunks: claimed under a lease, processed, and settled once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from core.errors import ExemplarError
from core.jobs import Chunk, ChunkState, JobKind, Lane
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.live_answers import count_answers
from store.work.claims import MAX_DEFER_S, Wanted, claim_chunks, is_claimable
from store.work.item_vectors import keep_item_vectors
from store.work.leases import OVER, Lease
from store.work.locks import lock_chunks, lock_jobs
from store.work.requeue import requeue_at_end, requeue_for_encoder, requeue_misrouted, requeue_unclaimed
from store.work.settlement import Settlement, close, ended_among, results_of
from store.work.sweep import end_queued_chunks, sweep_chunks


@dataclass(frozen=True, slots=True)
class Waiting:
    """Work that is queued for one encoder in one lane."""

    encoder: str
    lane: Lane
    chunks: int
    items: int
    oldest_s: float


OnEnded = Callable[[Collection[str], bool], None]
"""Told the ids of jobs that have ended, and whether any of them has a webhook."""


class Chunks:
    """The chunks of the record.

    An owner changes only the chunks that it still holds; all others belong to another owner or are
    settled.
    """

    def __init__(
        self,
        database: Database,
        *,
        lease_s: float,
        max_attempts: int,
        on_ended: OnEnded = lambda _, __: None,
    ) -> None:
        self._database = database
        self._lease = Lease(t.chunk, lease_s)
        self._max_attempts = max_attempts
        self._on_ended = on_ended

    def claim(self, owner: str, encoder: str, lanes: Sequence[Lane], items: int) -> list[Chunk]:
        """Claim queued chunks of about so many items, lane by lane, under a lease.

        A chunk whose last worker died is claimed alone, so that it cannot take others down with it.
        """
        if not self.waits(encoder, lanes):  # most surplus wake-ups end here, without a lock
            return []
        chunks = None
        while chunks is None:
            # a claim that a power failure undoes is made again
            with self._database.write(durable=False) as connection:
                chunks = claim_chunks(connection, self._lease, owner, Wanted(encoder, lanes, items))
        return chunks

    def renew(self, owner: str) -> int:
        """Renew the lease of everything the owner holds; return the number of chunks."""
        held = select(t.chunk.c.id).where(t.IS_RUNNING, self._lease.is_of(owner)).order_by(t.BY_ID)
        with self._database.write() as connection:
            return self._lease.renew(connection, held)

    def settle(self, owner: str, settlements: Sequence[Settlement]) -> list[bool]:
        """Settle chunks in one transaction; return for each whether the owner held it.

        Pictures of a collection that has changed its encoder meanwhile are requeued for the new one. Callers
        that wait for a job that has ended are told.
        """
        with self._database.write() as connection:
            ours = lock_chunks(connection, owner, [one.chunk.id for one in settlements])
            ours -= requeue_misrouted(connection, [one.chunk for one in settlements if one.chunk.id in ours])
            held = [one for one in settlements if one.chunk.id in ours]
            held.sort(key=lambda one: (one.chunk.collection_id or 0, one.chunk.job_id, one.chunk.id))
            settled = [(one.chunk.id, one.chunk.job_id, results_of(connection, one)) for one in held]
            close(connection, settled, {one.chunk.id: one.smoothing_inputs for one in held})
            count_answers(
                connection,
                [
                    (job_id, results)
                    for one, (_, job_id, results) in zip(held, settled, strict=True)
                    # answers as of an earlier version are not how the collection answers now
                    if one.chunk.kind is JobKind.CLASSIFY and "version" not in one.chunk.options
                ],
            )
            keep_item_vectors(
                connection, [(one.chunk, one.vectors) for one in held if one.vectors is not None]
            )
            ended = ended_among(connection, {one.chunk.job_id for one in held})
        if ended:
            self._on_ended([row.id for row in ended], any(row.webhook for row in ended))
        return [one.chunk.id in ours for one in settlements]

    def requeue(self, owner: str, chunks: Sequence[Chunk]) -> None:
        """Requeue chunks that are not at fault: a dependency did not answer."""
        with self._database.write() as connection:
            requeue_unclaimed(connection, lock_chunks(connection, owner, [chunk.id for chunk in chunks]))

    def requeue_all(self, owner: str) -> int:
        """Requeue everything that the owner holds; return the number of chunks."""
        with self._database.write() as connection:
            held = lock_chunks(connection, owner)
            requeue_unclaimed(connection, held)
        return len(held)

    def defer(self, owner: str, chunk: Chunk, pause_s: float) -> None:
        """Requeue a chunk that cannot be claimed for `pause_s`, an hour at most.

        This is for a remote server that does not answer. The attempt counts, so that deferring ends; other
        chunks are claimed meanwhile.
        """
        with self._database.write() as connection:
            ids = lock_chunks(connection, owner, [chunk.id])
            rows = connection.execute(select(t.chunk).where(t.chunk.c.id.in_(ids))).all()
            states = lock_jobs(connection, {row.job_id for row in rows})
            for row in rows:
                requeue_at_end(connection, row, states[row.job_id])
            connection.execute(
                update(t.chunk)
                .where(t.chunk.c.id.in_(ids), t.chunk.c.state != ChunkState.SETTLED)
                .values(queued_at=now_s() + min(pause_s, MAX_DEFER_S))
            )

    def requeue_for_encoder(self, owner: str, chunks: Sequence[Chunk]) -> set[str]:
        """Requeue chunks for their collection's current encoder; return which those are."""
        with self._database.write() as connection:
            ids = lock_chunks(connection, owner, [chunk.id for chunk in chunks])
            return requeue_for_encoder(connection, ids)

    def fail_attempt(self, owner: str, chunks: Sequence[Chunk], reason: str) -> None:
        """Expire the leases of chunks whose processing failed; the next sweep requeues or fails them."""
        with self._database.write() as connection:
            ids = lock_chunks(connection, owner, [chunk.id for chunk in chunks])
            connection.execute(update(t.chunk).where(t.chunk.c.id.in_(ids)).values(**OVER, reason=reason))

    def expire_leases(self, worker: str) -> int:
        """Expire the leases of earlier processes of a worker that has just started; return their number."""
        held = (
            select(t.chunk.c.id)
            .where(t.IS_RUNNING, self._lease.is_of_worker(worker))
            .order_by(t.BY_ID)
            .with_for_update()
        )
        with self._database.write() as connection:
            return connection.execute(update(t.chunk).where(t.chunk.c.id.in_(held)).values(**OVER)).rowcount

    def sweep(self) -> int:
        """Requeue or fail the chunks whose lease has expired; return their number."""
        with self._database.write() as connection:
            return sweep_chunks(connection, self._lease, self._max_attempts)

    def end_queued(self, encoder: str, error: ExemplarError) -> int:
        """Fail work queued for an encoder that no longer exists; return the number of chunks.

        Work of a collection that answers with another encoder by now is requeued for that one instead.
        """
        with self._database.write() as connection:
            return end_queued_chunks(connection, encoder, error)

    def is_any_lost(self, connection: Connection) -> bool:
        """Return whether `sweep` has something to do."""
        lost = select(t.chunk.c.id).where(t.IS_RUNNING, self._lease.is_over).limit(1)
        return connection.execute(lost).first() is not None

    def waiting(self) -> list[Waiting]:
        """Return the queued work by encoder and lane."""
        with self._database.read() as connection:
            return self.waiting_within(connection)

    def waiting_within(self, connection: Connection) -> list[Waiting]:
        """Return the queued work by encoder and lane, in a transaction."""
        chunk = t.chunk.c
        statement = (
            select(
                chunk.encoder,
                chunk.lane,
                func.count().label("chunks"),
                func.sum(chunk.size).label("items"),
                (now_s() - func.min(chunk.queued_at)).label("oldest_s"),
            )
            .where(t.IS_QUEUED, ~chunk.unfetched)
            .group_by(chunk.encoder, chunk.lane)
        )
        return [
            Waiting(row.encoder, row.lane, row.chunks, int(row.items), max(row.oldest_s, 0.0))
            for row in connection.execute(statement)
        ]

    def waits(self, encoder: str, lanes: Sequence[Lane]) -> bool:
        """Return whether anything can be claimed now."""
        statement = select(t.chunk.c.id).where(is_claimable(encoder, lanes)).limit(1)
        with self._database.read() as connection:
            return connection.execute(statement.limit(1)).first() is not None
