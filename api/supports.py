"""Views of supports."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from flask import Response

from api.inputs import SupportChange, SupportQuery
from api.models import SupportModel, SupportPage
from api.pages import read_number
from api.routes import Routes
from api.services import services
from api.thumbnails import SIDE, ThumbnailQuery, encode_thumbnail, show_thumbnail
from core.errors import ExemplarError
from core.label_sets import LabelChange, clean_part
from core.labels import clean_label
from core.where import parse_where
from store.blobs import PICTURES, THUMBNAILS
from store.record.keys import Scope

routes = Routes("supports")


@routes.add("GET", "/collections/<collection>/supports", scope=Scope.CLASSIFY)
def list_supports(collection: str, query: SupportQuery) -> SupportPage:
    """List supports in order of enrolment: those that bear a label and match a filter, or all."""
    label = None if query.label is None else clean_label(query.label, exists=True)
    found = services().store.supports.page(
        collection,
        label=label,
        where=parse_where(query.where),
        after=read_number(query.cursor),
        limit=query.limit,
    )
    return SupportPage.of(found, query.limit, partial(SupportModel.of, collection))


@routes.add("GET", "/collections/<collection>/supports/<id:support_id>", scope=Scope.CLASSIFY)
def get_support(collection: str, support_id: int) -> SupportModel:
    """Show one support."""
    return SupportModel.of(collection, services().store.supports.get(collection, support_id))


@routes.add("PATCH", "/collections/<collection>/supports/<id:support_id>", scope=Scope.ENROLL)
def move_support(collection: str, support_id: int, body: SupportChange) -> SupportModel:
    """Move a support to another class, change its labels, its external id or its metadata."""
    supports = services().store.supports
    if body.said:
        changed = supports.describe(collection, support_id, body.said)
    elif body.label is not None:
        changed = supports.move(collection, support_id, clean_label(body.label))
    else:
        changed = supports.change_labels(collection, support_id, _change(body))
    return SupportModel.of(collection, changed)


def _change(body: SupportChange) -> LabelChange:
    add, remove = (tuple(map(clean_part, labels or ())) for labels in (body.add, body.remove))
    labels = None if body.labels is None else tuple(map(clean_part, body.labels))
    return LabelChange(labels, add, remove, body.complete)


@routes.add("DELETE", "/collections/<collection>/supports/<id:support_id>", scope=Scope.ENROLL, status=204)
def delete_support(collection: str, support_id: int) -> None:
    """Delete a support."""
    services().store.supports.delete(collection, support_id)


@routes.add(
    "GET",
    "/collections/<collection>/supports/<id:support_id>/thumbnail",
    scope=Scope.CLASSIFY,
    media_types=("image/jpeg",),
)
def get_thumbnail(collection: str, support_id: int, query: ThumbnailQuery) -> Response:
    """Show a support's picture as a newly encoded thumbnail."""
    support, blobs = services().store.supports.get(collection, support_id), services().store.blobs
    if query.side > SIDE:
        with suppress(ExemplarError):  # it may have been imported without its picture
            return show_thumbnail(encode_thumbnail(blobs.get(PICTURES, support.picture), query.side))
    return show_thumbnail(blobs.get(THUMBNAILS, support.thumbnail))
