"""The rules of a collection too large to be held: class means and neighbours, judged by some supports."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.types import Metric, Rule, RuleName
from core.vectors import Vector, Vectors
from index.calibration import Calibration, calibrate
from index.learning import CALIBRATE_SHARE, Fitted
from index.means import MeanFit
from index.near import Near
from index.nearest import REACH, VOTERS, scores_of
from index.supports import MOST_JUDGED, Floats, Ids, Scores, Supports

NearFunction = Callable[[Vectors, int], list[Near]]
BESIDE = 64  # neighbours asked for beyond a rule's own, so that some are left where a group is left out


class Sampled:
    """Holds what was learnt from a sample; it serves one replica."""

    def __init__(self) -> None:
        self._fitted: dict[tuple[RuleName, Metric], Fitted] = {}
        self._calibrated: dict[tuple[RuleName, Metric, bytes], tuple[int, Calibration]] = {}

    def forget(self) -> None:
        """Learn anew for the next answer: supports have changed."""
        self._fitted = {}

    def fitted(
        self,
        rule: Rule,
        sample: Callable[[], Supports],
        near: NearFunction,
        version: int,
        is_normal: Callable[[int], bool],
    ) -> Fitted:
        """Return the rule fitted to this version; rules that need every vector give way to `prototype`."""
        used = rule.name if rule.name in (RuleName.NEIGHBOURS, RuleName.NEAREST) else RuleName.PROTOTYPE
        key = used, rule.metric
        if key not in self._fitted:
            supports = sample()
            fit: MeanFit | SampledNeighbours
            if used is RuleName.PROTOTYPE:
                fit = MeanFit(supports, rule.metric)
            else:
                fit = SampledNeighbours(supports, near, vote=used is RuleName.NEIGHBOURS)
            normal = np.array([is_normal(class_id) for class_id in supports.class_ids.tolist()], bool)
            known = (*key, supports.class_ids[~normal].tobytes())
            found = self._calibrated.get(known)
            if found is None or version - found[0] >= CALIBRATE_SHARE * int(supports.counts.sum()):
                found = version, calibrate(fit, normal)
                self._calibrated = {known: found}
            self._fitted[key] = Fitted(used, fit, found[1], None)
        return self._fitted[key]


class SampledNeighbours:
    """The rules of neighbours where the neighbours come from a vector store and only a sample is at hand."""

    most_judged = MOST_JUDGED // 4  # each asks the store

    def __init__(self, supports: Supports, near: NearFunction, *, vote: bool) -> None:
        self.supports = supports
        self._near = near
        self._vote = vote
        self._k = VOTERS if vote else REACH

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores on the scale of a cosine."""
        return self._score(self._near(queries, self._k))

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its whole group.

        A class that is left out is so with those of it that were sampled; what is asked of it is how the
        others score.
        """
        scores = np.empty((len(rows), len(self.supports.class_ids)))
        for start in range(0, len(rows), BESIDE):
            some = rows[start : start + BESIDE]
            found = self._near(self.supports.vectors[some], self._k + BESIDE)
            left = [self._without(near, groups == groups[row]) for near, row in zip(found, some, strict=True)]
            scores[start : start + BESIDE] = self._score(left)
        return scores

    def contributions(self, query: Vector, column: int) -> Floats:
        """Not asked for: what spoke for a class comes from the store too."""
        return np.zeros(len(self.supports.ids))

    def _without(self, near: Near, group: Ids) -> Near:
        left = np.flatnonzero(~np.isin(near.ids, self.supports.ids[group]))[: self._k]
        return Near(near.ids[left], near.class_ids[left], near.similarities[left])

    def _score(self, found: list[Near]) -> Scores:
        """Score lines of neighbours, of which some may have fewer."""
        k = max((len(near.ids) for near in found), default=0)
        similarities = np.full((len(found), k), -np.inf)
        columns = np.zeros((len(found), k), np.int64)
        for line, near in enumerate(found):
            similarities[line, : len(near.ids)] = near.similarities
            columns[line, : len(near.ids)] = np.searchsorted(self.supports.class_ids, near.class_ids)
        return scores_of(similarities, columns, len(self.supports.class_ids), vote=self._vote)
