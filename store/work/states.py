"""The states of jobs and chunks, and every allowed transition."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, update

from core.jobs import FINAL, ChunkState, JobState
from store import tables as t

JOB_TRANSITIONS: Mapping[JobState, frozenset[JobState]] = {
    # an import, or a bulk job whose items were all refused, ends without having run
    JobState.QUEUED: FINAL | {JobState.RUNNING, JobState.PAUSED},
    JobState.RUNNING: FINAL | {JobState.PAUSED},
    # what was running when the job was paused is settled, and may end it
    JobState.PAUSED: FINAL | {JobState.QUEUED, JobState.RUNNING},
    # a retry reopens a job as paused, and queues it once all failed items are queued
    JobState.PARTIAL: frozenset({JobState.PAUSED}),
    JobState.FAILED: frozenset({JobState.PAUSED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.CANCELLED: frozenset(),
}
"""A job starts `queued`."""

FINAL_CHUNK = frozenset({ChunkState.SETTLED, ChunkState.CANCELLED})

CHUNK_TRANSITIONS: Mapping[ChunkState, frozenset[ChunkState]] = {
    # when a job is cancelled, a chunk that a retry had queued is settled with its earlier results
    ChunkState.QUEUED: FINAL_CHUNK | {ChunkState.RUNNING, ChunkState.PAUSED},
    ChunkState.PAUSED: FINAL_CHUNK | {ChunkState.QUEUED},
    ChunkState.RUNNING: FINAL_CHUNK | {ChunkState.QUEUED, ChunkState.PAUSED},
    ChunkState.SETTLED: frozenset(),
    ChunkState.CANCELLED: frozenset(),
}
"""A chunk starts `queued`, or `paused` in a paused job; an import's starts `running`.

A retry splits a settled chunk into new ones, which start `settled` or `paused`.
"""

OPEN = frozenset(JobState) - FINAL
UNDONE = frozenset({JobState.CANCELLED, JobState.FAILED})
"""Final states of jobs that did nothing, or not to the end."""
HALTED = FINAL | {JobState.PAUSED}
"""Jobs of which nothing more is started."""
WAITING_CHUNK = frozenset({ChunkState.QUEUED, ChunkState.PAUSED})


def is_one_of(column: ColumnElement[Any], states: Collection[Any]) -> ColumnElement[bool]:
    """Return the condition that a state is one of several, usable with executemany, unlike `in_`."""
    return or_(*(column == state for state in sorted(states)))


def may_become(state: JobState | ChunkState) -> ColumnElement[bool]:
    """Return the condition that a row of the job or chunk table may change to a state."""
    if isinstance(state, JobState):
        return is_one_of(
            t.job.c.state, [before for before, after in JOB_TRANSITIONS.items() if state in after]
        )
    befores = [before for before, after in CHUNK_TRANSITIONS.items() if state in after]
    return is_one_of(t.chunk.c.state, befores)


def change_jobs(connection: Connection, which: ColumnElement[bool], state: JobState, **values: Any) -> int:
    """Set the state of the jobs that may change to it, with other values; return their number."""
    statement = update(t.job).where(which, may_become(state)).values(state=state, **values)
    return connection.execute(statement).rowcount


def change_chunks(
    connection: Connection, which: ColumnElement[bool], state: ChunkState, **values: Any
) -> int:
    """Set the state of the chunks that may change to it, with other values; return their number."""
    statement = update(t.chunk).where(which, may_become(state)).values(state=state, **values)
    return connection.execute(statement).rowcount


def waiting_state(job: JobState) -> ChunkState:
    """Return the state of a waiting chunk in a job of such a state; cancelled work does not wait."""
    if job is JobState.CANCELLED:
        return ChunkState.CANCELLED
    return ChunkState.PAUSED if job is JobState.PAUSED else ChunkState.QUEUED


def final_state(done: int, failed: int) -> JobState:
    """Return the final state of a job with these counts of done and failed items."""
    if failed == 0:
        return JobState.SUCCEEDED
    return JobState.FAILED if done == 0 else JobState.PARTIAL
