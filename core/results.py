"""Results: the JSON for one item of a job."""

from __future__ import annotations

from collections import Counter
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
"""The number of results by label, decision and error code: `labels`, `decisions` and `errors`."""


def tally_of(results: Iterable[Result]) -> Tally:
    """Return the counts of some results."""
    tally: dict[str, Counter[str]] = {"labels": Counter(), "decisions": Counter(), "errors": Counter()}
    for result in results:
        if result["status"] == "failed":
            tally["errors"][result["error"]["code"]] += 1
            continue
        for name, value in (("labels", result.get("label")), ("decisions", result.get("decision"))):
            if value is not None:
                tally[name][value] += 1
    return {name: dict(counts) for name, counts in tally.items() if counts}


def sum_tallies(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of counts, greatest first."""
    total: dict[str, Counter[str]] = {"labels": Counter(), "decisions": Counter(), "errors": Counter()}
    for tally in tallies:
        for name, counts in tally.items():
            total[name].update(counts)
    return {name: dict(counts.most_common()) for name, counts in total.items()}
