"""Values out of rows whose columns have the names of their fields."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def unpack(cls: type[T], row: Row[Any], **others: Any) -> T:
    """Return a dataclass with what a row has under the names of its fields, and with `others`."""
    found = row._mapping
    names = (one.name for one in fields(cls) if one.name in found and one.name not in others)
    return cls(**{name: found[name] for name in names}, **others)
