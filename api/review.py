"""Views that take people's reviews of a job's answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal, Self

from flask import Response, g
from pydantic import BaseModel, Field, model_validator

from api.auth import check_key, may_only_contribute
from api.inputs import Selection, Strict
from api.models import ResultModel
from api.prefer import wait_s
from api.requests import origin_of
from api.results import fits, shown
from api.routes import Routes, as_json
from api.services import check_offered, services
from core.actor import LOCAL
from core.collections import Labels
from core.errors import ExemplarError
from core.jobs import JobKind, Lane
from core.labels import clean_label
from store.record.keys import Scope
from store.work.items import MOST, keep_pictures
from store.work.jobs import new_job_id
from store.work.review_enrolment import Enrolling
from store.work.verdicts import Verdict

routes = Routes("review")

MAX_REVIEWED = 10_000  # items of one call
MAX_ENROLLED = 1_000  # of those, with their pictures, which are read within the call


class NewReview(Strict):
    """A verdict on an answer: `label` is the right label, or `accepted` says that the answer is right.

    Where pictures have several labels, `labels` are all of them, or `add` and `remove` change some.
    """

    label: str | None = Field(None, description="The right label; null: none of the classes.")
    labels: list[str] | None = Field(None, description="All right labels; an empty list: none of them.")
    add: list[str] = Field(default=[], description="Labels that it has besides those so far.")
    remove: list[str] = Field(default=[], description="Labels of those so far that it does not have.")
    accepted: Literal[True] | None = Field(None, description="The answer is right as it stands.")
    enroll: bool = Field(
        False,
        description="Also make the picture a support of the label; one of another class is moved. Where "
        "pictures have several labels, those that it then has are all of them. Undoing the review, or giving "
        "another label, puts it back.",
    )

    @model_validator(mode="after")
    def _check(self) -> NewReview:
        ways = ("label" in self.model_fields_set, self.labels is not None, self.accepted is True)
        if sum((*ways, bool(self.add or self.remove))) != 1:
            raise ValueError("expected one of label, labels, accepted, or add and remove")
        return self

    def verdict(self) -> Verdict:
        """Return it with the caller as the reviewer. Raises as `clean_label` does."""
        key = g.get("key")
        return Verdict(
            LOCAL if key is None else key.name,
            None if self.label is None else clean_label(self.label),
            accepted=self.accepted is True,
            labels=None if self.labels is None else tuple(map(clean_label, self.labels)),
            add=frozenset(map(clean_label, self.add)),
            remove=frozenset(map(clean_label, self.remove)),
            may_enroll=not may_only_contribute(),
        )


class Which(Strict):
    """The answers of `items`, or all that match `where`."""

    items: list[int] | None = Field(None, min_length=1, max_length=MAX_REVIEWED)
    where: Selection | None = None

    @model_validator(mode="after")
    def _check_which(self) -> Self:
        if (self.items is None) == (self.where is None):
            raise ValueError("expected either items or where")
        return self


class NewReviews(NewReview, Which):
    """A verdict on many answers: those of `items`, or all that match `where`."""


class Unreview(Which):
    """The items whose reviews are removed, or a selection of them."""


class Reviewed(BaseModel):
    """How many answers were reviewed, or how many reviews were removed."""

    reviewed: int


class ReviewedItems(Reviewed):
    """How many answers were reviewed, and what makes their pictures supports."""

    enroll_job: Annotated[
        str | None, Field(description="The job that enrols their pictures, if one is needed.")
    ] = None


@routes.add("PATCH", "/jobs/<job_id>/items/<id:item>", scope=Scope.CLASSIFY, answer=ResultModel)
def review_item(job_id: str, item: int, body: NewReview) -> Response:
    """Review the answer for an item."""
    _write(job_id, [_checked(item)], body)
    store = services().store
    [result] = store.jobs.results(job_id, after=item, limit=1).results
    model = shown(store.jobs.get(job_id), result)
    return as_json(model, exclude_unset=True)


@routes.add("DELETE", "/jobs/<job_id>/items/<id:item>", scope=Scope.CLASSIFY, status=204)
def undo_review(job_id: str, item: int) -> None:
    """Undo the review of an item; its answer is as it was."""
    services().store.reviews.undo(job_id, [_checked(item)], may_enroll=not may_only_contribute())


@routes.add("POST", "/jobs/<job_id>/review", scope=Scope.CLASSIFY)
def review_items(job_id: str, body: NewReviews) -> ReviewedItems:
    """Review many answers at once."""
    if body.where is None:
        return _write(job_id, [_checked(item) for item in body.items or ()], body)
    reviews, wanted = services().store.reviews, partial(fits, wanted=body.where)
    if not body.enroll:
        return ReviewedItems(reviewed=reviews.set_where(job_id, wanted, body.verdict()))
    items = reviews.items_where(job_id, wanted)
    return _write(job_id, items, body) if items else ReviewedItems(reviewed=0)


@routes.add("POST", "/jobs/<job_id>/unreview", scope=Scope.CLASSIFY)
def undo_reviews(job_id: str, body: Unreview) -> Reviewed:
    """Undo the reviews of many items."""
    reviews = services().store.reviews
    if body.where is None:
        items = [_checked(item) for item in body.items or ()]
    else:
        where = body.where.model_copy(update={"reviewed": True})
        items = reviews.items_where(job_id, partial(fits, wanted=where))
    parts = [items[start : start + MAX_REVIEWED] for start in range(0, len(items), MAX_REVIEWED)]
    may_enroll = not may_only_contribute()
    return Reviewed(reviewed=sum(reviews.undo(job_id, part, may_enroll=may_enroll) for part in parts))


def _write(job_id: str, items: Sequence[int], body: NewReview) -> ReviewedItems:
    """Review items; to enrol their pictures too, wait for that as long as the caller prefers."""
    here, verdict = services(), body.verdict()
    if body.enroll:
        check_key(Scope.ENROLL)
        verdict = replace(verdict, enrolling=_enrolling(job_id, items, body))
    written = here.store.reviews.set(job_id, items, verdict)
    submitted = written.submitted
    if submitted is None:
        return ReviewedItems(reviewed=written.reviewed)
    here.store.wake_ups.send(submitted.job.lane, submitted.encoder)
    if wait_s() > 0:
        here.watch.wait(submitted.job.id, wait_s())
    return ReviewedItems(reviewed=written.reviewed, enroll_job=submitted.job.id)


def _enrolling(job_id: str, items: Sequence[int], body: NewReview) -> Enrolling:
    """Keep the pictures of items for supports. Raises as `keep_pictures` does, or `items_too_many`."""
    here = services()
    if len(items) > MAX_ENROLLED:
        raise ExemplarError(
            "items_too_many", f"expected at most {MAX_ENROLLED} items to enrol at once, got {len(items)}"
        )
    collection = here.store.collections.find(here.store.jobs.get(job_id).collection)
    if collection.labels is Labels.ONE and body.label is None:
        raise ExemplarError("request_invalid", "enroll: expected a label with it")
    check_offered(collection.encoder)
    pictures = keep_pictures(here.store.database, here.store.blobs, here.settings, job_id, items)
    lane = Lane.INTERACTIVE if len(pictures) <= here.settings.interactive_items else Lane.BULK
    new = new_job_id()
    return Enrolling(new, pictures, lane, collection.labels, origin_of(new, JobKind.ENROLL))


def _checked(item: int) -> int:
    if not 0 <= item <= MOST:
        raise ExemplarError("item_not_found", f"expected an item of this job, got {item}; see its results")
    return item
