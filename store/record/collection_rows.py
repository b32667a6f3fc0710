"""How the rows of collections become values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from core.types import Aim, Collection, Index, IndexMeasure, IndexName, Metric, Rule, RuleName, Views


def unpack_collection(row: Row[Any]) -> Collection:
    """Return a collection, with counts where the row has them."""
    return Collection(
        id=row.id,
        name=row.name,
        encoder=row.encoder,
        rule=unpack_rule(row.rule),
        version=row.version,
        created_at=row.created_at,
        views=Views(row.views),
        prompts=row.prompts,
        index=unpack_index(row.index_spec),
        index_measured=None if row.index_measured is None else _unpack_measure(row.index_measured),
        labels=row.labels,
        classes=getattr(row, "classes", 0),
        supports=getattr(row, "supports", 0),
    )


def unpack_rule(packed: Mapping[str, Any]) -> Rule:
    """Return a rule as it was packed; targets that an earlier version did not know are the usual ones."""
    targets = {name: value for name, value in packed.items() if name not in ("name", "metric")}
    if "aim" in targets:
        targets["aim"] = Aim(targets["aim"])
    return Rule(RuleName(packed["name"]), Metric(packed["metric"]), **targets)


def unpack_index(packed: Mapping[str, Any]) -> Index:
    """Return an index as it was packed."""
    return Index(IndexName(packed["name"]), packed.get("probes"), packed.get("refine"))


def _unpack_measure(packed: Mapping[str, Any]) -> IndexMeasure:
    return IndexMeasure(**{**packed, "name": IndexName(packed["name"])})
