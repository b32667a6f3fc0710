"""The report of a collection, made where its replica is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.report import CollectionReport
from core.types import Rule
from index.calibration import folds
from index.replicas import AnyReplica
from index.report import Subject, make_report, rows_to_judge
from index.texts import LabelVectors


def report_on(
    replica: AnyReplica, rule: Rule, texts: LabelVectors | None, pictures: Mapping[int, str]
) -> CollectionReport:
    """Judge the supports of a replica, each by the others of its version without the fold it is in.

    `pictures` are digests by support id, of those that are there twice.
    """
    with replica.lock:
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
        return make_report(subject, rows, fitted.probabilities(scores), pictures)
