"""A finding of a check: a problem in words, and its repair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem with its number of occurrences; `repair` returns how many of them it fixed."""

    part: str
    """`record`, `blobs`, `snapshots`, `queue` or `workers`"""
    code: str
    message: str
    count: int
    repair: Callable[[], int] | None = None


def some_of(names: Sequence[object]) -> str:
    """Return the first names of a list, and how many more there are."""
    return ", ".join(map(str, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
