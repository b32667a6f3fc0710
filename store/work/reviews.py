"""Reviews: people's decisions about the answers of a job, stored next to the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from core.errors import ExemplarError
from core.jobs import FINAL, Job
from core.live_answers import mean_confidence
from core.results import Result, is_answer, label_text
from store import tables as t
from store.clock import now_s
from store.database import Database
from store.record.audit_log import note
from store.record.collections import collection_gone, lock_collection
from store.record.keys import Scope
from store.work.jobs import Jobs
from store.work.kinds import check_decides
from store.work.review_enrolment import (
    NOT_ENROLLED,
    enrolling_reviews,
    kept_columns,
    place_reviewed,
    take_back,
)
from store.work.reviewed import AutomaticReviews, automatic_reviews, count_reviews
from store.work.rows import job_row, require_job, unpack_job
from store.work.submission import Submitted
from store.work.targets import current_results
from store.work.verdicts import Verdict
from store.work.versions import FIRST, newest_version

PAGE = 1000
_COUNT_CALL = (
    update(t.job)
    .where(t.job.c.id == bindparam("of"))
    .values(review_calls=t.job.c.review_calls + 1)
    .returning(t.job.c.review_calls)
)
SHOWN = 100  # items in an entry of the audit log
GAP = 64  # items between two that are read along: a chunk's results are stored as one


@dataclass(frozen=True, slots=True)
class Written:
    """The number of items reviewed, and the job submitted to enrol pictures, if one is needed."""

    reviewed: int
    submitted: Submitted | None = None


class Reviews:
    """The reviews of the record. A review can be given again and undone at any time; the last one counts."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def set(self, job_id: str, items: Sequence[int], verdict: Verdict) -> Written:
        """Review these items.

        Raises `job_not_found`, `job_state_invalid` if the job makes no decisions or will still change them,
        `item_not_found` if an item has no answer, `key_scope_missing` if the reviewer may not change supports
        that a review made, and to enrol what submitting a job raises: all before anything is written.
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
                reviewed += self._write(job_id, fitting, verdict).reviewed
        return reviewed

    def items_where(self, job_id: str, fits: Callable[[Result], bool]) -> list[int]:
        """Return the items of all settled answers that fit. Raises as `set` does."""
        self._check(job_id)
        pages = self._jobs.result_pages(job_id, limit=PAGE)
        return [one["item"] for page in pages for one in page if is_answer(one) and fits(one)]

    def counts(self, job_id: str, version: int | None = None) -> tuple[int, Mapping[str, int]]:
        """Return the number of reviewed items, and by how much reviews change the count of each label."""
        with self._database.read() as connection:
            return count_reviews(connection, job_id, version)

    def automatic(self, collection: str | None = None) -> list[AutomaticReviews]:
        """Return what people said of automatic answers, by collection; none without such reviews."""
        with self._database.read() as connection:
            return automatic_reviews(connection, collection)

    def undo(self, job_id: str, items: Sequence[int], *, may_enroll: bool = True) -> int:
        """Remove the reviews of these items; return how many there were.

        The pictures that they enrolled go back to where they were. Raises `job_not_found`, and
        `key_scope_missing` unless that is allowed.
        """
        wanted = sorted(set(items))
        with self._database.write() as connection:
            collection_id = _lock_reviewable(connection, job_id)
            enrolled = enrolling_reviews(connection, job_id, wanted)
            for item in wanted:
                if item in enrolled:
                    _check_may_enroll(may_enroll)
                    take_back(connection, collection_id, enrolled[item])
            which = (t.review.c.job_id == job_id, t.review.c.item.in_(wanted))
            undone = connection.execute(delete(t.review).where(*which)).rowcount
            if undone:
                _note_review(connection, "review_undone", job_id, wanted)
            return undone

    def _check(self, job_id: str) -> None:
        with self._database.read() as connection:
            _check_reviewable(require_job(connection, job_id))

    def _write(self, job_id: str, answers: Sequence[Result], verdict: Verdict) -> Written:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        statement = insert(t.review).values(reviewed_at=now_s())
        given = ("answered", "label", "accepted", "reviewer", "reviewed_at")
        columns = (*given, "confidence", "automatic", *NOT_ENROLLED)
        changed = {name: statement.excluded[name] for name in columns}
        with self._database.write() as connection:
            collection_id = _lock_reviewable(connection, job_id)
            call = connection.execute(_COUNT_CALL, {"of": job_id}).scalar_one()
            answers = _current(connection, job_id, answers)
            items = [answer["item"] for answer in answers]
            earlier = enrolling_reviews(connection, job_id, items)
            so_far = _labels_so_far(connection, job_id, items) if verdict.add or verdict.remove else {}
            rows = [
                {
                    "job_id": job_id,
                    "item": answer["item"],
                    "answered": label_text(answer),
                    "confidence": mean_confidence(answer),
                    "label": verdict.text(answer, so_far.get(answer["item"], label_text(answer))),
                    "accepted": verdict.accepted,
                    "reviewer": verdict.reviewer,
                    "call": call,
                    "automatic": answer.get("automatic"),
                }
                for answer in answers
            ]
            rows = [
                {**row, **_enrolment(connection, collection_id, earlier.get(row["item"]), row, verdict)}
                for row in rows
            ]
            connection.execute(
                statement.on_conflict_do_update(index_elements=["job_id", "item"], set_=changed), rows
            )
            submitted = self._submit(connection, job_id, rows, answers, verdict)
            _note_review(connection, "reviewed", job_id, items, accepted=verdict.accepted)
        return Written(len(rows), submitted)

    def _submit(
        self,
        connection: Connection,
        job_id: str,
        rows: Sequence[Mapping[str, Any]],
        answers: Sequence[Result],
        verdict: Verdict,
    ) -> Submitted | None:
        """Submit the job that enrols the pictures that are no supports yet; return it, None if all are."""
        if verdict.enrolling is None:
            return None
        new = verdict.enrolling.job_id
        waiting = [
            (answer, row["label"])
            for answer, row in zip(answers, rows, strict=True)
            if row["enroll_job"] == new
        ]
        if not waiting:
            return None
        request = verdict.enrolling.request(require_job(connection, job_id), waiting)
        return self._jobs.submit_within(connection, new, request)

    def _answers(self, job_id: str, items: Sequence[int]) -> dict[int, Result]:
        """Return the answers for these items, and for some between them, by item."""
        return {
            result["item"]: result
            for run in _runs(items)
            for page in self._jobs.result_pages(job_id, first=run.start, end=run.stop, limit=PAGE)
            for result in page
            if is_answer(result)
        }


def _note_review(connection: Connection, kind: str, job_id: str, items: Sequence[int], **more: Any) -> None:
    """Write into the audit log that items of a job were reviewed."""
    name = connection.execute(select(t.job.c.collection_name).where(t.job.c.id == job_id)).scalar()
    first = list(items[:SHOWN])
    details = {"job": job_id, "count": len(items), "items": first, **more}
    note(connection, kind, collection=name, details=details)


def _labels_so_far(connection: Connection, job_id: str, items: Sequence[int]) -> dict[int, str | None]:
    """Return the labels that the reviews of sorted items give, and of some between them."""
    review = t.review.c
    which = (review.job_id == job_id, review.item.between(items[0], items[-1]))
    return {
        row.item: row.label for row in connection.execute(select(review.item, review.label).where(*which))
    }


def _current(connection: Connection, job_id: str, answers: Sequence[Result]) -> Sequence[Result]:
    """Return answers of a locked job as they are now: it may have decided again since they were read."""
    if newest_version(connection, job_id) == FIRST:
        return answers
    now: dict[int, Result] = {}
    for run in _runs([answer["item"] for answer in answers]):
        now |= current_results(connection, job_id, run.start, run.stop)
    return [now.get(answer["item"], answer) for answer in answers]


def _lock_reviewable(connection: Connection, job_id: str) -> int | None:
    """Lock a job's collection and then the job; return the collection's id, None if it is gone.

    Raises `job_not_found` or `job_state_invalid`.
    """
    collection_id = connection.execute(select(t.job.c.collection_id).where(t.job.c.id == job_id)).scalar()
    is_there = collection_id is not None and lock_collection(connection, collection_id) is not None
    _check_reviewable(unpack_job(job_row(connection, job_id, locked=True)))
    return collection_id if is_there else None


def _enrolment(
    connection: Connection,
    collection_id: int | None,
    earlier: Row[Any] | None,
    row: Mapping[str, Any],
    verdict: Verdict,
) -> Mapping[str, Any]:
    """Enrol the picture of a review, or take an earlier enrolment back; return the columns that say so."""
    if verdict.enrolling is not None:
        if collection_id is None:
            raise collection_gone()
        return place_reviewed(
            connection, collection_id, earlier, row["label"], verdict.enrolling, row["item"]
        )
    if earlier is None:
        return NOT_ENROLLED
    if earlier.label == row["label"]:
        return kept_columns(earlier)
    _check_may_enroll(verdict.may_enroll)
    take_back(connection, collection_id, earlier)
    return NOT_ENROLLED


def _check_may_enroll(may_enroll: bool) -> None:
    if not may_enroll:
        raise ExemplarError(
            "key_scope_missing",
            f"this review made an example, and this key lacks the scope {Scope.ENROLL.value!r}",
        )


def _check_reviewable(job: Job) -> None:
    check_decides(job.kind)
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
