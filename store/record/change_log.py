"""The change log: who made each version of a collection, when and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from core.collections import ChangeKind
from store import tables as t
from store.clock import now_s
from store.record.audit_log import named_actor, note


@dataclass(frozen=True, slots=True)
class Made:
    """How a version was made; `rule_before` is the packed rule that it replaced."""

    kind: ChangeKind
    details: Mapping[str, Any] = field(default_factory=dict)
    rule_before: Mapping[str, Any] | None = None


def log_change(connection: Connection, collection_id: int, version: int, made: Made) -> None:
    """Write what the current actor changed in a locked collection since the version logged last."""
    actor = named_actor(connection)
    last = select(func.max(t.change.c.version)).where(t.change.c.collection_id == collection_id)
    # of a collection that is older than the log, the version that this begins with
    oldest = select(t.collection.c.oldest_version).where(t.collection.c.id == collection_id)
    row = {
        "collection_id": collection_id,
        "from_version": func.coalesce(last.scalar_subquery(), oldest.scalar_subquery()),
        "version": version,
        "at": now_s(),
        "actor": actor.key_id,
        "actor_name": actor.name,
        "request_id": actor.request_id,
        "job_id": actor.job_id,
        "kind": made.kind,
        "details": dict(made.details),
        "rule_before": made.rule_before,
    }
    written = insert(t.change).values(row).returning(t.change.c.from_version)
    from_version = connection.execute(written).scalar_one()
    name = connection.execute(select(t.collection.c.name).where(t.collection.c.id == collection_id)).scalar()
    versions = (from_version, version)
    note(connection, made.kind, collection=name, details=made.details, versions=versions, actor=actor)


def keeps_history(connection: Connection) -> bool:
    """Return whether what is changed or deleted is kept for a while."""
    return bool(connection.get_execution_options().get("exemplar_history", True))


def forget_before(connection: Connection, collection_id: int, version: int) -> None:
    """Make a version the oldest that a locked collection can be answered as of."""
    collection = t.collection.c
    which = (collection.id == collection_id, collection.oldest_version < version)
    connection.execute(update(t.collection).where(*which).values(oldest_version=version))
