"""Views that take people's reviews of a job's answers."""

from __future__ import annotations

from functools import partial
from typing import Literal

from flask import Response, g
from pydantic import BaseModel, Field, model_validator

from api.inputs import Selection, Strict
from api.models import ResultModel
from api.results import fits, shown
from api.routes import Routes
from api.services import services
from core.errors import ExemplarError
from core.labels import clean_label
from store.record.keys import Scope
from store.work.items import MOST
from store.work.reviews import Verdict

routes = Routes("review")

MAX_REVIEWED = 10_000  # items of one call


class NewReview(Strict):
    """A verdict on an answer: `label` is the right label, or `accepted` says that the answer is right."""

    label: str | None = Field(None, description="The right label; null: none of the classes.")
    accepted: Literal[True] | None = Field(None, description="The answer is right as it stands.")

    @model_validator(mode="after")
    def _check(self) -> NewReview:
        if ("label" in self.model_fields_set) == (self.accepted is True):
            raise ValueError("expected either label or accepted")
        return self

    def verdict(self) -> Verdict:
        """Return it with the caller as the reviewer. Raises as `clean_label` does."""
        label = None if self.label is None else clean_label(self.label)
        key = g.get("key")
        return Verdict("local" if key is None else key.name, label, accepted=self.accepted is True)


class NewReviews(NewReview):
    """A verdict on many answers: those of `items`, or all that match `where`."""

    items: list[int] | None = Field(None, min_length=1, max_length=MAX_REVIEWED)
    where: Selection | None = None

    @model_validator(mode="after")
    def _check_which(self) -> NewReviews:
        if (self.items is None) == (self.where is None):
            raise ValueError("expected either items or where")
        return self


class Unreview(Strict):
    """The items whose reviews are removed."""

    items: list[int] = Field(min_length=1, max_length=MAX_REVIEWED)


class Reviewed(BaseModel):
    """How many answers were reviewed, or how many reviews were removed."""

    reviewed: int


@routes.add(
    "PATCH", "/jobs/<job_id>/items/<id:item>", scope=Scope.CLASSIFY, body=NewReview, answer=ResultModel
)
def review_item(job_id: str, item: int, body: NewReview) -> Response:
    """Review the answer for an item."""
    store = services().store
    store.reviews.set(job_id, [_checked(item)], body.verdict())
    [result] = store.jobs.results(job_id, after=item, limit=1).results
    model = shown(store.jobs.get(job_id), result)
    return Response(model.model_dump_json(exclude_unset=True), content_type="application/json")


@routes.add("DELETE", "/jobs/<job_id>/items/<id:item>", scope=Scope.CLASSIFY, status=204)
def undo_review(job_id: str, item: int) -> Response:
    """Undo the review of an item; its answer is as it was."""
    services().store.reviews.undo(job_id, [_checked(item)])
    return Response(status=204)


@routes.add("POST", "/jobs/<job_id>/review", scope=Scope.CLASSIFY, body=NewReviews, answer=Reviewed)
def review_items(job_id: str, body: NewReviews) -> Reviewed:
    """Review many answers at once."""
    reviews, verdict, where = services().store.reviews, body.verdict(), body.where
    if where is not None:
        return Reviewed(reviewed=reviews.set_where(job_id, partial(fits, wanted=where), verdict))
    items = [_checked(item) for item in body.items or ()]
    return Reviewed(reviewed=reviews.set(job_id, items, verdict))


@routes.add("POST", "/jobs/<job_id>/unreview", scope=Scope.CLASSIFY, body=Unreview, answer=Reviewed)
def undo_reviews(job_id: str, body: Unreview) -> Reviewed:
    """Undo the reviews of many items."""
    items = [_checked(item) for item in body.items]
    return Reviewed(reviewed=services().store.reviews.undo(job_id, items))


def _checked(item: int) -> int:
    if not 0 <= item <= MOST:
        raise ExemplarError("item_not_found", f"expected an item of this job, got {item}; see its results")
    return item
