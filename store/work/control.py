"""Control: a job is held, let go on, taken back, or given another try."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from core.errors import ExemplarError
from core.results import Result, tally_of
from core.types import FINAL, Job, JobKind, JobState, is_web_url
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.work.jobs import await_smoothing, require_job
from store.work.settlement import close

AT_ONCE = 500  # chunks in one statement
CUT_AT_ONCE = 32  # chunks in one transaction of a retry, with all their results


@dataclass(frozen=True, slots=True)
class Revived:
    """A job whose work waits again, and the encoder that will do it; None where nothing of it waits."""

    job: Job
    encoder: str | None


class Control:
    """What may be asked of the jobs of the record while they wait, run, or have ended.

    Everything here locks the job first and then only chunks that nobody else holds. Workers lock chunks
    first and then jobs; since this side never waits for a chunk, nobody waits in a circle. A chunk that
    is being claimed at this moment is left to the claim, which looks at the state of the job.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def pause(self, job_id: str) -> Job:
        """Hold what no worker has begun; what runs comes to its end.

        Raises `job_not_found`, or `job_state_unfit` where the job has ended.
        """
        with self._database.write() as connection:
            job = _lock_job(connection, job_id)
            if job.state in FINAL:
                raise _unfit(job, "expected a job that is queued or running")
            _set_state(connection, job_id, JobState.PAUSED)
            _turn(connection, job_id, ("queued",), "paused")
            return require_job(connection, job_id)

    def resume(self, job_id: str) -> Revived:
        """Let a paused job go on, behind what came meanwhile; one that was not paused stays as it is.

        Raises `job_not_found`, or `job_state_unfit` where the job has ended.
        """
        with self._database.write() as connection:
            job = _lock_job(connection, job_id)
            if job.state in FINAL:
                raise _unfit(job, "expected a job that is paused")
            if job.state is JobState.PAUSED:
                begun = job.started_at is not None
                _set_state(connection, job_id, JobState.RUNNING if begun else JobState.QUEUED)
                _turn(connection, job_id, ("paused",), "queued")
            return _revived(connection, job_id)

    def cancel(self, job_id: str) -> Job:
        """Take back what no worker has begun; a job at its end stays as it is.

        Items that were tried again keep the error of the time before.
        """
        with self._database.write() as connection:
            if _lock_job(connection, job_id).state in FINAL:
                return require_job(connection, job_id)
            connection.execute(delete(t.source).where(t.source.c.job_id == job_id))
            connection.execute(delete(t.smoothing).where(t.smoothing.c.job_id == job_id))
            give_up(connection, _waiting(connection, job_id, ("queued", "paused")))
            connection.execute(
                update(t.job)
                .where(t.job.c.id == job_id, t.job.c.state.not_in([state.value for state in FINAL]))
                .values(state=JobState.CANCELLED.value, expanding=False, finished_at=now_s())
            )
            return require_job(connection, job_id)

    def retry(self, job_id: str) -> Revived:
        """Try the failed items again, in the same job; every other result stays as it is.

        Items that were refused when they were submitted have no picture and are not tried again. Raises
        `job_not_found`, `job_state_unfit` unless the job is partial or failed, or `retry_empty`.
        """
        with self._database.read() as connection:
            job = require_job(connection, job_id)
            _check_ended_badly(job)
            if job.kind is JobKind.IMPORT:  # its file is gone, and no worker claims what came of it
                raise ExemplarError(
                    "retry_empty", "expected a job whose items can be tried again; import anew"
                )
            failed = _failed_chunks(connection, job_id)
        again = 0
        # A few chunks in one transaction, so that others write in between. The job is paused until the last
        # of them, so that it cannot end meanwhile; where this process dies half way, it can be resumed.
        for start in range(0, len(failed), CUT_AT_ONCE):
            with self._database.write() as connection:
                job = _lock_job(connection, job_id)
                if again == 0:
                    _check_ended_badly(job)
                elif job.state is not JobState.PAUSED:  # someone has resumed or cancelled it meanwhile
                    break
                again += _reopen(connection, job, failed[start : start + CUT_AT_ONCE])
                if again > 0 and start + CUT_AT_ONCE >= len(failed):
                    _set_state(connection, job_id, JobState.QUEUED)
                    _turn(connection, job_id, ("paused",), "queued")
        if again == 0:
            raise ExemplarError(
                "retry_empty",
                "expected failed items that may be tried again; these were refused when they were submitted: "
                "submit them anew",
            )
        with self._database.read() as connection:
            return _revived(connection, job_id)


