"""Versions of collections in requests: by number, or by name, which only this place resolves."""

from __future__ import annotations

from typing import Annotated, Any

from flask import request
from pydantic import BeforeValidator, Field, WithJsonSchema

from api.services import services
from core.errors import ExemplarError
from core.labels import MAX_LABEL
from store.record.supports import MAX_ID


def resolve_version(collection: str, version: str) -> int:
    """Return the number of a version that is given by number or by name."""
    if version.isascii() and version.isdigit():
        if int(version) > MAX_ID:
            raise ExemplarError("version_invalid", f"expected a version, got {version[:40]}")
        return int(version)
    return services().store.version_names.resolve(collection, version)


def _resolve_of_request(version: Any) -> Any:
    """Return the number of a version of the collection, or of the job's collection, of this request."""
    if not isinstance(version, str) or version.isdigit() or not version or len(version) > MAX_LABEL:
        return version
    path = request.view_args or {}
    store = services().store
    collection = path["collection"] if "collection" in path else store.jobs.get(path["job_id"]).collection
    return resolve_version(collection, version)


_SCHEMA = [{"type": "integer", "minimum": 0, "maximum": MAX_ID}, {"type": "string"}]

VersionOrName = Annotated[
    int,
    BeforeValidator(_resolve_of_request),
    Field(ge=0, le=MAX_ID),
    WithJsonSchema({"anyOf": _SCHEMA}),
]
"""A version of a collection by its number or its name."""

AsOf = Annotated[
    int | None,
    BeforeValidator(_resolve_of_request),
    Field(
        ge=0,
        le=MAX_ID,
        description="Answer as of this version of the collection, a number or a name, with its supports, "
        "classes and rule.",
    ),
    WithJsonSchema({"anyOf": [*_SCHEMA, {"type": "null"}]}),
]
"""The version to answer as of; None is the current one."""
