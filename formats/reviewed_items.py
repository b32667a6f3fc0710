"""The common form of labels that another tool gave: one entry of its file, or what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ExemplarError


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The labels of a picture, none for none of the classes, and the names that the tool knows it by."""

    place: str
    """Where it stands in the file, such as `task 7`."""
    names: Sequence[str]
    labels: tuple[str, ...]
    """Sorted."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that gives no label, and why."""

    place: str
    error: ExemplarError

    @classmethod
    def because(cls, place: str, expected: str) -> Refused:
        """Return an entry that is not as expected."""
        return cls(place, ExemplarError("manifest_invalid", expected))


Entry = Reviewed | Refused


def read_document(text: str) -> Any:
    """Return a JSON document; raises `manifest_invalid`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ExemplarError("manifest_invalid", f"expected JSON: {error}") from error
