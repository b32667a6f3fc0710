"""Views of erasures: pictures and all that was made from them, removed for good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Response, g
from pydantic import BaseModel, Field, model_validator

from api.as_model import as_model
from api.inputs import PageQuery, Strict
from api.links import link
from api.pages import Page, read_cursor
from api.prefer import wait_s
from api.requests import request_id
from api.routes import Routes, as_json
from api.services import services
from core.caller_fields import CallersId
from core.jobs import ErasureState
from core.labels import clean_label
from store.erasure.erasures import Erasure
from store.erasure.targets import Wanted
from store.queue.wake_ups import Part
from store.record.keys import Scope
from store.record.supports import MAX_ID

routes = Routes("erasures")

WAIT_S = 5.0  # if the caller does not say
LOOK_S = 0.1  # between two looks into the record
MOST_SUPPORTS = 1000

DRY_RUN = Field(False, strict=True, description="Only count what would be erased.")


class NewErasure(Strict):
    """What to erase from a collection: supports, all with an external id, or a class with its supports."""

    support_ids: list[int] | None = Field(None, min_length=1, max_length=MOST_SUPPORTS)
    external_id: CallersId | None = None
    label: str | None = Field(None, description="A class; or a label, with all supports that bear it.")
    dry_run: bool = DRY_RUN

    @model_validator(mode="after")
    def _check(self) -> NewErasure:
        if sum(one is not None for one in (self.support_ids, self.external_id, self.label)) != 1:
            raise ValueError("expected exactly one of support_ids, external_id and label")
        if any(not 0 < one <= MAX_ID for one in self.support_ids or ()):
            raise ValueError("expected positive support_ids")
        return self


class NewErasureAnywhere(Strict):
    """An external id to erase from every collection that the key may reach."""

    external_id: CallersId
    dry_run: bool = DRY_RUN


class ErasureModel(BaseModel):
    """The receipt of an erasure. It does not say whose pictures these were."""

    id: str | None = Field(description="Null of a dry run, of which no receipt is kept.")
    at: datetime
    finished_at: datetime | None
    state: ErasureState
    by: str = Field(description="The id of the key, or `local`.")
    request_id: str | None
    collections: list[str] | None = Field(description="Where; null for everywhere.")
    kind: str = Field(description="What was named: `support_ids`, `external_id` or `label`.")
    counts: dict[str, int] = Field(
        description="What was erased: `supports`, `pictures`, `thumbnails`, `items` of jobs, their "
        "`vectors`, `reviews`, `past_answers` and `uploads`, whole `reports`, and `shown`: supports named to "
        "other items."
    )
    elsewhere: list[str] = Field(
        description="Digests of pictures that stay, since another support or waiting work has them too."
    )
    unread: list[str] = Field(
        description="Jobs whose uploads were not read to the end when it began: erase again once they are."
    )
    complete: bool = Field(description="Whether it is done and nothing stays.")
    links: dict[str, str]

    @classmethod
    def of(cls, erasure: Erasure) -> ErasureModel:
        links = {"self": link(f"/v1/erasures/{erasure.id}")}
        return as_model(cls, erasure, by=erasure.key_id, complete=erasure.is_complete, links=links)


class ErasurePage(Page[ErasureModel]):
    """Receipts, newest first."""


@routes.add("POST", "/collections/<collection>/erase", scope=Scope.ADMIN, answer=ErasureModel, status=202)
def erase(collection: str, body: NewErasure) -> Response:
    """Erase supports, with their pictures and everything that was made from them, for good."""
    label = None if body.label is None else clean_label(body.label, exists=True)
    wanted = Wanted(tuple(dict.fromkeys(body.support_ids or ())), body.external_id, label)
    return _erase(wanted, [collection], dry_run=body.dry_run)


@routes.add("POST", "/erase", scope=Scope.ADMIN, answer=ErasureModel, status=202)
def erase_anywhere(body: NewErasureAnywhere) -> Response:
    """Erase everything with an external id from all collections that the key may reach, for good."""
    names = None if g.collections is None else _there(sorted(g.collections))
    return _erase(Wanted(external_id=body.external_id), names, dry_run=body.dry_run)


@routes.add("GET", "/erasures", scope=Scope.ADMIN)
def list_erasures(query: PageQuery) -> ErasurePage:
    """List the receipts of erasures, newest first."""
    found = services().store.erasures.page(
        before=read_cursor(query.cursor), limit=query.limit, among=g.collections
    )
    return ErasurePage.of(found, query.limit, ErasureModel.of)


@routes.add("GET", "/erasures/<erasure_id>", scope=Scope.ADMIN)
def get_erasure(erasure_id: str) -> ErasureModel:
    """Show the receipt of an erasure."""
    return ErasureModel.of(services().store.erasures.get(erasure_id, g.collections))


def _there(names: Sequence[str]) -> list[str]:
    """Return those names that are collections; a key may be for one that is not there yet."""
    return [one.name for one in services().store.collections.page(among=frozenset(names), limit=len(names))]


def _erase(wanted: Wanted, names: Sequence[str] | None, *, dry_run: bool) -> Response:
    erasures, wake_ups = services().store.erasures, services().store.wake_ups
    if dry_run:
        return as_json(_foretold(wanted, names), 202)
    begun = erasures.begin(wanted, names, key_id=g.caller, request_id=request_id())
    wake_ups.send_to(Part.ERASURES)
    until = time.monotonic() + wait_s(WAIT_S)
    while begun.state is ErasureState.RUNNING and time.monotonic() < until:
        time.sleep(LOOK_S)
        begun = erasures.get(begun.id)
    response = as_json(ErasureModel.of(begun), 202)
    response.headers["Location"] = link(f"/v1/erasures/{begun.id}")
    return response


def _foretold(wanted: Wanted, names: Sequence[str] | None) -> ErasureModel:
    return ErasureModel(
        id=None,
        at=datetime.now(UTC),
        finished_at=None,
        state=ErasureState.DONE,
        by=g.caller,
        request_id=request_id(),
        collections=None if names is None else list(names),
        kind=wanted.kind,
        counts=dict(services().store.erasures.foretell(wanted, names)),
        elsewhere=[],
        unread=[],
        complete=False,
        links={},
    )
