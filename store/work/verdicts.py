"""Verdicts: what a person says of answers."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import ExemplarError
from core.labels import pack_labels, unpack_labels
from core.results import Result, has_several, label_text
from store.work.review_enrolment import Enrolling


@dataclass(frozen=True, slots=True)
class Verdict:
    """A person's word on answers: the right label, None for none of the classes, or that they are right.

    Where pictures have several labels it gives all `labels`, or those to `add` to and `remove` from the ones
    that an answer has so far.
    """

    reviewer: str
    label: str | None = None
    accepted: bool = False
    labels: tuple[str, ...] | None = None
    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    enrolling: Enrolling | None = None
    """Set if the pictures are to become supports of what it gives them."""
    may_enroll: bool = True
    """Whether the reviewer may change supports: otherwise reviews that enrolled stay as they are."""

    def text(self, answer: Result, so_far: str | None) -> str | None:
        """Return the labels that it gives an answer, as reviews store them.

        `so_far` are those before. Raises `labels_invalid` for several labels of pictures that have one.
        """
        if self.accepted:
            return label_text(answer)
        if has_several(answer):
            given = unpack_labels(self.label) if self.labels is None else self.labels
            if self.add or self.remove:
                given = tuple({*unpack_labels(so_far)} - self.remove | self.add)
            return pack_labels(given)
        if self.add or self.remove or len(self.labels or ()) > 1:
            raise ExemplarError(
                "labels_invalid", "expected one label: the pictures of this collection have one each"
            )
        return self.labels[0] if self.labels else self.label
