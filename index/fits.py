"""What a rule has learnt from the supports of one version."""

from __future__ import annotations

from typing import Protocol

from core.types import RuleName
from core.vectors import Vector, Vectors
from index.supports import Floats, Ids, Scores, Supports

KERNEL_MOST = 2_000  # supports up to which `auto` answers by `kernel`: 0.3 s for the worst change
KERNEL_LIMIT = 4_000  # supports up to which `kernel` does where it was asked for: 130 MB, and seconds


class Fit(Protocol):
    """A rule fitted to supports."""

    supports: Supports
    most_judged: int
    """Supports that it can be asked about in good time when they are left out."""

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores, the higher the likelier."""

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its whole group.

        `groups` (n,) names the group of every support, -1 for those that are in none; `rows` are in one.
        """

    def contributions(self, query: Vector, column: int) -> Floats:
        """Return what each support does for the score of its class, (n,); those of other classes get 0."""


def rule_used(name: RuleName, supports: int) -> RuleName:
    """Return the rule that answers for a rule's name and a number of supports."""
    if name is RuleName.AUTO:
        return RuleName.KERNEL if supports <= KERNEL_MOST else RuleName.RIDGE
    if name is RuleName.KERNEL and supports > KERNEL_LIMIT:
        return RuleName.RIDGE
    return name
