"""Pages of lists, and cursors: opaque to callers, the last id to us."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, Generic, Self, TypeVar

from pydantic import BaseModel

from core.errors import ExemplarError

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Sequence[Any], limit: int, show: Callable[[Any], T], *, by: str = "id") -> Self:
        """Return what is shown of each that was found, and where to go on if there may be more of them."""
        more = make_cursor(getattr(found[-1], by)) if len(found) == limit else None
        return cls(items=[show(one) for one in found], next_cursor=more)


def read_cursor(cursor: str | None) -> str | None:
    """Return what a cursor stands for; raises `cursor_invalid`."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise _invalid() from error
    if not (text.isascii() and text.isalnum()):
        raise _invalid()
    return text


def read_number(cursor: str | None) -> int:
    """Return the number a cursor stands for, 0 where there is none."""
    text = read_cursor(cursor)
    if text is None:
        return 0
    if not text.isdigit() or len(text) > 18:
        raise _invalid()
    return int(text)


def make_cursor(last: object) -> str:
    """Return the cursor that goes on after `last`."""
    return base64.urlsafe_b64encode(str(last).encode()).decode()


def _invalid() -> ExemplarError:
    return ExemplarError("cursor_invalid", "expected a cursor as an earlier page gave it")
