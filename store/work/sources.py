"""Sources: what the items of bulk jobs are read from, claimed under a lease and turned into chunks once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select, update

from core.types import FINAL, Item, JobKind, JobState, Lane, Source
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.work.control import chunk_state
from store.work.leases import Leases
from store.work.packing import pack_item
from store.work.settlement import final_state

_FINAL = [state.value for state in FINAL]
_AT_REST = [*_FINAL, JobState.PAUSED.value]


@dataclass(frozen=True, slots=True)
class HeldSource:
    """A source as a worker holds it: so many entries stand in chunks, so many items are not settled yet."""

    job_id: str
    kind: JobKind
    encoder: str
    source: Source
    passed: int
    unsettled: int
    paused: bool
    attempts: int
    reason: str | None


class Sources(Leases):
    """The sources of the record; a row is there as long as something is left to read."""

    def __init__(self, database: Database, *, lease_s: float, chunk_items: int) -> None:
        super().__init__(database, t.source, lease_s=lease_s)
        self._chunk_items = chunk_items

    def hold(self, owner: str, most: int) -> list[HeldSource]:
        """Claim free sources up to `most` and return those that the owner holds, the oldest jobs first.

        `attempts` counts the owners that have held a source since the last entry was passed.
        """
        with self._database.read() as connection:
            rows = connection.execute(self._with_job()).all()
        if any(row.state in _FINAL for row in rows):
            self._drop_ended()
        ours = [row for row in rows if row.lease_owner == owner and row.state not in _FINAL]
        most -= sum(row.state != JobState.PAUSED.value for row in ours)
        free = [row for row in rows if row.is_free]
        if most > 0 and any(row.lease_owner != owner and row.state not in _AT_REST for row in free):
            self._claim(owner, most)
            with self._database.read() as connection:
                ours = list(connection.execute(self._with_job().where(t.source.c.lease_owner == owner)))
        return [_unpack(row) for row in ours]

    def feed(self, owner: str, job_id: str, passed: int, items: Sequence[Item], *, last: bool) -> bool:
        """Turn entries from number `passed` on into chunks; say whether the source was still ours.

        All in one transaction that nobody else can make again: it is fenced by the owner and by `passed`.
        After the `last` ones the source is gone, and the job ends where everything is settled by then.
        """
        with self._database.write() as connection:
            job = connection.execute(select(t.job).where(t.job.c.id == job_id).with_for_update()).first()
            held = connection.execute(
                select(t.source)
                .where(
                    t.source.c.job_id == job_id, t.source.c.lease_owner == owner, t.source.c.passed == passed
                )
                .with_for_update()
            ).first()
            if job is None or held is None or job.state in _FINAL:
                return False
            state = chunk_state(JobState(job.state))
            chunks = bulk_chunks(job_id, held.encoder, items, state, self._chunk_items)
            if chunks:
                connection.execute(insert(t.chunk).values(queued_at=now_s()), chunks)
            grow_job(connection, job, len(items), last=last)
            if last:
                connection.execute(delete(t.source).where(t.source.c.job_id == job_id))
            else:
                connection.execute(
                    update(t.source)
                    .where(t.source.c.job_id == job_id)
                    .values(
                        passed=passed + len(items),
                        attempts=0,
                        lease_until=now_s() + self._lease_s,
                        reason=None,
                    )
                )
        return True

    def replace(self, owner: str, job_id: str, source: Source) -> bool:
        """Let the entries come from elsewhere, before the first is passed; say whether it was still ours."""
        with self._database.write() as connection:
            statement = (
                update(t.source)
                .where(t.source.c.job_id == job_id, t.source.c.lease_owner == owner, t.source.c.passed == 0)
                .values(asked=asdict(source))
            )
            return connection.execute(statement).rowcount == 1

    def _claim(self, owner: str, most: int) -> None:
        with self._database.write() as connection:
            free = (
                select(t.source.c.job_id)
                .join(t.job, t.job.c.id == t.source.c.job_id)
                .where(
                    self._is_free,
                    t.job.c.state.not_in(_AT_REST),
                )
                .order_by(t.source.c.job_id)
                .limit(most)
                .with_for_update(skip_locked=True, of=t.source)
            )
            ids = connection.execute(free).scalars().all()
            connection.execute(
                update(t.source)
                .where(t.source.c.job_id.in_(ids))
                .values(
                    lease_owner=owner,
                    lease_until=now_s() + self._lease_s,
                    attempts=t.source.c.attempts + 1,
                )
            )

    def _drop_ended(self) -> None:
        with self._database.write() as connection:
            ended = select(t.job.c.id).where(t.job.c.state.in_(_FINAL))
            connection.execute(delete(t.source).where(t.source.c.job_id.in_(ended)))

    def _with_job(self) -> Select[Any]:
        source, job = t.source.c, t.job.c
        return (
            select(
                t.source,
                self._is_free.label("is_free"),
                job.kind,
                job.state,
                (job.total - job.done - job.failed).label("unsettled"),
            )
            .join(t.job, job.id == source.job_id)
            .order_by(source.job_id)
        )


def bulk_chunks(
    job_id: str, encoder: str, items: Sequence[Item], state: str, chunk_items: int
) -> list[dict[str, Any]]:
    """Return rows of chunks for items that follow one another."""
    starts = range(0, len(items), chunk_items)
    parts = [items[start : start + chunk_items] for start in starts]
    return [
        {
            "job_id": job_id,
            "encoder": encoder,
            "lane": Lane.BULK.value,
            "state": state,
            "first_item": part[0].index,
            "size": len(part),
            "attempts": 0,
            "unfetched": any(item.is_unfetched for item in part),
            "inputs": [pack_item(item) for item in part],
        }
        for part in parts
    ]


def grow_job(connection: Connection, job: Row[Any], items: int, *, last: bool) -> None:
    """Count more items into a locked job, which ends here where nothing of it is open any more."""
    total = job.total + items
    values: dict[str, Any] = {"total": total, "expanding": not last}
    if last and job.done + job.failed >= total and not job.smooth:
        values |= {"state": final_state(job.done, job.failed).value, "finished_at": now_s()}
    connection.execute(update(t.job).where(t.job.c.id == job.id).values(values))


def _unpack(row: Row[Any]) -> HeldSource:
    return HeldSource(
        job_id=row.job_id,
        kind=JobKind(row.kind),
        encoder=row.encoder,
        source=Source(**row.asked),
        passed=row.passed,
        unsettled=row.unsettled,
        paused=row.state == JobState.PAUSED.value,
        attempts=row.attempts,
        reason=row.reason,
    )
