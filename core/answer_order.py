"""The orders in which results can be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from core.results import Result

_DIGITS = re.compile(r"(\d+)")

Key = tuple[Any, ...]
"""What results are sorted by, ascending; ties are in the order of the items."""


class Order(StrEnum):
    """`item` as submitted; `value` what to review first; `confidence` the least first; `name` of the item."""

    ITEM = "item"
    VALUE = "value"
    CONFIDENCE = "confidence"
    NAME = "name"


def review_value(answer: Result) -> float:
    """Return how much a review of an answer tells, from 0 (a clear answer) to 1 (unlike all classes).

    It is half the greater of two doubts, and half a point more where the answer leaves the picture without a
    name (`ambiguous` or `unknown`):

    - near a border: 1 - (p1 - p2), of the probabilities of the two best classes. This is margin sampling
      (Scheffer, Decomain and Wrobel, 2001).
    - far from all: 1 for `unknown` pictures, and for others 1 at the novelty threshold, falling to 0 at twice
      the threshold.
    """
    probabilities = (one["probability"] for one in answer.get("candidates") or ())
    best: list[float] = sorted(probabilities, reverse=True)[:2]
    border = 1.0 - (best[0] - sum(best[1:])) if best else 1.0
    nameless = answer.get("decision") != "known"
    far = 1.0 if answer.get("decision") == "unknown" else _farness(answer.get("novelty"))
    return (nameless + min(max(border, far), 1.0)) / 2


def contradicted_key(decision: str) -> Key:
    """Return what an answer is sorted by value by if a near twin of its picture has another answer.

    That is the greatest doubt, whatever the answer says of itself.
    """
    return (False, -((decision != "known") + 1.0) / 2)


def sort_key(order: Order, result: Result) -> Key:
    """Return what a result is sorted by; those without an answer come last."""
    if order is Order.NAME:
        return _name_key(result.get("custom_id"))
    if order is Order.ITEM:
        return ()
    if "decision" not in result:
        return (True, 0.0)
    return (False, -review_value(result) if order is Order.VALUE else result["confidence"])


def _farness(novelty: Mapping[str, Any] | None) -> float:
    threshold: float | None = None if novelty is None else novelty["threshold"]
    if novelty is None or threshold is None or threshold <= 0:
        return 0.0
    nearness: float = novelty["score"] / threshold
    return min(max(2.0 - nearness, 0.0), 1.0)


def _name_key(name: str | None) -> Key:
    """Sort as people do: `img2` before `img10`, capitals like others; items without a name come last."""
    if not name:
        return (True,)
    parts = _DIGITS.split(name.casefold())
    return (False, *(int(part[:300]) if place % 2 else part for place, part in enumerate(parts)))
