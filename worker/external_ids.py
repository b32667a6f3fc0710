"""External ids of the supports in answers: the callers' own names of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from core.answers import Answer, Found, ManyAnswer
from core.results import Result, has_several
from store.record.supports import Supports


def external_ids(supports: Supports, said: Sequence[object]) -> Mapping[int, str]:
    """Return the external ids of the supports that answers name, of those that have one."""
    named = {
        one.support_id
        for answer in said
        if isinstance(answer, Answer | ManyAnswer | Found)
        for one in _supports(answer)
    }
    return supports.external_ids(named) if named else {}


def _supports(answer: Answer | ManyAnswer | Found) -> Iterator[Any]:
    yield from answer.neighbours
    if isinstance(answer, Answer):
        yield from answer.explanation.supports
    elif isinstance(answer, ManyAnswer):
        for label in answer.labels:
            yield from label.explanation.supports


def with_external_ids(result: Result, names: Mapping[int, str]) -> Result:
    """Return a result in which each support that has an external id bears it."""
    if not names or "neighbours" not in result:
        return result
    changed = {**result, "neighbours": _named(result["neighbours"], names)}
    if "explanation" in result:
        changed["explanation"] = _explained(result["explanation"], names)
    if has_several(result):
        changed["labels"] = [
            {**label, "explanation": _explained(label["explanation"], names)} for label in result["labels"]
        ]
    return changed


def _explained(explanation: Mapping[str, Any], names: Mapping[int, str]) -> dict[str, Any]:
    return {**explanation, "supports": _named(explanation["supports"], names)}


def _named(supports: Sequence[Mapping[str, Any]], names: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {**one, "external_id": names[one["support_id"]]} if one["support_id"] in names else dict(one)
        for one in supports
    ]
