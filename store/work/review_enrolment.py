"""Enrolment by review: the picture of a reviewed item becomes a support of the class it was given.

Where pictures may have several labels, that is the complete set of those it gives: a review states all.

A review remembers the support that it made or moved, and the classes that had the picture before. A picture
that is a support already is moved with the review; for any other the review submits a job, in the same
transaction. When that job settles, it enrols what its reviews still ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select, update

from core.collections import ChangeKind, Labels
from core.errors import ExemplarError
from core.jobs import FINAL, Chunk, Item, Job, JobKind, JobRequest, Lane, Origin
from core.label_sets import LabelSet, clean_label_set
from core.labels import unpack_labels
from core.results import Result, done_result, failed_result
from store import tables as t
from store.record.change_log import Made
from store.record.class_rows import add_class, find_class, resolve_label
from store.record.collections import lock_collection, set_version
from store.record.enrolment import Enrolment, enroll
from store.record.label_sets import SetWriter
from store.record.placements import Placement, is_in_place, owners_of, place, put_back

NOT_ENROLLED: Mapping[str, Any] = {
    "enroll": False,
    "enroll_job": None,
    "support_id": None,
    "class_id": None,
    "before": None,
}
"""The columns of a review that enrols nothing."""


@dataclass(frozen=True, slots=True)
class Enrolling:
    """The job that enrols the pictures of reviews, and those pictures, already stored, by item."""

    job_id: str
    pictures: Mapping[int, str]
    lane: Lane
    labels: Labels = Labels.ONE
    """How many labels the collection gives a picture."""
    origin: Origin | None = None

    def request(self, reviewed: Job, given: Sequence[tuple[Result, str]]) -> JobRequest:
        """Return the job for these answers of a reviewed job, each with what its review gives."""
        items = [
            Item(
                index=index,
                picture=self.pictures[answer["item"]],
                custom_id=str(answer["item"]),
                external_id=answer.get("custom_id"),
                **self._said(text),
            )
            for index, (answer, text) in enumerate(given)
        ]
        return JobRequest(
            reviewed.collection, JobKind.ENROLL, self.lane, items, origin=self.origin, target=reviewed.id
        )

    def _said(self, text: str) -> dict[str, Any]:
        if self.labels is Labels.ONE:
            return {"label": text}
        return {"labels": all_labels(text).labels, "complete": True}


def all_labels(text: str) -> LabelSet:
    """Return the labels that a review gives, which are all; raises as `clean_label_set` does."""
    return clean_label_set(unpack_labels(text), complete=True)


def enrolling_reviews(connection: Connection, job_id: str, items: Sequence[int]) -> dict[int, Row[Any]]:
    """Return the reviews of these sorted items, and of some between them, that enrol their picture."""
    review = t.review.c
    which = (review.job_id == job_id, review.item.between(items[0], items[-1]), review.enroll)
    return {row.item: row for row in connection.execute(select(t.review).where(*which))}


def place_reviewed(
    connection: Connection,
    collection_id: int,
    row: Row[Any] | None,
    label: str,
    enrolling: Enrolling,
    item: int,
) -> dict[str, Any]:
    """Put the picture of an item into a class of a locked collection; return the columns of its review.

    `label` is what the review gives, maybe several labels as one text. Without a `support_id`, `enroll_job`
    is the job that has to enrol it: a new one or an earlier one.
    """
    if row is not None and row.label == label and _is_under_way(connection, row):
        return kept_columns(row)
    picture = enrolling.pictures[item]
    if not owners_of(connection, collection_id, picture):
        return {**NOT_ENROLLED, "enroll": True, "enroll_job": enrolling.job_id}
    class_id = _find_or_make(connection, collection_id, label, enrolling.labels)
    earlier = None if row is None else _own(connection, row)
    return _columns(place(connection, collection_id, picture, class_id, earlier), enroll_job=None)


def kept_columns(row: Row[Any]) -> dict[str, Any]:
    """Return the columns of a review that say what it enrols, as they are."""
    return {name: getattr(row, name) for name in NOT_ENROLLED}


def take_back(connection: Connection, collection_id: int | None, row: Row[Any]) -> None:
    """Put the picture of a review that is undone back into the classes that had it before."""
    placement = _own(connection, row)
    if placement is not None and collection_id is not None:
        put_back(connection, collection_id, placement)


def enroll_reviewed(
    connection: Connection, chunk: Chunk, outcomes: Sequence[Result | Enrolment]
) -> list[Result]:
    """Enrol the pictures of a chunk whose reviews still ask for it, and return a result for each item."""
    version = None if chunk.collection_id is None else lock_collection(connection, chunk.collection_id)
    if version is None or chunk.collection_id is None:
        return enroll(connection, chunk, outcomes)
    return [
        _enroll_one(connection, chunk, chunk.collection_id, one) if isinstance(one, Enrolment) else one
        for one in outcomes
    ]


def _enroll_one(connection: Connection, chunk: Chunk, collection_id: int, one: Enrolment) -> Result:
    review, item = t.review.c, one.item
    asks = (
        (review.job_id == chunk.target)
        & (review.item == int(item.custom_id or -1))
        & (review.enroll_job == chunk.job_id)
    )
    if connection.execute(select(review.item).where(asks)).first() is None:
        return failed_result(item, _changed())
    try:
        class_id, said = _class_of(connection, collection_id, item, chunk.submitted_version)
    except ExemplarError as error:
        return failed_result(item, error)
    picture = item.picture or ""
    if not owners_of(connection, collection_id, picture):
        [result] = enroll(connection, chunk, [one])
        placement = Placement(result["support_id"], class_id)
    else:
        placement = place(connection, collection_id, picture, class_id)
        version = lock_collection(connection, collection_id)
        made = {"support_id": placement.support_id, **said, "duplicate_of": placement.support_id}
        duplicate = {"duplicate_label": said["label"]} if "label" in said else {}
        result = done_result(item, {**made, **duplicate, "index_version": version})
    connection.execute(update(t.review).where(asks).values(_columns(placement, enroll_job=chunk.job_id)))
    return result


def _class_of(
    connection: Connection, collection_id: int, item: Item, version: int
) -> tuple[int, dict[str, Any]]:
    """Return the class of an item accepted at a version, and how a result names it."""
    if item.labels is not None:
        set_id, labels = _set_of(connection, collection_id, LabelSet(item.labels, item.complete), version)
        return set_id, {"labels": list(labels.labels), "complete": labels.complete}
    label = item.label or ""
    found = resolve_label(connection, collection_id, label, version)
    if found is None:
        found = _add_class(connection, collection_id, label), label
    return found[0], {"label": found[1]}


def _find_or_make(connection: Connection, collection_id: int, text: str, labels: Labels) -> int:
    """Return the class that a review gives now."""
    if labels is Labels.MANY:
        version = lock_collection(connection, collection_id) or 0
        return _set_of(connection, collection_id, all_labels(text), version)[0]
    found = find_class(connection, collection_id, text)
    return _add_class(connection, collection_id, text) if found is None else found


def _set_of(
    connection: Connection, collection_id: int, labels: LabelSet, version: int
) -> tuple[int, LabelSet]:
    """Return the label set of labels given at a version, and its labels as they are now."""
    seq = (lock_collection(connection, collection_id) or 0) + 1
    writer = SetWriter(connection, collection_id, version)
    set_id = writer.find_or_make(writer.members(labels, seq), seq)
    labels = writer.labels_of(set_id)
    set_version(connection, collection_id, seq, Made(ChangeKind.CLASS_ADDED, {"labels": labels.labels}))
    return set_id, labels


def _add_class(connection: Connection, collection_id: int, label: str) -> int:
    version = (lock_collection(connection, collection_id) or 0) + 1
    set_version(connection, collection_id, version, Made(ChangeKind.CLASS_ADDED, {"label": label}))
    return add_class(connection, collection_id, label, version)


def _columns(placement: Placement, *, enroll_job: str | None) -> dict[str, Any]:
    return {
        "enroll": True,
        "enroll_job": enroll_job,
        "support_id": placement.support_id,
        "class_id": placement.class_id,
        "before": list(placement.before),
    }


def _placement(row: Row[Any]) -> Placement | None:
    if row.support_id is None:
        return None
    return Placement(row.support_id, row.class_id, tuple(row.before))


def _is_under_way(connection: Connection, row: Row[Any]) -> bool:
    """Return whether a picture is where its review wants it, or a job is still to put it there."""
    placement = _placement(row)
    if placement is not None:
        return is_in_place(connection, placement)
    state = connection.execute(select(t.job.c.state).where(t.job.c.id == row.enroll_job)).scalar()
    return state is not None and state not in FINAL


def _own(connection: Connection, row: Row[Any]) -> Placement | None:
    """Return what a review placed, None if another review of the same picture builds on that.

    The other one then takes over the classes that had the picture before.
    """
    placement, review = _placement(row), t.review.c
    if placement is None:
        return None
    others = connection.execute(
        select(t.review)
        .where(review.support_id == placement.support_id)
        .where((review.job_id != row.job_id) | (review.item != row.item))
        .order_by(review.job_id, review.item)
    )
    for other in others:
        if placement.class_id in other.before:
            before = {*other.before} - {placement.class_id} | {*placement.before}
            connection.execute(
                update(t.review)
                .where(review.job_id == other.job_id, review.item == other.item)
                .values(before=sorted(before))
            )
            return None
    return placement


def _changed() -> ExemplarError:
    return ExemplarError("review_changed", "the review was undone or changed before its picture was enrolled")
