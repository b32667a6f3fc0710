"""What a printed report says of its accuracy: the interval, the learning curve, and error budgets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from functools import partial

from cli.client import Json
from cli.external_ids import Ids
from cli.report_table import COLUMNS, fit, listed_lines, support_text

LABEL_CELLS = 30
WORTH_MOST = 10


def advice_lines(report: Json, ids: Ids) -> Iterator[str]:
    """Yield the lines below the table of a report."""
    if report["accuracy_interval"] is not None:
        low, high = report["accuracy_interval"]
        yield f"  accuracy {report['accuracy']:.3f}, {low:.3f} to {high:.3f} at 95 %"
    yield from _curve_lines(report["learning_curve"])
    yield from _budget_lines(report)
    yield from listed_lines(
        "Examples that hurt the answers about others", report["harmful"], partial(_harmful, ids)
    )


def _curve_lines(curve: Json | None) -> Iterator[str]:
    if curve is None:
        return
    points = ", ".join(
        f"{point['examples']}: {point['accuracy']:.3f} ± {point['standard_error']:.3f}"
        for point in curve["points"]
    )
    yield "\nAccuracy by examples of each class"
    yield textwrap.fill(points, COLUMNS, initial_indent="  ", subsequent_indent="  ")
    worth = [one for one in curve["worth"] if one["points"] >= 1][:WORTH_MOST]
    for one in worth:
        label = fit(one["label"], LABEL_CELLS)
        span = f"{one['low']:.0f} to {one['high']:.0f} at 80 %"
        yield f"  {one['more']} more of {label} are worth about {one['points']:+.0f} points ({span})"


def _budget_lines(report: Json) -> Iterator[str]:
    if report["foretold"]:
        parts = [f"{one['max_error']:.0%} wrong: {one['to_people']:.0%}" for one in report["foretold"]]
        yield f"\nLeft to people, where by machine at most so much may be wrong: {', '.join(parts)}"
    budget = report["error_budget"]
    if budget is None:
        return
    yield textwrap.fill(budget["note"], COLUMNS, initial_indent="  ", subsequent_indent="  ")
    if budget["unfamiliar"] is not None and budget["threshold"] is not None:
        yield f"  of pictures of no class, about {budget['unfamiliar']:.0%} would be labelled by machine too"
    reviewed = budget["reviewed"]
    if reviewed is not None and reviewed["answers"]:
        yield (
            f"  reviewed automatic answers: {reviewed['wrong']} of {reviewed['answers']} wrong, at most "
            f"{reviewed['upper_bound']:.1%} at 90 %"
        )


def _harmful(ids: Ids, one: Json) -> str:
    support = support_text(ids, one["support_id"], fit(one["label"], LABEL_CELLS))
    return f"{support}: without it {one['fixed']} become right and {one['broken']} wrong"
