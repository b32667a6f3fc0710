"""The report of several labels a picture, computed from a replica: each support is judged by the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse

from core.collections import Rule
from core.label_report import LabelAverage, LabelLine, LabelProblem, LabelReport, LabelSuspect, Together
from core.label_sets import is_within
from core.report import FAIR, Listed, judgement_of
from index.label_metrics import Judged, Truth, numbers
from index.label_sets import LabelledRows, raise_parents
from index.many_calibration import context
from index.many_learning import FittedLabels
from index.many_thresholds import Thresholds
from index.replica import Replica
from index.supports import Ids, evenly

JUDGED_MOST = 2_000  # supports scored without themselves
JUDGED_CELLS = 4_000_000  # supports times labels: 32 MB of probabilities, and as much temporarily
SUSPECTS_MOST, TOGETHER_MOST = 50, 50
SURE = 0.8  # probability from which on a label that a support lacks may be missing
DIGITS = 4


def label_report(replica: Replica, rule: Rule) -> LabelReport:
    """Report on the supports of a replica of several labels a picture."""
    with replica.lock:
        fitted, thresholds = replica.fit_labels(rule)
        rows = fitted.fit.rows
        names = [replica.classes[label_id].label for label_id in rows.label_ids.tolist()]
        chosen = _chosen(rows)
        judged = _judge(fitted, thresholds, chosen) if len(chosen) else None
        found = None if judged is None else numbers(judged, names)
        return LabelReport(
            version=replica.version,
            rule=rule.name,
            rule_used=fitted.rule,
            aim=rule.aim,
            precision=rule.precision,
            supports=len(rows.ids),
            complete=int(rows.complete.sum()),
            judged=len(chosen),
            average=None if found is None else _average(found),
            labels=tuple(_lines(rows, names, thresholds, {} if found is None else found["per_label"])),
            together=_together(rows, names),
            suspects=_suspects(rows, chosen, names, thresholds, judged),
            notes=tuple(_notes(rows, chosen)),
        )


def _chosen(rows: LabelledRows) -> Ids:
    """Return the supports that are judged, evenly spread by the time of their enrolment."""
    labels = max(len(rows.label_ids), 1)
    most = min(JUDGED_MOST, max(JUDGED_CELLS // labels, 1))
    return evenly(np.argsort(rows.ids, kind="stable"), most)


def _judge(fitted: FittedLabels, thresholds: Thresholds, chosen: Ids) -> Judged:
    rows = fitted.fit.rows
    scores, familiarity = fitted.fit.left_out(chosen)
    probabilities = fitted.calibration.probabilities(context(scores, familiarity))
    raise_parents(probabilities, rows.parents)
    present = rows.present[chosen].toarray() > 0
    truth: Truth = np.where(present, 1, np.where(rows.complete[chosen, None], 0, -1)).astype(np.int8)
    truth[present & (rows.counts < 2)] = -1  # nothing else shows the label
    return Judged(truth, probabilities, fitted.given(probabilities, thresholds))


def _average(found: Mapping[str, Any]) -> LabelAverage:
    return LabelAverage.model_validate({name: _rounded(found[name]) for name in LabelAverage.model_fields})


def _lines(
    rows: LabelledRows, names: list[str], thresholds: Thresholds, each: Mapping[str, Mapping[str, Any]]
) -> Iterator[LabelLine]:
    counts = rows.counts
    for column in sorted(range(len(names)), key=names.__getitem__):
        supports, metrics = int(counts[column]), each.get(names[column], {})
        known = supports > 1 and metrics.get("support", 0) > 0
        yield LabelLine(
            label=names[column],
            supports=supports,
            judged=metrics.get("support", 0),
            judgement=judgement_of(supports),
            **{
                name: _rounded(metrics[name]) if known else None
                for name in ("precision", "recall", "f1", "average_precision")
            },
            threshold=round(float(thresholds.yes[column]), DIGITS),
            expected_precision=round(float(thresholds.precision[column]), DIGITS),
            expected_recall=round(float(thresholds.recall[column]), DIGITS),
        )


def _together(rows: LabelledRows, names: list[str]) -> Listed[Together]:
    pairs = sparse.triu(rows.present.T @ rows.present, k=1).tocoo()
    counts = rows.counts
    found = sorted(
        (-int(number), *sorted((names[one], names[other])), one, other)
        for one, other, number in zip(
            pairs.row.tolist(), pairs.col.tolist(), pairs.data.tolist(), strict=True
        )
        if not is_within(names[one], names[other]) and not is_within(names[other], names[one])
    )
    items = []
    for number, first, second, one, other in found[:TOGETHER_MOST]:
        of = {names[one]: counts[one], names[other]: counts[other]}
        shares = round(-number / int(of[first]), DIGITS), round(-number / int(of[second]), DIGITS)
        items.append(Together(labels=(first, second), supports=-number, shares=shares))
    return Listed[Together](total=len(found), items=tuple(items))


def _suspects(
    rows: LabelledRows, chosen: Ids, names: list[str], thresholds: Thresholds, judged: Judged | None
) -> Listed[LabelSuspect]:
    if judged is None:
        return Listed[LabelSuspect](total=0, items=())
    present = rows.present[chosen].toarray() > 0
    # left-out supports of rare labels score low without being wrong
    wrong = present & (rows.counts >= FAIR) & (judged.probabilities < thresholds.unsure)
    missing = ~present & judged.given & (judged.probabilities >= SURE)
    found = [
        (float(surety[place, column]), problem, int(place), int(column))
        for problem, mask, surety in (
            (LabelProblem.WRONG, wrong, 1.0 - judged.probabilities),
            (LabelProblem.MISSING, missing, judged.probabilities),
        )
        for place, column in np.argwhere(mask)
    ]
    found.sort(key=lambda one: (-one[0], one[2], one[3]))
    return Listed[LabelSuspect](
        total=len(found),
        items=tuple(
            LabelSuspect(
                support_id=int(rows.ids[chosen[place]]),
                label=names[column],
                problem=problem,
                probability=round(float(judged.probabilities[place, column]), DIGITS),
                stated=bool(rows.complete[chosen[place]]),
            )
            for _, problem, place, column in found[:SUSPECTS_MOST]
        ),
    )


def _notes(rows: LabelledRows, chosen: Ids) -> Iterator[str]:
    if not len(rows.ids):
        yield "nothing has been enrolled yet"
    elif not rows.complete.any():
        yield (
            "no support has complete labels, so nothing is known to be absent, and precision says nothing; "
            "enrol some pictures with all of their labels"
        )
    if 0 < len(chosen) < len(rows.ids):
        yield f"{len(chosen)} of {len(rows.ids)} supports were judged, evenly spread by their time"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
