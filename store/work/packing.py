"""Items as they stand in a chunk's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from core.types import Item

_DEFAULTS = {field.name: field.default for field in fields(Item)} | {"metadata": {}}


def pack_item(item: Item) -> dict[str, Any]:
    """Return an item as JSON, fields at their default left out."""
    values = {name: getattr(item, name) for name in _DEFAULTS}
    return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


def unpack_items(packed: Sequence[Mapping[str, Any]]) -> tuple[Item, ...]:
    """Return the items that `pack_item` packed."""
    return tuple(Item(**values) for values in packed)
