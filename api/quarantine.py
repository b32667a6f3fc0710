"""Views of the quarantine: what contributors enrolled, its effect, and the owner's decision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Literal

from flask import Response, g
from pydantic import BaseModel, Field, model_validator

from api.as_model import as_model
from api.auth import may_only_contribute
from api.inputs import PageQuery, Strict
from api.links import link
from api.made import make
from api.models import FindingModel
from api.pages import Page, read_number
from api.prefer import accepted
from api.routes import Routes, as_json
from api.services import check_offered, services
from api.thumbnails import SIDE, ThumbnailQuery, encode_thumbnail, show_thumbnail
from core.collections import Labels
from core.errors import ExemplarError
from core.jobs import Item, Job, JobKind, JobRequest, Lane, QuarantineState
from core.label_sets import unsupported
from core.labels import clean_label
from core.report import Effect
from store.blobs import PICTURES, THUMBNAILS
from store.record.contributions import Contribution, Which
from store.record.keys import Scope
from store.record.quarantine import Decided
from store.record.supports import MAX_ID

routes = Routes("quarantine")

MOST_IDS = 1000
PATH = "/collections/<collection>/quarantine"


class WhichQuery(Strict):
    """A selection of contributions that wait: all, those of a key, or those with a label."""

    key: str | None = Field(None, description="Only those of the key with this id.")
    label: str | None = Field(None, description="Only those with this label, and no other.")


class ContributionQuery(PageQuery, WhichQuery):
    """A selection of contributions."""

    state: QuarantineState | Literal["all"] = QuarantineState.WAITING


class Decision(WhichQuery):
    """The contributions to decide: these, or a selection. An empty one is all that wait."""

    ids: list[int] | None = Field(None, min_length=1, max_length=MOST_IDS)

    @model_validator(mode="after")
    def _check(self) -> Decision:
        if any(not 0 < one <= MAX_ID for one in self.ids or ()):
            raise ValueError("expected positive ids")
        return self


class ContributedModel(BaseModel):
    """A picture that a key with the scope `contribute` enrolled."""

    id: int
    state: QuarantineState
    label: str | None = Field(description="Null if a picture may have several: then see `labels`.")
    labels: list[str] | None
    complete: bool | None
    external_id: str | None
    metadata: dict[str, Any]
    findings: list[FindingModel] = Field(description="What was found wrong with it when it came.")
    key: str = Field(description="The id of the key that contributed it.")
    key_name: str
    request_id: str | None
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    support_id: int | None = Field(description="The support that it became.")
    thumbnail: str | None = Field(description="Null of a refused one, of which nothing is kept.")

    @classmethod
    def of(cls, collection: str, labels: Labels, one: Contribution) -> ContributedModel:
        several = labels is Labels.MANY
        thumbnail = link(f"/v1/collections/{collection}/quarantine/{one.id}/thumbnail")
        return as_model(
            cls,
            one,
            label=None if several else next(iter(one.labels.labels), None),
            labels=one.labels.labels if several else None,
            complete=one.labels.complete if several else None,
            findings=one.findings or (),
            key=one.key_id,
            thumbnail=thumbnail if one.thumbnail else None,
        )


class ContributedPage(Page[ContributedModel]):
    """Contributions in the order in which they came."""


class DecidedModel(BaseModel):
    """What a decision did."""

    decided: int
    waiting: int = Field(description="Of the selection, those that still wait: decide again.")
    support_ids: list[int] = Field(description="The supports that accepted ones became.")


@routes.add("GET", PATH, scope=Scope.CONTRIBUTE)
def list_contributions(collection: str, query: ContributionQuery) -> ContributedPage:
    """List contributed pictures; a key that may only contribute sees its own."""
    labels = services().store.collections.find(collection).labels
    state = None if query.state == "all" else query.state
    found = services().store.quarantine.page(
        collection, _which(query, state=state), after=read_number(query.cursor), limit=query.limit
    )
    return ContributedPage.of(found, query.limit, partial(ContributedModel.of, collection, labels))


@routes.add(
    "GET", PATH + "/<id:contribution_id>/thumbnail", scope=Scope.CONTRIBUTE, media_types=("image/jpeg",)
)
def get_contribution_thumbnail(collection: str, contribution_id: int, query: ThumbnailQuery) -> Response:
    """Show a contributed picture as a newly encoded thumbnail."""
    store = services().store
    one = store.quarantine.get(collection, contribution_id, key=_own())
    if query.side > SIDE:
        return show_thumbnail(encode_thumbnail(store.blobs.get(PICTURES, one.picture), query.side))
    return show_thumbnail(store.blobs.get(THUMBNAILS, one.thumbnail))


@routes.add("GET", PATH + "/effect", scope=Scope.ENROLL, answer=Effect, may_wait=True)
def get_effect(collection: str, query: WhichQuery) -> Response:
    """Report how accuracy on the collection's own supports would change with what was contributed."""
    found = services().store.collections.find(collection)
    if found.labels is Labels.MANY:
        raise unsupported("effect")
    check_offered(found.encoder)
    options = {"effect_of": {"key": query.key, "label": _label(query)}}
    seen = services().store.quarantine.last_change(found.id)
    key = f"effect:{found.id}:{found.version}:{found.rule}:{seen}:{json.dumps(options)}"
    asked = JobRequest(found.name, JobKind.REPORT, Lane.INTERACTIVE, [Item(0)], options=options)
    made = make(asked, key)
    return accepted(made) if isinstance(made, Job) else as_json(Effect.model_validate(made["effect"]))


@routes.add("POST", PATH + "/accept", scope=Scope.ENROLL)
def accept_contributions(collection: str, body: Decision) -> DecidedModel:
    """Make contributed pictures supports, all as one change."""
    return _decided(services().store.quarantine.accept(collection, _which(body, body.ids)))


@routes.add("POST", PATH + "/refuse", scope=Scope.ENROLL)
def refuse_contributions(collection: str, body: Decision) -> DecidedModel:
    """Refuse contributed pictures, which deletes them."""
    made = services().store.quarantine.refuse(collection, _which(body, body.ids))
    blobs = services().store.blobs
    with suppress(ExemplarError):  # what is left is found by `exemplar doctor`
        for folder, names in ((PICTURES, made.pictures), (THUMBNAILS, made.thumbnails)):
            for name in names:
                blobs.remove(folder, name)
    return _decided(made)


def _own() -> str | None:
    """Return the key whose contributions the caller sees; None for all."""
    return str(g.key.id) if may_only_contribute() else None


def _which(
    query: WhichQuery,
    ids: Sequence[int] | None = None,
    *,
    state: QuarantineState | None = QuarantineState.WAITING,
) -> Which:
    own = _own()
    if own is not None and query.key not in (None, own):
        raise ExemplarError("key_scope_missing", "this key sees its own contributions only")
    return Which(None if ids is None else tuple(ids), own or query.key, _label(query), state)


def _label(query: WhichQuery) -> str | None:
    return None if query.label is None else clean_label(query.label, exists=True)


def _decided(made: Decided) -> DecidedModel:
    ids = [result["support_id"] for result in made.results if result["status"] == "done"]
    return DecidedModel(decided=made.decided, waiting=made.waiting, support_ids=sorted(set(ids)))
