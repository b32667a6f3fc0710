"""Checks of work: counts that differ from results, and jobs and chunks that would never end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial

from sqlalchemy import Select, and_, exists, func, select, update

from core.findings import Finding, some_of
from core.jobs import FINAL, ChunkState
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.store import Store
from store.work.states import FINAL_CHUNK, change_jobs, final_state

OVERDUE_S = 60.0  # a lease expired for this long was not swept, which happens every few seconds


def examine_work(store: Store) -> Iterator[Finding]:
    """Yield problems of jobs and chunks. Raises `record_unavailable`."""
    yield from _counters(store.database)
    yield from _endless(store.database)
    yield from _overdue(store)


def _counters(database: Database) -> Iterator[Finding]:
    wrong = _miscounted(database)
    if wrong:
        message = f"the counts of {len(wrong)} jobs differ from their results ({some_of(sorted(wrong))})"
        yield Finding("record", "counts_differ", message, len(wrong), partial(_recount, database))


def _miscounted(database: Database) -> dict[str, tuple[int, int]]:
    """Return the true counts (done, failed) of jobs whose counters differ."""
    settled: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    with database.read() as connection:
        sizes = select(t.chunk.c.job_id, func.sum(t.chunk.c.size)).where(
            t.chunk.c.state == ChunkState.SETTLED
        )
        for job_id, items in connection.execute(sizes.group_by(t.chunk.c.job_id)):
            settled[job_id] = int(items)
        for row in connection.execute(select(t.tally.c.job_id, t.tally.c.counts)):
            failed[row.job_id] += sum(row.counts.get("errors", {}).values())
        jobs = connection.execute(select(t.job.c.id, t.job.c.done, t.job.c.failed)).all()
    true = {row.id: (settled[row.id] - failed[row.id], failed[row.id]) for row in jobs}
    return {row.id: true[row.id] for row in jobs if true[row.id] != (row.done, row.failed)}


def _recount(database: Database) -> int:
    corrected = 0
    for job_id, (done, failed) in _miscounted(database).items():
        with database.write() as connection:
            # a running job's counts still change; only a settled one's can be corrected
            active = (ChunkState.QUEUED, ChunkState.RUNNING)
            is_open = exists(select(1).where(t.chunk.c.job_id == job_id, t.chunk.c.state.in_(active)))
            corrected += connection.execute(
                update(t.job).where(t.job.c.id == job_id, ~is_open).values(done=done, failed=failed)
            ).rowcount
    return corrected


def _endless(database: Database) -> Iterator[Finding]:
    """Find open jobs without an item that waits, runs or is still to be read."""
    with database.read() as connection:
        rows = connection.execute(_jobs_without_open_work()).all()
    over = [row.id for row in rows if row.done + row.failed >= row.total]
    missing = [row.id for row in rows if row.done + row.failed < row.total]
    if over:
        message = f"{len(over)} jobs are settled and have not ended ({some_of(over)})"
        yield Finding("record", "job_not_ended", message, len(over), partial(_end, database, over))
    if missing:
        message = f"{len(missing)} jobs lack items that no worker has ({some_of(missing)}): submit them again"
        yield Finding("record", "items_missing", message, len(missing))


def _jobs_without_open_work() -> Select[str, int, int, int]:
    job, chunk = t.job.c, t.chunk.c
    open_chunks = exists(select(1).where(chunk.job_id == job.id, chunk.state.not_in(FINAL_CHUNK)))
    source = exists(select(1).where(t.source.c.job_id == job.id))
    reindex = exists(select(1).where(t.reindex.c.job_id == job.id)) & job.expanding
    smoothing = exists(select(1).where(t.smoothing.c.job_id == job.id))
    return (
        select(job.id, job.total, job.done, job.failed)
        .where(job.state.not_in(FINAL), ~open_chunks, ~source, ~smoothing, ~reindex)
        .order_by(job.id)
    )


def _end(database: Database, job_ids: list[str]) -> int:
    with database.write() as connection:
        rows = connection.execute(_jobs_without_open_work().where(t.job.c.id.in_(job_ids))).all()
        for row in rows:
            state = final_state(row.done, row.failed)
            change_jobs(connection, t.job.c.id == row.id, state, expanding=False, finished_at=now_s())
        return len(rows)


def _overdue(store: Store) -> Iterator[Finding]:
    chunk = t.chunk.c
    long_ago = and_(t.IS_RUNNING, chunk.lease_until < now_s() - OVERDUE_S)
    with store.database.read() as connection:
        count = connection.execute(select(func.count()).select_from(t.chunk).where(long_ago)).scalar_one()
    if count:
        message = f"{count} chunks have expired leases, and no worker is alive to sweep them"
        yield Finding("record", "chunks_overdue", message, count, store.chunks.sweep)
