"""Views of the audit log, which only grows."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice
from typing import Any

from flask import Response, g, request
from pydantic import BaseModel, Field

from api.as_model import as_model
from api.inputs import PageQuery
from api.pages import Page, read_number
from api.routes import Routes, as_json
from api.services import services
from core.errors import ExemplarError
from store.record.audit_log import Period
from store.record.collections import collection_not_found
from store.record.keys import Scope

routes = Routes("audit")

NDJSON = "application/x-ndjson"


class AuditQuery(PageQuery):
    """A selection of entries."""

    collection: str | None = Field(None, description="Only those of a collection; it may be deleted by now.")
    since: datetime | None = Field(None, description="Only those from this time on; UTC unless it says.")
    until: datetime | None = Field(None, description="Only those before this time.")


class AuditEntry(BaseModel):
    """What was done, by whom and when."""

    id: int
    at: datetime
    kind: str
    collection: str | None = Field(description="The collection's name at that time.")
    from_version: int | None = Field(description="The collection's version before, of what changes it.")
    version: int | None = Field(description="The collection's version since.")
    actor: str | None = Field(description="The id of the key; null for callers without one.")
    actor_name: str = Field(description="The name of the key, `local`, `operator` or `service`.")
    request_id: str | None
    job_id: str | None
    details: dict[str, Any]


class AuditEntryPage(Page[AuditEntry]):
    """Entries, oldest first."""


@routes.add(
    "GET",
    "/audit",
    scope=Scope.ADMIN,
    answer=AuditEntryPage,
    media_types=("application/json", NDJSON),
    note=" As NDJSON it is the whole selection; `cursor` and `limit` are of JSON.",
)
def get_audit(query: AuditQuery) -> Response:
    """Show who changed what and when, oldest first, as pages of JSON or all of it as NDJSON."""
    if g.collections is not None and query.collection is not None and query.collection not in g.collections:
        raise collection_not_found(query.collection)
    period = Period(query.collection, _seconds(query.since), _seconds(query.until), g.collections)
    if request.accept_mimetypes.best_match(["application/json", NDJSON]) == NDJSON:
        return _stream(period)
    found = services().store.audit.page(period, after=read_number(query.cursor), limit=query.limit)
    return as_json(AuditEntryPage.of(found, query.limit, partial(as_model, AuditEntry)))


def _stream(period: Period) -> Response:
    streams, entries = services().streams, services().store.audit.entries(period)
    first = list(islice(entries, 1))  # an unavailable record is an error, not half an answer
    lines = (as_model(AuditEntry, entry).model_dump_json() + "\n" for entry in chain(first, entries))
    streams.take()
    return streams.hold_for(Response(lines, content_type=NDJSON))


def _seconds(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError) as error:
        raise ExemplarError("request_invalid", f"expected a time after year 1, got {moment}") from error
