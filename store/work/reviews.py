"""Reviews: people's decisions about the answers of a job, stored next to the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import ExemplarError
from core.results import Result
from core.types import FINAL, Job
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.work.jobs import Jobs
from store.work.kinds import KINDS
from store.work.locks import lock_job
from store.work.reviewed import count_reviews, is_answer
from store.work.rows import job_not_found, require_job, unpack_job
from store.work.targets import current_results
from store.work.versions import FIRST, newest_version

PAGE = 1000
GAP = 64  # items between two that are read along: a chunk's results are stored as one


@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's word on answers: the right label, None for none of the classes, or that they are right."""

    reviewer: str
    label: str | None = None
    accepted: bool = False


class Reviews:
    """The reviews of the record. A review can be given again and undone at any time; the last one counts."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def set(self, job_id: str, items: Sequence[int], verdict: Verdict) -> int:
        """Review these items; return how many there were.

        Raises `job_not_found`, `job_state_invalid` if the job makes no decisions or will still change them,
        and `item_not_found`, before anything is written, if an item has no answer.
        """
        self._check(job_id)
        wanted = sorted(set(items))
        answers = self._answers(job_id, wanted)
        missing = [item for item in wanted if item not in answers]
        if missing:
            raise ExemplarError(
                "item_not_found",
                f"expected items of this job with an answer, got {missing[0]}; see its results",
            )
        return self._write(job_id, [answers[item] for item in wanted], verdict)

    def set_where(self, job_id: str, fits: Callable[[Result], bool], verdict: Verdict) -> int:
        """Review all settled answers that fit; return how many these were. Raises as `set` does."""
        self._check(job_id)
        reviewed = 0
        for page in self._jobs.result_pages(job_id, limit=PAGE):
            fitting = [result for result in page if is_answer(result) and fits(result)]
            if fitting:
                reviewed += self._write(job_id, fitting, verdict)
        return reviewed

    def counts(self, job_id: str, version: int | None = None) -> tuple[int, Mapping[str, int]]:
        """Return the number of reviewed items, and by how much reviews change the count of each label."""
        with self._database.read() as connection:
            return count_reviews(connection, job_id, version)

    def undo(self, job_id: str, items: Sequence[int]) -> int:
        """Remove the reviews of these items; return how many there were. Raises `job_not_found`."""
        with self._database.write() as connection:
            _lock_reviewable(connection, job_id)
            which = (t.review.c.job_id == job_id, t.review.c.item.in_(sorted(set(items))))
            return connection.execute(delete(t.review).where(*which)).rowcount

    def _check(self, job_id: str) -> None:
        with self._database.read() as connection:
            _check_reviewable(require_job(connection, job_id))

    def _write(self, job_id: str, answers: Sequence[Result], verdict: Verdict) -> int:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        statement = insert(t.review).values(reviewed_at=now_s())
        columns = ("answered", "label", "accepted", "reviewer", "reviewed_at")
        changed = {name: statement.excluded[name] for name in columns}
        with self._database.write() as connection:
            _lock_reviewable(connection, job_id)
            rows = _rows(job_id, _current(connection, job_id, answers), verdict)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["job_id", "item"], set_=changed), rows
            )
        return len(rows)

    def _answers(self, job_id: str, items: Sequence[int]) -> dict[int, Result]:
        """Return the answers for these items, and for some between them, by item."""
        return {
            result["item"]: result
            for run in _runs(items)
            for page in self._jobs.result_pages(job_id, first=run.start, end=run.stop, limit=PAGE)
            for result in page
            if is_answer(result)
        }


def _rows(job_id: str, answers: Sequence[Result], verdict: Verdict) -> list[dict[str, Any]]:
    return [
        {
            "job_id": job_id,
            "item": answer["item"],
            "answered": answer.get("label"),
            "label": answer.get("label") if verdict.accepted else verdict.label,
            "accepted": verdict.accepted,
            "reviewer": verdict.reviewer,
        }
        for answer in answers
    ]


def _current(connection: Connection, job_id: str, answers: Sequence[Result]) -> Sequence[Result]:
    """Return answers of a locked job as they are now: it may have decided again since they were read."""
    if newest_version(connection, job_id) == FIRST:
        return answers
    now: dict[int, Result] = {}
    for run in _runs([answer["item"] for answer in answers]):
        now |= current_results(connection, job_id, run.start, run.stop)
    return [now.get(answer["item"], answer) for answer in answers]


def _lock_reviewable(connection: Connection, job_id: str) -> None:
    """Lock a job, so that it is not deleted meanwhile; raises `job_not_found` or `job_state_invalid`."""
    row = lock_job(connection, job_id)
    if row is None:
        raise job_not_found(job_id)
    _check_reviewable(unpack_job(row))


def _check_reviewable(job: Job) -> None:
    if not KINDS[job.kind].decides:
        raise ExemplarError("job_state_invalid", f"expected a classify job, got one of kind {job.kind.value}")
    if job.smooth and job.state not in FINAL:
        raise ExemplarError(
            "job_state_invalid", "this job smooths its answers when it ends; review them after that"
        )


def _runs(items: Sequence[int]) -> list[range]:
    """Return sorted items as the ranges in which they are read."""
    runs: list[range] = []
    for item in items:
        if runs and item - runs[-1].stop < GAP:
            runs[-1] = range(runs[-1].start, item + 1)
        else:
            runs.append(range(item, item + 1))
    return runs
