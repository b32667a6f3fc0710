"""Suggestions for mistyped names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST = 3


def did_you_mean(given: str, there: Iterable[str]) -> str:
    """Return `; did you mean ...?` for the names near a mistyped one, or nothing."""
    near = get_close_matches(given.lower(), list(there), n=MOST, cutoff=0.6)
    return f"; did you mean {' or '.join(near)}?" if near else ""
