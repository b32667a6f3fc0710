"""Filters of supports by their metadata: equalities that a caller asks for as a JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import ExemplarError

Scalar = str | int | float | bool
Where = Mapping[str, Sequence[Scalar]]
"""Names of metadata, and the values of which a support must have one for each."""

MOST_NAMES = 16
MOST_VALUES = 100
MOST_TEXT = 1024  # characters of a name or value
MOST_WHOLE = 2**53  # beyond it databases round whole numbers differently


def parse_where(text: str | None) -> Where | None:
    """Return the filter of a JSON object such as {"site": "north", "year": [2025, 2026]}; None for none.

    Raises `where_invalid`.
    """
    if text is None:
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"a JSON object, got {text[:100]!r} ({error})") from error
    if not isinstance(given, dict) or not 0 < len(given) <= MOST_NAMES:
        raise _invalid(f'a JSON object with 1 to {MOST_NAMES} names, such as {{"site": "north"}}')
    return {_name(name): _values(name, value) for name, value in sorted(given.items())}


def where_key(where: Where) -> str:
    """Return a text that is the same for equal filters."""
    return json.dumps({name: list(values) for name, values in where.items()}, sort_keys=True)


def _name(name: str) -> str:
    if not 0 < len(name) <= MOST_TEXT or not name.isprintable() or '"' in name or "\\" in name:
        raise _invalid(f'names of printable characters without \\ and ", got {name[:100]!r}')
    return name


def _values(name: str, given: Any) -> list[Scalar]:
    values = given if isinstance(given, list) else [given]
    if not 0 < len(values) <= MOST_VALUES:
        raise _invalid(f"{name[:100]!r} with one value or a list of 1 to {MOST_VALUES}")
    for value in values:
        if isinstance(value, str):
            if len(value) > MOST_TEXT or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
                raise _invalid(f"texts of at most {MOST_TEXT} characters for {name[:100]!r}")
        elif not isinstance(value, int | float) or not -MOST_WHOLE <= value <= MOST_WHOLE:
            raise _invalid(f"texts, numbers, true or false for {name[:100]!r}, got {value!r:.100}")
    return values


def _invalid(expected: str) -> ExemplarError:
    return ExemplarError("where_invalid", f"where: expected {expected}")
