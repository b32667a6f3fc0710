"""Decisions about pictures of several labels: probabilities to `yes`, `unsure`, "none" or "unknown"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.answers import Candidate, Explanation, LabelAnswer, ManyAnswer, ManyNeighbour, Novelty
from core.collections import DecisionName, LabelDecision, Rule
from core.errors import ExemplarError
from core.tiles import CROPS
from core.vectors import Crops, Vector, Vectors
from index.contributions import strongest
from index.many_tiles import weigh_tiles
from index.near import Near
from index.replica import Replica
from index.replicas import AnyReplica
from index.supports import Floats, Ids, Mask

EXPLAINED = 20  # labels with an explanation of their own; more would cost more than the answer


def classify_many(
    replica: AnyReplica, rule: Rule, queries: Vectors, *, top: int, crops: Crops | None = None
) -> list[ManyAnswer]:
    """Answer m queries with the labels of each, and its `top` candidates and neighbours.

    With `crops` of the same pictures, each label is decided by its best tile. Raises `index_invalid` if the
    vectors are in Milvus: the rule needs all of them in memory.
    """
    here = in_memory(replica)
    with here.lock:
        return _Judgement(here, rule, top).answers(queries, crops)


def in_memory(replica: AnyReplica) -> Replica:
    """Return a replica whose vectors are in memory; raises `index_invalid` for one in Milvus."""
    if not isinstance(replica, Replica):
        raise ExemplarError(
            "index_invalid",
            "expected an index in memory (flat, ivf or rabitq) for several labels a picture, got milvus",
        )
    return replica


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture with what is known about L labels of it."""

    tiles: Vectors
    """(t, d), the whole picture first"""
    decided: Ids
    """(L,), the tile that decided each label"""
    probabilities: Floats
    """(L,)"""
    given: Mask
    """(L,), which labels are `yes`"""
    familiarity: float


class _Judgement:
    """A fitted rule with everything that its answers have in common."""

    def __init__(self, replica: Replica, rule: Rule, top: int) -> None:
        self._replica = replica
        self._top = top
        self._fitted, self._thresholds = replica.fit_labels(rule)
        self._rows = self._fitted.fit.rows
        classes = replica.classes
        self._names = [classes[label_id].label for label_id in self._rows.label_ids.tolist()]
        self._certainty = rule.certainty
        self._least_familiar = self._fitted.calibration.familiarity_threshold(rule.false_reject)

    def answers(self, queries: Vectors, crops: Crops | None) -> list[ManyAnswer]:
        if not len(self._rows.ids) or not len(queries):
            return [self._nothing() for _ in queries]
        evidence = weigh_tiles(self._fitted, queries, crops)
        given = self._fitted.given(evidence.probabilities, self._thresholds)
        near = self._replica.near(queries, self._top)
        return [
            self._answer(
                _Picture(
                    query[None] if crops is None else np.concatenate([query[None], crops[line]]),
                    evidence.tiles[line],
                    evidence.probabilities[line],
                    given[line],
                    float(evidence.familiarity[line]),
                ),
                near[line],
            )
            for line, query in enumerate(queries)
        ]

    def _answer(self, picture: _Picture, near: Near) -> ManyAnswer:
        probabilities, familiarity = picture.probabilities, picture.familiarity
        order = np.argsort(-probabilities, kind="stable")
        # the only example of a label is unlike the others, and so is a combination that none of them shows
        strange = (
            self._least_familiar is not None
            and familiarity < self._least_familiar
            and probabilities.max(initial=0.0) < self._certainty
        )
        labels = self._labels(picture, order)
        decision = _decision(labels, strange=strange)
        labels = () if decision is DecisionName.UNKNOWN else labels
        return ManyAnswer(
            decision=decision,
            labels=labels,
            confidence=labels[0].probability if labels else 0.0,
            candidates=tuple(
                Candidate(self._names[column], float(probabilities[column])) for column in order[: self._top]
            ),
            neighbours=self._neighbours(near),
            rule=self._fitted.rule,
            novelty=Novelty(familiarity, self._least_familiar, None),
            index_version=self._replica.version,
        )

    def _labels(self, picture: _Picture, order: Ids) -> tuple[LabelAnswer, ...]:
        probabilities, given = picture.probabilities, picture.given
        shown = order[given[order] | (probabilities[order] >= self._thresholds.unsure[order])]
        return tuple(
            LabelAnswer(
                label=self._names[column],
                probability=float(probabilities[column]),
                decision=LabelDecision.YES if given[column] else LabelDecision.UNSURE,
                explanation=self._explanation(picture.tiles[picture.decided[column]], int(column), place),
                part=CROPS[picture.decided[column] - 1] if picture.decided[column] else None,
            )
            for place, column in enumerate(shown)
        )

    def _explanation(self, query: Vector, column: int, place: int) -> Explanation:
        """Return the supports that contributed most to a label, near or not."""
        if place >= EXPLAINED:
            return Explanation(None, ())
        rows, shares = self._fitted.fit.contributions(query, column)
        found = strongest(self._rows, rows, shares, query, self._names[column])
        return Explanation(None, tuple(found))

    def _neighbours(self, near: Near) -> tuple[ManyNeighbour, ...]:
        classes = self._replica.classes
        found = []
        kinds = zip(near.ids.tolist(), near.class_ids.tolist(), near.similarities.tolist(), strict=True)
        for support_id, set_id, similarity in kinds:
            one = classes[set_id]
            labels = tuple(sorted(classes[label].label for label in one.members))
            found.append(ManyNeighbour(support_id, labels, one.complete, similarity))
        return tuple(found)

    def _nothing(self) -> ManyAnswer:
        return ManyAnswer(
            decision=DecisionName.UNKNOWN,
            labels=(),
            confidence=0.0,
            candidates=(),
            neighbours=(),
            rule=self._fitted.rule,
            novelty=None,
            index_version=self._replica.version,
        )


def _decision(labels: tuple[LabelAnswer, ...], *, strange: bool) -> DecisionName:
    if strange:
        return DecisionName.UNKNOWN
    if any(one.decision is LabelDecision.YES for one in labels):
        return DecisionName.KNOWN
    return DecisionName.AMBIGUOUS if labels else DecisionName.NONE
