"""External ids of the supports in answers: the callers' own names of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from core.answers import Answer, Found, ManyAnswer
from core.results import Result, Shown, with_supports
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
    return with_supports(result, partial(_named, names)) if names else result


def _named(names: Mapping[int, str], supports: Shown) -> Shown:
    return [
        {**one, "external_id": names[one["support_id"]]} if one.get("support_id") in names else one
        for one in supports
    ]
