"""Decisions: scores to an answer, which is a label with probability and contributions, or "unknown"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.answers import Answer, Candidate, CandidateSet, Explanation, ManyNeighbour, Neighbour, Novelty
from core.changes import ClassChange
from core.collections import ClassKind, DecisionName, Metric, Rule
from core.vectors import Vector, Vectors
from index.calibration import novelty
from index.error_budget import Budget
from index.learning import Fitted
from index.means import mean_scores
from index.near import Near
from index.nearest import VOTERS
from index.replicas import AnyReplica
from index.supports import Floats, Ids, are_normal
from index.texts import LabelVectors


@dataclass(frozen=True, slots=True)
class _Limits:
    """The thresholds of every answer of one version."""

    coverage: float
    set_limit: float | None
    threshold: float | None
    accepts_unfamiliar: float | None
    certainty: float
    budget: Budget | None


def classify(
    replica: AnyReplica, rule: Rule, queries: Vectors, *, top: int, texts: LabelVectors | None = None
) -> list[Answer]:
    """Answer m queries, each with its `top` candidates and neighbours.

    A picture is unknown if nothing has been enrolled yet, if negative classes are more probable than
    the best normal one, or if it is unfamiliar; it is ambiguous if the best class is less
    probable than the rule's `certainty`.
    """
    with replica.lock:
        return _Judgement(replica, rule, replica.fit(rule, texts), top).answers(queries)


def search(
    replica: AnyReplica, queries: Vectors, *, top: int
) -> tuple[list[tuple[Neighbour | ManyNeighbour, ...]], int]:
    """Return the `top` nearest supports of each query, and the version that was searched."""
    with replica.lock:
        found = [_found(replica.classes, near) for near in replica.near(queries, top)]
        return found, replica.version


class _Judgement:
    """A fitted rule with everything that its answers have in common."""

    def __init__(self, replica: AnyReplica, rule: Rule, fitted: Fitted, top: int) -> None:
        self._replica = replica
        self._fitted = fitted
        self._top = top
        self._supports = fitted.fit.supports
        self._classes = [replica.classes[class_id] for class_id in self._supports.class_ids.tolist()]
        self._normal = are_normal(self._supports.class_ids, replica.classes)
        calibration = fitted.calibration
        threshold = calibration.threshold(rule.false_reject)
        self._limits = _Limits(
            coverage=rule.coverage,
            set_limit=calibration.set_limit(rule.coverage),
            threshold=threshold,
            accepts_unfamiliar=calibration.accepted_unfamiliar(threshold),
            certainty=rule.certainty,
            budget=None if rule.max_error is None else calibration.budget(rule, rule.max_error),
        )

    def answers(self, queries: Vectors) -> list[Answer]:
        supports = self._supports
        scores = self._fitted.fit.scores(queries)
        probabilities = self._fitted.probabilities(scores)
        likeness = mean_scores(supports.sums, supports.counts, queries, Metric.COSINE)
        nearness = novelty(scores, likeness, self._normal & (supports.counts > 0))
        near = self._replica.near(queries, max(self._top, VOTERS))
        answers = []
        for line, query in enumerate(queries):
            order = np.argsort(-probabilities[line], kind="stable")
            answers.append(
                Answer(
                    **self._decision(probabilities[line], order, float(nearness[line])),
                    candidates=tuple(
                        Candidate(self._classes[column].label, float(probabilities[line, column]))
                        for column in order[: self._top]
                    ),
                    neighbours=_neighbours(self._replica.classes, near[line].first(self._top)),
                    index_version=self._replica.version,
                    rule=self._fitted.rule,
                    explanation=self._explanation(query, near[line], scores[line], order),
                    candidate_set=self._candidate_set(probabilities[line], order),
                )
            )
        return answers

    def _decision(self, probabilities: Floats, order: Ids, nearness: float) -> dict[str, Any]:
        """Return the decision, its label, confidence and novelty."""
        if not len(order):
            nothing = {"decision": DecisionName.UNKNOWN, "label": None}
            automatic = self._is_automatic(DecisionName.UNKNOWN, 0.0)
            return {**nothing, "confidence": 0.0, "novelty": None, "automatic": automatic}
        best, limits = int(order[0]), self._limits
        negative = float(probabilities[~self._normal].sum())
        # a class without pictures has no supports that a picture could be unlike
        looked_at = self._supports.counts[best] > 0 and np.isfinite(nearness)
        strange = looked_at and limits.threshold is not None and nearness < limits.threshold
        decision = DecisionName.KNOWN
        if not self._normal[best] or negative >= probabilities[best] or strange:
            decision = DecisionName.UNKNOWN
        elif probabilities[best] < limits.certainty:
            decision = DecisionName.AMBIGUOUS
        confidence = 0.0 if decision is DecisionName.UNKNOWN else float(probabilities[best])
        return {
            "decision": decision,
            "automatic": self._is_automatic(decision, confidence),
            "label": None if decision is DecisionName.UNKNOWN else self._classes[best].label,
            "confidence": confidence,
            "novelty": Novelty(nearness, limits.threshold, limits.accepts_unfamiliar) if looked_at else None,
        }

    def _is_automatic(self, decision: DecisionName, confidence: float) -> bool | None:
        """Return whether the label needs no person; None without an error budget."""
        budget = self._limits.budget
        if budget is None:
            return None
        least = budget.threshold
        return decision is DecisionName.KNOWN and least is not None and confidence >= least

    def _explanation(self, query: Vector, near: Near, scores: Floats, order: Ids) -> Explanation:
        if not len(order) or not len(self._supports.ids):
            return Explanation(None, ())
        best = int(order[0])
        margin = float(scores[best] - scores[order[1]]) if len(order) > 1 else None
        contributions = self._replica.contributions(self._fitted, query, near, best)
        return Explanation(margin, tuple(contributions))

    def _candidate_set(self, probabilities: Floats, order: Ids) -> CandidateSet | None:
        if self._limits.set_limit is None:
            return None
        inside = max(int((probabilities >= self._limits.set_limit).sum()), 1)
        labels = tuple(self._classes[column].label for column in order[:inside])
        return CandidateSet(self._limits.coverage, labels)


def _neighbours(classes: Mapping[int, ClassChange], near: Near) -> tuple[Neighbour, ...]:
    return tuple(
        Neighbour(int(support_id), classes[int(class_id)].label, float(similarity))
        for support_id, class_id, similarity in zip(near.ids, near.class_ids, near.similarities, strict=True)
    )


def _found(classes: Mapping[int, ClassChange], near: Near) -> tuple[Neighbour | ManyNeighbour, ...]:
    """Return neighbours with their labels where a picture may have several."""
    return tuple(
        _with_labels(classes, one, classes[int(class_id)])
        for one, class_id in zip(_neighbours(classes, near), near.class_ids, strict=True)
    )


def _with_labels(
    classes: Mapping[int, ClassChange], one: Neighbour, class_: ClassChange
) -> Neighbour | ManyNeighbour:
    if class_.kind is not ClassKind.SET:
        return one
    labels = tuple(sorted(classes[label].label for label in class_.members))
    return ManyNeighbour(one.support_id, labels, class_.complete, one.similarity)
