"""The interface of fitted rules, and the choice of the rule that `auto` uses."""

from __future__ import annotations

from typing import Protocol

from core.collections import RuleName
from core.vectors import Vector, Vectors
from index.supports import Floats, Ids, Scores, Supports

KERNEL_MOST = 2_000  # supports up to which `auto` uses `kernel`: at worst 0.3 s per change
KERNEL_LIMIT = 4_000  # supports up to which `kernel` works if requested: 130 MB, and seconds


class Fit(Protocol):
    """A rule fitted to supports."""

    supports: Supports
    most_judged: int
    """The most supports that can be left out and scored in acceptable time."""

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores, higher is more likely."""

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its group.

        `groups` (n,) is the group of every support, -1 for none; `rows` belong to a group.
        """

    def contributions(self, query: Vector, column: int) -> Floats:
        """Return each support's contribution to its class's score, (n,); those of other classes get 0."""


def rule_used(name: RuleName, supports: int) -> RuleName:
    """Return the rule that is used for a rule's name and a number of supports."""
    if name is RuleName.AUTO:
        return RuleName.KERNEL if supports <= KERNEL_MOST else RuleName.RIDGE
    if name is RuleName.KERNEL and supports > KERNEL_LIMIT:
        return RuleName.RIDGE
    return name
