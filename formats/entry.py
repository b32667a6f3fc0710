"""One item of a bulk job, as its source describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import ExemplarError
from core.label_sets import Said

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture to be: what is said of it, and its bytes or its place, or the error that stands instead.

    `read` raises ExemplarError, and serves only until the next entry is asked for.
    """

    custom_id: str | None = None
    label: str | None = None
    external_id: str | None = None
    metadata: Fields = field(default_factory=dict)
    size: int = 0
    read: Callable[[], bytes] | None = None
    place: str | None = None
    error: ExemplarError | None = None
    labels: tuple[str, ...] | None = None
    """Labels of a picture that may have several, instead of `label`."""
    complete: bool | None = None
    """Whether these are all; None if nothing is said."""

    @property
    def said(self) -> Said:
        """What is said of its labels."""
        return Said(self.label, self.labels, self.complete)