def lock_states(connection: Connection, job_ids: set[str]) -> dict[str, JobState]:
    """Lock jobs, in one order for everyone, and return their states as they will stay meanwhile."""
    rows = connection.execute(
        select(t.job.c.id, t.job.c.state)
        .where(t.job.c.id.in_(job_ids))
        .order_by(t.job.c.id)
        .with_for_update()
    )
    return {row.id: JobState(row.state) for row in rows}


def chunk_state(job: JobState) -> str:
    """Return the state in which a chunk of such a job waits."""
    return {JobState.CANCELLED: "cancelled", JobState.PAUSED: "paused"}.get(job, "queued")


def give_up(connection: Connection, chunks: Sequence[Row[Any]]) -> None:
    """Cancel locked chunks (id, job_id, results); one that was tried before gets its results back."""
    fresh = [chunk.id for chunk in chunks if chunk.results is None]
    for start in range(0, len(fresh), AT_ONCE):
        ids = fresh[start : start + AT_ONCE]
        connection.execute(
            update(t.chunk)
            .where(t.chunk.c.id.in_(ids))
            .values(state="cancelled", lease_owner=None, lease_until=None)
        )
    close(connection, [(c.id, c.job_id, list(c.results)) for c in chunks if c.results is not None])


def _lock_job(connection: Connection, job_id: str) -> Job:
    connection.execute(select(t.job.c.id).where(t.job.c.id == job_id).with_for_update())
    return require_job(connection, job_id)


def _check_ended_badly(job: Job) -> None:
    if job.state not in (JobState.PARTIAL, JobState.FAILED):
        raise _unfit(job, "expected a job that is partial or failed")


def _revived(connection: Connection, job_id: str) -> Revived:
    encoder = connection.execute(
        select(t.chunk.c.encoder).where(t.chunk.c.job_id == job_id, t.chunk.c.state == "queued").limit(1)
    ).scalar()
    return Revived(require_job(connection, job_id), encoder)


def _unfit(job: Job, expected: str) -> ExemplarError:
    return ExemplarError("job_state_unfit", f"{expected}, this one is {job.state.value}")


def _set_state(connection: Connection, job_id: str, state: JobState) -> None:
    connection.execute(update(t.job).where(t.job.c.id == job_id).values(state=state.value))


def _turn(connection: Connection, job_id: str, states: Sequence[str], state: str) -> None:
    """Bring waiting chunks of a job from one way of waiting to another."""
    waiting = (
        select(t.chunk.c.id)
        .where(t.chunk.c.job_id == job_id, t.chunk.c.state.in_(states))
        .order_by(t.chunk.c.id)
        .with_for_update(skip_locked=True)
    )
    now = select(now_s()).scalar_subquery()  # one moment for all, so that they keep the order of their ids
    connection.execute(update(t.chunk).where(t.chunk.c.id.in_(waiting)).values(state=state, queued_at=now))


def _waiting(connection: Connection, job_id: str, states: Sequence[str]) -> list[Any]:
    rows = connection.execute(
        select(t.chunk.c.id, t.chunk.c.job_id, t.chunk.c.results)
        .where(t.chunk.c.job_id == job_id, t.chunk.c.state.in_(states))
        .order_by(t.chunk.c.id)
        .with_for_update(skip_locked=True)
    )
    return list(rows)


