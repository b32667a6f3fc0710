"""Targets: jobs whose answers another job is about, and what such a job requires of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from core.errors import ExemplarError
from core.jobs import FINAL, ChunkState, JobKind
from core.results import Result
from store import tables as t
from store.record.collections import find_collection
from store.work.item_vectors import encoders_of
from store.work.kinds import check_checks, check_decides
from store.work.rows import job_row, overlaps
from store.work.states import OPEN


def check_redecidable(connection: Connection, job_id: str, *, dry_run: bool) -> str:
    """Lock a job whose answers are to be decided again, and return its collection's current encoder.

    Raises what `check_groupable` raises, `job_state_invalid` if the job is smoothed or decided again already,
    and `vectors_missing` if none of its vectors is one of the collection's current encoder.
    """
    job, kept = _lock_target(connection, job_id)
    if job.smooth:
        raise _invalid("this job smoothed its answers over similar pictures; classify them again instead")
    if not dry_run and _is_decided_again(connection, job_id):
        raise _invalid("this job is already being decided again; wait for that job, or cancel it")
    encoder = _encoder_of(connection, job)
    if encoder not in kept:
        raise ExemplarError(
            "vectors_missing",
            f"the collection answers with {encoder} now, and the vectors of this job are of {kept[0]}; "
            "classify its pictures again",
        )
    return encoder


def check_groupable(connection: Connection, job_id: str) -> str:
    """Lock a job whose answers are to be grouped, and return its collection's current encoder.

    Raises `job_not_found`, `job_state_invalid` if it makes no decisions or has not ended,
    `collection_not_found` if its collection was deleted, and `vectors_missing` if it kept none.
    """
    job, _ = _lock_target(connection, job_id)
    return _encoder_of(connection, job)


def check_checked(connection: Connection, job_id: str) -> str:
    """Lock a check whose effect is asked for, and return its collection's current encoder.

    Raises `job_not_found`, `job_state_invalid` if it is no check or has not ended, `collection_not_found`,
    and `vectors_missing` if none of its vectors is one of the collection's current encoder.
    """
    job, kept = _lock_target(connection, job_id, check_checks)
    encoder = _encoder_of(connection, job)
    if encoder not in kept:
        raise ExemplarError("vectors_missing", "the collection has another encoder by now; check again")
    return encoder


def _lock_target(
    connection: Connection, job_id: str, check: Callable[[JobKind], None] = check_decides
) -> tuple[Row[Any], Sequence[str]]:
    """Lock a job, and return its row and the encoders whose vectors it kept; raises as `check_groupable`."""
    job = job_row(connection, job_id, locked=True)
    check(job.kind)
    if job.state not in FINAL:
        raise _invalid(f"expected a job that has ended, this one is {job.state.value}")
    if job.collection_id is None:  # one of the same name is another collection
        raise ExemplarError("collection_not_found", "the collection of this job was deleted")
    kept = encoders_of(connection, job_id)
    if not kept:
        raise ExemplarError(
            "vectors_missing",
            "this job kept no vectors of its items (EXEMPLAR_KEEP_VECTORS); classify its pictures again",
        )
    return job, kept


def _encoder_of(connection: Connection, job: Row[Any]) -> str:
    return str(find_collection(connection, job.collection_name).encoder)


def settled_chunks(
    connection: Connection, job_id: str, first: int, end: int
) -> list[tuple[int, list[Result]]]:
    """Lock the settled chunks with items from `first` up to `end` of a locked job; return ids and results."""
    chunk = t.chunk.c
    rows = connection.execute(
        select(chunk.id, chunk.results)
        .where(overlaps(t.chunk, job_id, first, end), chunk.state == ChunkState.SETTLED)
        .order_by(chunk.id)
        .with_for_update()
    )
    return [(row.id, row.results) for row in rows]


def current_results(connection: Connection, job_id: str, first: int, end: int) -> Mapping[int, Result]:
    """Return the settled results of a locked job's items from `first` up to `end`, by item."""
    return {
        result["item"]: result
        for _, results in settled_chunks(connection, job_id, first, end)
        for result in results
        if first <= result["item"] < end
    }


def _is_decided_again(connection: Connection, job_id: str) -> bool:
    job = t.job.c
    open_ = select(job.options).where(job.target == job_id, job.kind == JobKind.REDECIDE, job.state.in_(OPEN))
    return any(not options["dry_run"] for options in connection.execute(open_).scalars())


def _invalid(expected: str) -> ExemplarError:
    return ExemplarError("job_state_invalid", expected)
