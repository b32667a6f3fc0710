"""Cursors: opaque to callers, the last id to us."""

from __future__ import annotations

import base64
import binascii

from core.errors import ExemplarError


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