def _failed_chunks(connection: Connection, job_id: str) -> list[int]:
    tallies = connection.execute(
        select(t.tally.c.chunk_id, t.tally.c.counts)
        .where(t.tally.c.job_id == job_id)
        .order_by(t.tally.c.chunk_id)
    )
    return [row.chunk_id for row in tallies if row.counts.get("errors")]


def _reopen(connection: Connection, job: Job, chunk_ids: Sequence[int]) -> int:
    """Cut settled chunks of a locked job into pieces, of which those that failed wait again.

    Returns how many items that is; where it is any, the job is open again, and paused.
    """
    chunks = connection.execute(
        select(t.chunk)
        .where(t.chunk.c.id.in_(chunk_ids), t.chunk.c.state == "settled")
        .order_by(t.chunk.c.id)
        .with_for_update(skip_locked=True)  # what is locked is just being removed with its job
    ).all()
    again: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    names: list[str | None] = []  # of what smoothing needs: pieces of a chunk share it
    cut: list[int] = []
    name_of = _kept_names(connection, chunk_ids)
    for chunk in chunks:
        pieces = list(_pieces(chunk))
        failed = [piece for piece in pieces if piece["state"] != "settled"]
        if failed:
            cut.append(chunk.id)
            again += failed
            good = [piece for piece in pieces if piece["state"] == "settled"]
            kept += good
            names += [name_of.get(chunk.id)] * len(good)
    connection.execute(delete(t.chunk).where(t.chunk.c.id.in_(cut)))
    if again:
        connection.execute(insert(t.chunk).values(queued_at=now_s()), again)
    if kept:
        made = insert(t.chunk).values(queued_at=now_s()).returning(t.chunk.c.id, sort_by_parameter_order=True)
        ids = connection.execute(made, kept).scalars()
        connection.execute(
            insert(t.tally),
            [
                {
                    "chunk_id": chunk_id,
                    "job_id": piece["job_id"],
                    "counts": tally_of(piece["results"]),
                    "kept": name,
                }
                for chunk_id, piece, name in zip(ids, kept, names, strict=True)
            ],
        )
    items: int = sum(piece["size"] for piece in again)
    values: dict[str, Any] = {"failed": t.job.c.failed - items}
    if job.state in FINAL:
        values |= {"state": JobState.PAUSED.value, "finished_at": None, "announced": False, "note": None}
    if items and job.smooth:  # anew over all: the others' neighbours are among what is tried again
        await_smoothing(connection, job.id)
    if items:
        connection.execute(update(t.job).where(t.job.c.id == job.id).values(values))
    return items


def _kept_names(connection: Connection, chunk_ids: Sequence[int]) -> dict[int, str | None]:
    rows = connection.execute(
        select(t.tally.c.chunk_id, t.tally.c.kept).where(t.tally.c.chunk_id.in_(chunk_ids))
    )
    return {row.chunk_id: row.kept for row in rows}


def _pieces(chunk: Row[Any]) -> Iterator[dict[str, Any]]:
    """Yield the runs of a chunk's items that failed, which are paused, and those that stay as they are."""
    items = list(enumerate(zip(chunk.inputs, chunk.results, strict=True)))
    for failed, run in groupby(items, key=lambda item: _may_be_tried(*item[1])):
        part = list(run)
        yield {
            "job_id": chunk.job_id,
            "encoder": chunk.encoder,
            "lane": chunk.lane,
            "state": "paused" if failed else "settled",
            "first_item": chunk.first_item + part[0][0],
            "size": len(part),
            "attempts": 0,
            "unfetched": failed and any(is_web_url(packed.get("place")) for _, (packed, _) in part),
            "inputs": [_anew(packed) if failed else packed for _, (packed, _) in part],
            "results": [result for _, (_, result) in part],
        }


def _may_be_tried(packed: dict[str, Any], result: Result) -> bool:
    """Say whether an item failed that has a picture, or may have one once that is fetched again."""
    is_refused = packed.get("problem") is not None and not is_web_url(packed.get("place"))
    return result["status"] == "failed" and not is_refused


def _anew(packed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in packed.items() if name != "problem"}
