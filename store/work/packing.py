"""Conversion of items to and from the rows of chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from core.jobs import Item

_DEFAULTS = {field.name: field.default for field in fields(Item)} | {"metadata": {}}


def pack_item(item: Item) -> dict[str, Any]:
    """Return an item as JSON, without fields at their default."""
    values = {name: getattr(item, name) for name in _DEFAULTS}
    return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


def unpack_items(packed: Sequence[Mapping[str, Any]]) -> tuple[Item, ...]:
    """Return the items that `pack_item` packed."""
    return tuple(Item(**_values(one)) for one in packed)


def _values(packed: Mapping[str, Any]) -> dict[str, Any]:
    labels = packed.get("labels")
    return {**packed} if labels is None else {**packed, "labels": tuple(labels)}


def chunk_rows(common: Mapping[str, Any], items: Sequence[Item], size: int) -> list[dict[str, Any]]:
    """Return the rows of chunks for consecutive items, `size` in each; all have the `common` values."""
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return [
        {
            **common,
            "first_item": part[0].index,
            "size": len(part),
            "unfetched": any(item.is_unfetched for item in part),
            "inputs": [pack_item(item) for item in part],
        }
        for part in parts
    ]
