"""What an examination finds: something wrong, in words, and what would mend it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong and how often; `mend` returns how much it mended, None where nothing can."""

    part: str
    """`record`, `blobs`, `snapshots`, `queue` or `workers`"""
    code: str
    message: str
    count: int
    mend: Callable[[], int] | None = None


def some_of(names: Sequence[object]) -> str:
    """Return the first names of a list, and how many more there are."""
    return ", ".join(map(str, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
