"""Settlement: results of chunks and counts of their jobs, written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Row,
    Update,
    bindparam,
    case,
    insert,
    literal,
    select,
    update,
)

from core.actor import acting, submitter_of
from core.jobs import FINAL, Chunk, ChunkState, JobKind, JobState
from core.results import Result, tally_of
from store import tables as t
from store.clock import now_s
from store.record.enrolment import Enrolment, enroll
from store.record.quarantine import OPTION, contribute
from store.reindex.secondary_vectors import keep_vectors
from store.work.item_vectors import PackedVectors
from store.work.leases import RELEASED
from store.work.redecisions import redecide
from store.work.review_enrolment import enroll_reviewed
from store.work.states import OPEN, is_one_of, may_become

Writer = Callable[[Connection, Chunk, Sequence[Result | Enrolment]], list[Result]]


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of a chunk: a result, or a picture to enrol, for each of its items."""

    chunk: Chunk
    outcomes: Sequence[Result | Enrolment]
    smoothing_inputs: str | None = None
    """The name of the blob with its smoothing inputs."""
    vectors: PackedVectors | None = None
    """The vectors of its items, to be kept."""


def close(
    connection: Connection,
    settled: Sequence[tuple[int, str, list[Result]]],
    smoothing_inputs: Mapping[int, str | None] = MappingProxyType({}),
) -> None:
    """Write the results of locked chunks, given with their ids and jobs, and count them.

    `smoothing_inputs` are the names of their blobs by chunk id.
    """
    if not settled:
        return
    connection.execute(
        update(t.chunk)
        .where(t.chunk.c.id == bindparam("chunk_id"), may_become(ChunkState.SETTLED))
        .values(state=ChunkState.SETTLED, **RELEASED, results=bindparam("outcome")),
        [{"chunk_id": chunk_id, "outcome": results} for chunk_id, _, results in settled],
    )
    connection.execute(
        insert(t.tally),
        [
            {
                "chunk_id": chunk_id,
                "job_id": job_id,
                "counts": tally_of(results),
                "kept": smoothing_inputs.get(chunk_id),
            }
            for chunk_id, job_id, results in settled
        ],
    )
    _count(connection, settled)


def ended_among(connection: Connection, job_ids: Collection[str]) -> Sequence[Row[str, str | None]]:
    """Return the id and the webhook of those jobs that have ended."""
    which = (t.job.c.id.in_(sorted(job_ids)), t.job.c.state.in_(FINAL))
    return connection.execute(select(t.job.c.id, t.job.c.webhook).where(*which)).all()


def results_of(connection: Connection, settlement: Settlement) -> list[Result]:
    """Return the results of a chunk, after enrolling its pictures for who submitted them."""
    chunk = settlement.chunk
    with acting(submitter_of(chunk.job_id, chunk.origin)):
        return _writer_of(chunk)(connection, chunk, settlement.outcomes)


def _writer_of(chunk: Chunk) -> Writer:
    if chunk.kind is JobKind.ENROLL and OPTION in chunk.options:
        return contribute
    if chunk.kind is JobKind.ENROLL and chunk.target:
        return enroll_reviewed
    return _WRITERS.get(chunk.kind, _as_they_are)


def _as_they_are(_: Connection, __: Chunk, outcomes: Sequence[Result | Enrolment]) -> list[Result]:
    return [outcome for outcome in outcomes if not isinstance(outcome, Enrolment)]


def _write_groups(
    connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]
) -> list[Result]:
    """Return the results of a group job's only chunk, after making room for one for each group."""
    results = _as_they_are(connection, chunk, outcomes)
    connection.execute(update(t.chunk).where(t.chunk.c.id == chunk.id).values(size=len(results)))
    connection.execute(update(t.job).where(t.job.c.id == chunk.job_id).values(total=len(results)))
    return results


_WRITERS: Mapping[JobKind, Writer] = {
    JobKind.ENROLL: enroll,
    JobKind.REINDEX: keep_vectors,
    JobKind.REDECIDE: redecide,
    JobKind.GROUP: _write_groups,
    JobKind.EFFECT: _as_they_are,
}
"""Write what the kinds that `writes_vectors` or `has_target` change besides their own results."""


def _count(connection: Connection, settled: Sequence[tuple[int, str, list[Result]]]) -> None:
    counts: dict[str, dict[str, Any]] = {}
    for _, job_id, results in settled:
        count = counts.setdefault(job_id, {"of": job_id, "more_done": 0, "more_failed": 0})
        failed = sum(result["status"] == "failed" for result in results)
        count["more_failed"] += failed
        count["more_done"] += len(results) - failed
    # lock jobs in one order
    connection.execute(_COUNT, [counts[job_id] for job_id in sorted(counts)])


def _count_statement() -> Update:
    job = t.job.c
    done = job.done + bindparam("more_done", type_=Integer)
    failed = job.failed + bindparam("more_failed", type_=Integer)
    is_open = is_one_of(job.state, OPEN)
    # a job that is to be smoothed ends after that
    ends = (done + failed >= job.total) & is_open & ~job.expanding & ~job.smooth
    final = case(
        (failed == 0, _state(JobState.SUCCEEDED)),
        (done == 0, _state(JobState.FAILED)),
        else_=_state(JobState.PARTIAL),
    )
    return (
        update(t.job)
        .where(job.id == bindparam("of"))
        .values(
            done=done,
            failed=failed,
            state=case((ends, final), else_=job.state),
            finished_at=case((ends, now_s()), else_=job.finished_at),
        )
    )


def _state(state: JobState) -> BindParameter[Any]:
    return literal(state, t.job.c.state.type)


_COUNT = _count_statement()
