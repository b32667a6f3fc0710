"""The report of a collection, computed from its replica."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.collections import Rule
from core.report import CollectionReport
from index.advice import advice
from index.calibration import folds
from index.replicas import AnyReplica
from index.report import Subject, make_report, rows_to_judge
from index.supports import Floats, Ids
from index.texts import LabelVectors


@dataclass(frozen=True, slots=True)
class Judgements:
    """A rule's predictions of supports without their fold."""

    subject: Subject
    rows: Ids
    """(m,), rows of the judged supports"""
    probabilities: Floats
    """(m, C); a row with a NaN could not be judged"""


def judge(replica: AnyReplica, rule: Rule, texts: LabelVectors | None) -> Judgements:
    """Judge the supports of a replica by a rule fitted without their fold.

    The arrays belong to the replica; use them only under its lock.
    """
    fitted = replica.fit(rule, texts)
    supports = fitted.fit.supports
    rows = rows_to_judge(supports)
    groups = np.full(len(supports.ids), -1)
    groups[rows] = folds(supports.columns[rows])
    scores = fitted.fit.held_out(groups, rows)
    classes = [replica.classes[class_id] for class_id in supports.class_ids.tolist()]
    subject = Subject(
        version=replica.version,
        rule=rule.name,
        metric=rule.metric,
        rule_used=fitted.rule,
        supports=supports,
        labels=[class_.label for class_ in classes],
        kinds=[class_.kind for class_ in classes],
        index=replica.index.name,
        recall_at_10=None if replica.measured is None else replica.measured.recall_at_10,
    )
    return Judgements(subject, rows, fitted.probabilities(scores))


def report_on(
    replica: AnyReplica, rule: Rule, texts: LabelVectors | None, pictures: Mapping[int, str]
) -> CollectionReport:
    """Report on the supports of a replica.

    `pictures` are digests by support id, of pictures with several supports.
    """
    with replica.lock:
        judged = judge(replica, rule, texts)
        subject, rows, probabilities = judged.subject, judged.rows, judged.probabilities
        report = make_report(subject, rows, probabilities, pictures)
        found = advice(replica.fit(rule, texts), subject, rule, rows, probabilities)
        return report.model_copy(update=found)
