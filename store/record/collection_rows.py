"""The rows of collections: how they are selected with counts, and become values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, func, select

from core.collections import (
    Aim,
    ClassKind,
    Collection,
    ErrorOf,
    Index,
    IndexMeasure,
    IndexName,
    Metric,
    Rule,
    RuleName,
    Views,
)
from core.quality import unpack_quality
from store import tables as t
from store.unpacking import unpack


def unpack_collection(row: Row[Any]) -> Collection:
    """Return a collection, with counts where the row has them."""
    return unpack(
        Collection,
        row,
        rule=unpack_rule(row.rule),
        views=Views(row.views),
        index=unpack_index(row.index_spec),
        index_measured=None if row.index_measured is None else _unpack_measure(row.index_measured),
        quality=unpack_quality(row.quality),
    )


def unpack_rule(packed: Mapping[str, Any]) -> Rule:
    """Return a rule as it was packed; targets that an earlier version did not know are the usual ones."""
    targets = {name: value for name, value in packed.items() if name not in ("name", "metric")}
    if "aim" in targets:
        targets["aim"] = Aim(targets["aim"])
    if "error_of" in targets:
        targets["error_of"] = ErrorOf(targets["error_of"])
    return Rule(RuleName(packed["name"]), Metric(packed["metric"]), **targets)


def unpack_index(packed: Mapping[str, Any]) -> Index:
    """Return an index as it was packed."""
    return Index(IndexName(packed["name"]), packed.get("probes"), packed.get("refine"))


def _unpack_measure(packed: Mapping[str, Any]) -> IndexMeasure:
    return IndexMeasure(**{**packed, "name": IndexName(packed["name"])})


def with_counts() -> Any:
    """Select collections with their numbers of classes and supports."""
    classes = (
        select(func.count())
        .where(t.class_.c.collection_id == t.collection.c.id, ~t.class_.c.deleted)
        .where(t.class_.c.kind != ClassKind.SET)
        .scalar_subquery()
    )
    supports = (  # joined through classes: a covering index answers, and support rows stay unread
        select(func.count())
        .select_from(t.class_)
        .join(t.support, t.support.c.class_id == t.class_.c.id)
        .where(t.class_.c.collection_id == t.collection.c.id)
        .scalar_subquery()
    )
    return select(t.collection, classes.label("classes"), supports.label("supports"))


def changed_fields(before: Rule, after: Rule) -> dict[str, Any]:
    """Return the fields of a rule that changed, each with what it was and is."""
    was, now = asdict(before), asdict(after)
    return {name: [was[name], now[name]] for name in was if was[name] != now[name]}
