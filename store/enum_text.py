"""A column type: text in the database, an enumeration member in Python."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import Text
from sqlalchemy.types import TypeDecorator

E = TypeVar("E", bound=StrEnum)


class EnumText(TypeDecorator[E]):
    """The values of an enumeration; other values raise ValueError."""

    impl = Text
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:
        """Return the value of a member."""
        return None if value is None else self.members(value).value

    def process_result_value(self, value: Any, dialect: Any) -> E | None:
        """Return the member of a value."""
        return None if value is None else self.members(value)
