"""The options of jobs that calls ask for: an earlier version, a filter, or the quarantine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import g

from api.auth import may_only_contribute
from api.inputs import AskQuery
from api.services import services
from core.collections import Collection, IndexName
from core.errors import ExemplarError
from core.jobs import JobKind
from core.where import parse_where
from store.record.quarantine import OPTION
from store.work.kinds import KINDS


def options_of(collection: Collection, query: AskQuery, kind: JobKind) -> dict[str, Any]:
    """Return the options of a job: the version or the filter that it is answered by, or the quarantine.

    Raises `where_invalid`, and what `as_of` raises.
    """
    if query.version is not None and KINDS[kind].enrols:
        raise ExemplarError("version_invalid", "version: expected it without kind=enroll, which asks nothing")
    options = {**as_of(collection.name, query.version), **filter_of(collection, query, kind)}
    if len(options) > 1:
        raise ExemplarError(
            "where_invalid", "expected one of where and version: metadata are not kept as they were"
        )
    return {**options, **quarantined(collection, kind)}


def as_of(collection: str, version: int | None) -> dict[str, int]:
    """Return the options of a job that is answered as of a version, if it is.

    Raises `version_gone`, `version_invalid` or `index_unsupported`.
    """
    return {} if version is None else {"version": services().store.history.at(collection, version).version}


def filter_of(collection: Collection, query: AskQuery, kind: JobKind) -> dict[str, Any]:
    """Return the options of a job with the filter that a query asks for, if any; raises `where_invalid`."""
    where = parse_where(query.where)
    if where is None:
        return {}
    if KINDS[kind].enrols:
        raise ExemplarError("where_invalid", "where: expected it without kind=enroll, which asks nothing")
    if collection.index.name is IndexName.MILVUS:
        raise ExemplarError(
            "where_invalid", "where: expected an index in memory (flat, ivf or rabitq), got milvus"
        )
    return {"where": where}


def quarantined(collection: Collection, kind: JobKind) -> Mapping[str, Any]:
    """Return the options of a job: what a key that may only contribute enrols goes into quarantine.

    Raises `quarantine_full` if too much waits there.
    """
    if kind is not JobKind.ENROLL or not may_only_contribute():
        return {}
    most = services().settings.quarantine_max_items
    _, waiting = services().store.quarantine.last_change(collection.id)
    if waiting >= most:
        raise ExemplarError(
            "quarantine_full",
            f"expected fewer than {most} pictures that wait for a decision, there are {waiting}; try again "
            "once their owner has decided",
        )
    return {OPTION: g.key.name}
