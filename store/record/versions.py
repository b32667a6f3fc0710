"""The versions of a collection: which can be answered as of, and their rule."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select

from core.collections import IndexName, Rule
from core.errors import ExemplarError
from store import tables as t
from store.record.collection_rows import unpack_index, unpack_rule


def reached_version(connection: Connection, collection: Row[Any], version: int) -> int:
    """Return the version that a collection had: the given one, or the last before it.

    Raises `version_gone` for one that is no longer kept, and `version_invalid` for one that is still to come.
    """
    if version > collection.version:
        raise ExemplarError(
            "version_invalid",
            f"expected a version of at most {collection.version}, the collection's, got {version}",
        )
    if version < collection.oldest_version:
        raise ExemplarError(
            "version_gone",
            f"expected a version from {collection.oldest_version} on, which are kept, got {version}",
        )
    change = t.change.c
    ended = select(func.max(change.version)).where(
        change.collection_id == collection.id, change.version <= version
    )
    # a change of several supports takes as many versions, of which answers have seen the last only
    return max(connection.execute(ended).scalar() or 0, int(collection.oldest_version))


def check_answers(collection: Row[Any]) -> None:
    """Raise `index_unsupported` for an index that knows the current version only."""
    if unpack_index(collection.index_spec).name is IndexName.MILVUS:
        raise ExemplarError(
            "index_unsupported",
            "expected no version: a collection whose index is milvus answers as of now only",
        )


def rule_at(connection: Connection, collection: Row[Any], version: int) -> Rule:
    """Return the rule of a version: what the first change of it since then replaced."""
    change = t.change.c
    replaced = (
        select(change.rule_before)
        .where(
            change.collection_id == collection.id, change.version > version, change.rule_before.is_not(None)
        )
        .order_by(change.version)
        .limit(1)
    )
    return unpack_rule(connection.execute(replaced).scalar() or collection.rule)
