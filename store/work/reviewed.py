"""Results together with the reviews of their items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, case, func, select

from core.jobs import Job
from core.labels import unpack_labels
from core.results import Result, has_several, is_answer, label_text
from store import tables as t
from store.work.kinds import KINDS
from store.work.versions import past_between


def with_reviews(connection: Connection, job: Job, results: Sequence[Result]) -> list[Result]:
    """Return results of a job with `final_label`, `reviewed` and, where there is one, `review`."""
    if not KINDS[job.kind].decides or not results:
        return list(results)
    review = t.review.c
    items = [result["item"] for result in results]
    is_dense = items[-1] - items[0] < 2 * len(items)
    which = review.item.between(items[0], items[-1]) if is_dense else review.item.in_(items)
    rows = connection.execute(select(t.review).where(review.job_id == job.id, which))
    found = {row.item: row for row in rows}
    return [_with_review(result, found.get(result["item"])) for result in results]


def count_reviews(
    connection: Connection, job_id: str, version: int | None = None
) -> tuple[int, Mapping[str, int]]:
    """Return the number of reviewed items, and by how much they change the count of each label.

    The counts are those of a version of the answers, or of the newest.
    """
    review = t.review.c
    statement = (
        select(review.answered, review.label, func.count().label("items"))
        .where(review.job_id == job_id)
        .group_by(review.answered, review.label)
    )
    reviewed, change = 0, Counter[str]()
    for row in connection.execute(statement):
        reviewed += row.items
        _move(change, row.answered, row.label, row.items)
    if version is not None and reviewed:
        items = {
            row.item: row.answered
            for row in connection.execute(select(review.item, review.answered).where(review.job_id == job_id))
        }
        past = past_between(connection, job_id, version, min(items), max(items) + 1)
        for item, answered in items.items():
            if item in past:
                _move(change, label_text(past[item]), answered, 1)
    return reviewed, change


@dataclass(frozen=True, slots=True)
class AutomaticReviews:
    """How many answers that needed no person have been reviewed all the same, and how many were wrong."""

    collection: str
    answers: int
    wrong: int


def automatic_reviews(connection: Connection, collection: str | None = None) -> list[AutomaticReviews]:
    """Return the counts of each collection, or of one, over the jobs that are kept; none without reviews."""
    review, job = t.review.c, t.job.c
    is_wrong = case((review.label.is_distinct_from(review.answered), 1), else_=0)
    statement = (
        select(job.collection_name, func.count().label("answers"), func.sum(is_wrong).label("wrong"))
        .join(t.job, job.id == review.job_id)
        .where(review.automatic, job.collection_id.is_not(None))
        .group_by(job.collection_name)
        .order_by(job.collection_name)
    )
    if collection is not None:
        statement = statement.where(job.collection_name == collection)
    rows = connection.execute(statement)
    return [AutomaticReviews(row.collection_name, row.answers, int(row.wrong)) for row in rows]


def _move(change: Counter[str], before: str | None, after: str | None, items: int) -> None:
    for text, sign in ((before, -1), (after, 1)):
        for label in unpack_labels(text):
            change[label] += sign * items


def _with_review(result: Result, row: Any) -> Result:
    if not is_answer(result):
        return result
    if row is None:
        return {**result, **final_labels(result, label_text(result)), "reviewed": False}
    given = unpack_labels(row.label)
    review = {
        **({"labels": list(given)} if has_several(result) else {"label": row.label}),
        "accepted": row.accepted,
        "by": row.reviewer,
        "at": datetime.fromtimestamp(row.reviewed_at, UTC).isoformat(),
    }
    if row.enroll:
        review |= {"enroll": True, "enroll_job": row.enroll_job, "support_id": row.support_id}
    return {**result, **final_labels(result, row.label), "reviewed": True, "review": review}


def final_labels(answer: Result, text: str | None) -> dict[str, Any]:
    """Return the field of an answer with its final labels, given as `label_text` makes them."""
    if has_several(answer):
        return {"final_labels": list(unpack_labels(text))}
    return {"final_label": text}
