"""Results: the JSON for one item of a job."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.collections import LabelDecision
from core.errors import ExemplarError, problem_of
from core.jobs import Item
from core.labels import pack_labels

Result = Mapping[str, Any]
"""One item's result as JSON; `status` is `done` or `failed`."""


def done_result(item: Item, made: Mapping[str, Any]) -> Result:
    """Return the result of an item that is done, with these fields."""
    return {"item": item.index, "custom_id": item.custom_id, "status": "done", **made}


def failed_result(item: Item, error: ExemplarError) -> Result:
    """Return the result of an item that failed."""
    return {"item": item.index, "custom_id": item.custom_id, "status": "failed", "error": problem_of(error)}


def is_answer(result: Result) -> bool:
    """Return whether a result is a decision, which can be right or wrong."""
    return result["status"] == "done" and "decision" in result


def has_several(answer: Result) -> bool:
    """Return whether it is an answer with several labels a picture."""
    return answer.get("labels") is not None and "decision" in answer


def labels_of(answer: Result) -> tuple[str, ...]:
    """Return the labels of a picture: those that its answer gives, or those of its support."""
    if has_several(answer):
        return tuple(one["label"] for one in answer["labels"] if one["decision"] == LabelDecision.YES)
    label = answer.get("label")
    return tuple(answer.get("labels") or ()) if label is None else (label,)


def shown_labels(answer: Result) -> str | list[str] | None:
    """Return the label of an answer, or a list where there may be several."""
    return sorted(labels_of(answer)) if has_several(answer) else answer["label"]


def label_text(answer: Result) -> str | None:
    """Return the labels of an answer as one text, as reviews store them; None for no label."""
    labels = labels_of(answer)
    if has_several(answer):
        return pack_labels(labels)
    return labels[0] if labels else None


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
        tally["labels"].update(labels_of(result))
        tally["findings"].update(finding["code"] for finding in result.get("findings") or ())
        if result.get("decision") is not None:
            tally["decisions"][result["decision"]] += 1
        if "outcome" in result:
            tally["outcomes"][result["outcome"]] += 1
        if result.get("outcome") == "changed":
            tally["changes"][json.dumps([shown_labels(result["before"]), shown_labels(result)])] += 1
    return {name: dict(counts) for name, counts in tally.items() if counts}


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


Shown = Sequence[Mapping[str, Any]]
"""Supports as a result shows them."""


def with_supports(result: Result, change: Callable[[Shown], Shown]) -> Result:
    """Return a result in which every list of supports is changed."""
    changed = dict(result)
    for name in ("neighbours", "findings"):
        if isinstance(result.get(name), list):
            changed[name] = change(result[name])
    if isinstance(result.get("labels"), list):
        changed["labels"] = [with_explanation(one, change) for one in result["labels"]]
    explained: Result = with_explanation(changed, change)
    return explained


def with_explanation(answer: Any, change: Callable[[Shown], Shown]) -> Any:
    """Return an answer, or one of its labels, with the supports of its explanation changed."""
    if not isinstance(answer, dict) or not isinstance(answer.get("explanation"), dict):
        return answer
    explanation = answer["explanation"]
    return {**answer, "explanation": {**explanation, "supports": change(explanation["supports"])}}
