"""Sources: what the items of bulk jobs are read from, claimed under a lease and turned into chunks once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from core.collections import Labels
from core.jobs import FINAL, Item, JobKind, JobState, Lane, Source
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.unpacking import unpack
from store.work.leases import JobLeases
from store.work.locks import lock_job
from store.work.packing import chunk_rows
from store.work.states import HALTED, change_jobs, final_state, waiting_state


@dataclass(frozen=True, slots=True)
class HeldSource:
    """A source as a worker holds it: `position` entries are in chunks, `unsettled` items are open."""

    job_id: str
    kind: JobKind
    encoder: str
    source: Source
    position: int
    unsettled: int
    paused: bool
    attempts: int
    reason: str | None


class Sources(JobLeases):
    """The sources of the record; a row exists while entries are left to read."""

    def __init__(self, database: Database, *, lease_s: float, chunk_items: int) -> None:
        super().__init__(database, t.source, lease_s=lease_s)
        self._chunk_items = chunk_items

    def hold(self, owner: str, most: int) -> list[HeldSource]:
        """Claim free sources up to `most` and return those that the owner holds, oldest jobs first.

        `attempts` counts the owners that have held a source since its position last changed.
        """
        with self._database.read() as connection:
            rows = connection.execute(self._with_job()).all()
        if any(row.state in FINAL for row in rows):
            self._drop_ended()
        ours = [row for row in rows if row.lease_owner == owner and row.state not in FINAL]
        most -= sum(row.state is not JobState.PAUSED for row in ours)
        free = [row for row in rows if row.is_free]
        if most > 0 and any(row.lease_owner != owner and row.state not in HALTED for row in free):
            self._claim(owner, most)
            with self._database.read() as connection:
                ours = list(connection.execute(self._with_job().where(self._lease.is_of(owner))))
        return [_unpack(row) for row in ours]

    def waits(self, connection: Connection) -> bool:
        """Return whether there is a source to read that nobody reads."""
        free = (
            select(t.source.c.job_id)
            .join(t.job, t.job.c.id == t.source.c.job_id)
            .where(self._lease.is_free, t.job.c.state != JobState.PAUSED)
        )
        return connection.execute(free.limit(1)).first() is not None

    def feed(
        self,
        owner: str,
        job_id: str,
        position: int,
        items: Sequence[Item],
        *,
        last: bool,
        rest: Source | None = None,
    ) -> bool:
        """Turn entries from a position on into chunks; return whether the owner held the source there.

        One transaction, fenced by the owner and by the position, so that it happens once. After the
        `last` entries the source is deleted, and the job ends if everything is settled by then. Before,
        it is replaced by the `rest` if that is given.
        """
        with self._database.write() as connection:
            job = lock_job(connection, job_id)
            held = lock_source(connection, owner, job_id, position)
            if job is None or held is None or job.state in FINAL:
                return False
            insert_chunks(connection, job, held.encoder, items, self._chunk_items)
            grow_job(connection, job, len(items), last=last)
            values = self._lease.renewed if rest is None else {**self._lease.renewed, "asked": asdict(rest)}
            advance_source(connection, job_id, None if last else position + len(items), values)
        return True

    def replace(self, owner: str, job_id: str, source: Source) -> bool:
        """Replace the source's place before the first entry is read; return whether the owner held it."""
        with self._database.write() as connection:
            statement = (
                update(t.source)
                .where(t.source.c.job_id == job_id, self._lease.is_of(owner), t.source.c.position == 0)
                .values(asked=asdict(source))
            )
            return connection.execute(statement).rowcount == 1

    def _claim(self, owner: str, most: int) -> None:
        with self._database.write() as connection:
            free = (
                select(t.source.c.job_id)
                .join(t.job, t.job.c.id == t.source.c.job_id)
                .where(self._lease.is_free, t.job.c.state.not_in(HALTED))
                .order_by(t.source.c.job_id)
                .limit(most)
                .with_for_update(skip_locked=True, of=t.source)
            )
            ids = connection.execute(free).scalars().all()
            connection.execute(
                update(t.source)
                .where(t.source.c.job_id.in_(ids))
                .values(**self._lease.taken_by(owner), attempts=t.source.c.attempts + 1)
            )

    def _drop_ended(self) -> None:
        with self._database.write() as connection:
            ended = select(t.job.c.id).where(t.job.c.state.in_(FINAL))
            connection.execute(delete(t.source).where(t.source.c.job_id.in_(ended)))

    def _with_job(self) -> Select[Any]:
        source, job = t.source.c, t.job.c
        return (
            select(
                t.source,
                self._lease.is_free.label("is_free"),
                job.kind,
                job.state,
                (job.total - job.done - job.failed).label("unsettled"),
            )
            .join(t.job, job.id == source.job_id)
            .order_by(source.job_id)
        )


def lock_source(connection: Connection, owner: str, job_id: str, position: int) -> Row[Any] | None:
    """Lock the source of a locked job and return its row; None unless the owner holds it at a position."""
    source = t.source.c
    which = (source.job_id == job_id, source.lease_owner == owner, source.position == position)
    return connection.execute(select(t.source).where(*which).with_for_update()).first()


def advance_source(
    connection: Connection, job_id: str, position: int | None, more: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Move a locked source to a position, with more values; delete it if the position is None."""
    of_job = t.source.c.job_id == job_id
    if position is None:
        connection.execute(delete(t.source).where(of_job))
    else:
        values = {"position": position, "attempts": 0, "reason": None, **more}
        connection.execute(update(t.source).where(of_job).values(values))


def insert_chunks(
    connection: Connection, job: Row[Any], encoder: str, items: Sequence[Item], chunk_items: int
) -> None:
    """Put consecutive items into chunks of a locked bulk job."""
    common = {
        "job_id": job.id,
        "encoder": encoder,
        "lane": Lane.BULK,
        "state": waiting_state(job.state),
    }
    chunks = chunk_rows(common, items, chunk_items)
    if chunks:
        connection.execute(insert(t.chunk).values(queued_at=now_s()), chunks)


def grow_job(connection: Connection, job: Row[Any], items: int, *, last: bool) -> None:
    """Add to the item count of a locked job, which ends here if no item is open."""
    total = job.total + items
    of_job = t.job.c.id == job.id
    connection.execute(update(t.job).where(of_job).values(total=total, expanding=not last))
    if last and job.done + job.failed >= total and not job.smooth:
        change_jobs(connection, of_job, final_state(job.done, job.failed), finished_at=now_s())


def _unpack(row: Row[Any]) -> HeldSource:
    return unpack(
        HeldSource,
        row,
        source=Source(**{**row.asked, "labels": Labels(row.asked.get("labels", Labels.ONE))}),
        paused=row.state is JobState.PAUSED,
    )
