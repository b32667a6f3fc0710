"""What a report says beyond its table: harmful examples, the learning curve, and error budgets."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from core.collections import ClassKind, ErrorOf, Rule
from core.report import (
    ClassWorth,
    CurvePoint,
    ErrorBudget,
    Foretold,
    Harmful,
    LearningCurve,
    Listed,
)
from core.shares import SURE
from index.confusion import DIGITS, predictions
from index.error_budget import Budget, fewest_answers
from index.influence import influence
from index.learning import Fitted
from index.learning_curve import MORE, class_errors, learning_curve, overall, worth
from index.quality import margins
from index.report import Subject
from index.supports import Floats, Ids

HARMFUL_MOST = 50
WORTH_MOST = 200
BUDGETS = (0.01, 0.02, 0.05, 0.1)


def advice(fitted: Fitted, subject: Subject, rule: Rule, rows: Ids, probabilities: Floats) -> dict[str, Any]:
    """Return the fields of a report that need the fitted rule; `rows` were judged, with `probabilities`."""
    return {
        "harmful": _harmful(fitted, subject, rows),
        "learning_curve": _curve(fitted, subject, rows, probabilities),
        "foretold": tuple(_foretold(fitted, rule, most) for most in BUDGETS),
        "error_budget": error_budget(fitted, rule),
    }


def _harmful(fitted: Fitted, subject: Subject, rows: Ids) -> Listed[Harmful]:
    supports = subject.supports
    judged = rows[: fitted.fit.most_judged]
    odd = margins(supports, judged)
    found = influence(fitted, judged, odd.rows[np.argsort(odd.values, kind="stable")])
    net = found.fixed - found.broken
    harmful = np.flatnonzero((net > 0) & (found.gain > 0))
    harmful = harmful[np.lexsort((-found.gain[harmful], -net[harmful]))]
    items = [
        Harmful(
            support_id=int(supports.ids[found.rows[place]]),
            label=subject.labels[supports.columns[found.rows[place]]],
            fixed=int(found.fixed[place]),
            broken=int(found.broken[place]),
            influence=round(float(found.gain[place]), DIGITS),
        )
        for place in harmful[:HARMFUL_MOST].tolist()
    ]
    return Listed[Harmful](total=len(harmful), items=tuple(items))


def _curve(fitted: Fitted, subject: Subject, rows: Ids, probabilities: Floats) -> LearningCurve | None:
    """Return the learning curve; without one where names of classes answer too."""
    supports = subject.supports
    curve = None
    if fitted.prior is None and supports.counts.sum() == len(supports.ids):  # not a sample of them
        curve = learning_curve(supports, fitted.rule, subject.metric)
    if curve is None:
        return None
    _, own, named = predictions(supports, rows, probabilities)
    wrong, judged = class_errors(own, named, len(supports.counts))
    accuracy = overall(wrong, judged)
    worths = [
        (column, worth(curve, int(wrong[column]), int(judged[column]), accuracy))
        for column in np.flatnonzero(judged > 0).tolist()
        if subject.kinds[column] is ClassKind.NORMAL
    ]
    worths.sort(key=lambda pair: -pair[1].rise)
    return LearningCurve(
        points=tuple(
            CurvePoint(**{name: round(value, DIGITS) for name, value in asdict(point).items()})
            for point in curve.points
        ),
        exponent=round(curve.exponent, DIGITS),
        exponent_error=round(curve.exponent_error, DIGITS),
        worth=tuple(
            ClassWorth(
                label=subject.labels[column],
                more=MORE,
                points=round(100 * one.rise, 1),
                low=round(100 * one.low, 1),
                high=round(100 * one.high, 1),
            )
            for column, one in worths[:WORTH_MOST]
        ),
    )


def _foretold(fitted: Fitted, rule: Rule, max_error: float) -> Foretold:
    budget = fitted.calibration.budget(rule, max_error)
    return Foretold(max_error=max_error, to_people=_to_people(budget))


def _to_people(budget: Budget) -> float:
    return round(1.0 - budget.automatic / budget.answers, DIGITS) if budget.answers else 1.0


def error_budget(fitted: Fitted, rule: Rule) -> ErrorBudget | None:
    """Return what the rule's `max_error` lets be labelled by machine; None without one."""
    if rule.max_error is None:
        return None
    budget = fitted.calibration.budget(rule, rule.max_error)
    strange = fitted.calibration.class_left_out
    named = None
    if len(strange.right):
        accepted = strange.eligible(rule.certainty, fitted.calibration.threshold(rule.false_reject))
        least = np.inf if budget.threshold is None else budget.threshold
        named = round(float((accepted & (strange.confidence >= least)).mean()), DIGITS)
    fewest = fewest_answers(rule.error_of, rule.max_error)
    return ErrorBudget(
        max_error=rule.max_error,
        error_of=rule.error_of,
        sure=SURE if rule.error_of is ErrorOf.AUTOMATIC else None,
        **asdict(budget),
        to_people=_to_people(budget),
        fewest=fewest,
        unfamiliar=named,
        note=_note(budget, rule.error_of, rule.max_error, fewest),
    )


def _note(budget: Budget, error_of: ErrorOf, max_error: float, fewest: int) -> str:
    if budget.threshold is None:
        why = "too many of the most confident are wrong"
        if budget.answers < fewest:
            why = f"{fewest} right ones are needed at least"
        return (
            f"{budget.answers} left-out answers do not prove that at most {max_error:.1%} are wrong: "
            f"{why}. "
            "No label is automatic; people label everything."
        )
    if error_of is ErrorOf.ALL:
        return (
            f"On average at most {max_error:.1%} of all pictures get a wrong label by machine, if they are "
            "of the collection's classes and like its supports."
        )
    return (
        f"Of the labels given by machine at most {max_error:.1%} are wrong, with a probability of "
        f"{SURE:.0%}, among pictures of the collection's classes that are like its supports."
    )
