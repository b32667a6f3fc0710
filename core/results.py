"""Results: the JSON for one item of a job."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import ExemplarError, problem_of
from core.types import Item

Result = Mapping[str, Any]
"""One item's result as JSON; `status` is `done` or `failed`."""


def done_result(item: Item, made: Mapping[str, Any]) -> Result:
    """Return the result of an item that is done, with these fields."""
    return {"item": item.index, "custom_id": item.custom_id, "status": "done", **made}


def failed_result(item: Item, error: ExemplarError) -> Result:
    """Return the result of an item that failed."""
    return {"item": item.index, "custom_id": item.custom_id, "status": "failed", "error": problem_of(error)}


Tally = Mapping[str, Mapping[str, int]]
"""The number of results by label, decision and error code: `labels`, `decisions` and `errors`.

Those of a redecision also by what became of the answer: `outcomes` and `changes`.
"""

_COUNTED = ("labels", "decisions", "errors")


def tally_of(results: Iterable[Result]) -> Tally:
    """Return the counts of some results."""
    tally: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        if result["status"] == "failed":
            tally["errors"][result["error"]["code"]] += 1
            continue
        for name, value in (("labels", result.get("label")), ("decisions", result.get("decision"))):
            if value is not None:
                tally[name][value] += 1
        tally["labels"].update(_several_labels(result))
        if "outcome" in result:
            tally["outcomes"][result["outcome"]] += 1
        if result.get("outcome") == "changed":
            tally["changes"][json.dumps([result["before"]["label"], result["label"]])] += 1
    return {name: dict(counts) for name, counts in tally.items()}


def _several_labels(result: Result) -> list[str]:
    """Return the labels of a picture that may have several: those of its support, or those that are `yes`."""
    labels = result.get("labels") or ()
    return [
        one if isinstance(one, str) else one["label"]
        for one in labels
        if isinstance(one, str) or one["decision"] == "yes"
    ]


def sum_tallies(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of counts, greatest first."""
    total: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
    for tally in tallies:
        for name, counts in tally.items():
            total.setdefault(name, Counter()).update(counts)
    return {
        name: {value: count for value, count in counts.most_common() if count}
        for name, counts in total.items()
    }
