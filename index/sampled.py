"""Rules for a collection whose vectors are not in memory: class means and neighbours, judged on a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from core.changes import ClassChange
from core.collections import Metric, Rule, RuleName
from core.vectors import Vector, Vectors
from index.calibration import Calibration, calibrate
from index.learning import CALIBRATE_SHARE, Fitted
from index.means import MeanFit
from index.near import Near
from index.nearest import REACH, VOTERS, scores_of
from index.supports import MOST_JUDGED, Floats, Ids, Scores, Supports, are_normal

NearFunction = Callable[[Vectors, int], list[Near]]
EXTRA = 64  # extra neighbours, so that enough are left when a group is left out


class Sampled:
    """Caches what was fitted to a sample; it belongs to one replica."""

    def __init__(self) -> None:
        self._fitted: dict[tuple[RuleName, Metric], Fitted] = {}
        self._calibrated: dict[tuple[RuleName, Metric, bytes], tuple[int, Calibration]] = {}

    def forget(self) -> None:
        """Refit for the next answer: supports have changed."""
        self._fitted = {}

    def fitted(
        self,
        rule: Rule,
        sample: Callable[[], Supports],
        near: NearFunction,
        version: int,
        classes: Mapping[int, ClassChange],
    ) -> Fitted:
        """Return the rule fitted to this version; rules that need all vectors become `prototype`."""
        used = rule.name if rule.name in (RuleName.NEIGHBOURS, RuleName.NEAREST) else RuleName.PROTOTYPE
        key = used, rule.metric
        if key not in self._fitted:
            supports = sample()
            fit: MeanFit | SampledNeighbours
            if used is RuleName.PROTOTYPE:
                fit = MeanFit(supports, rule.metric)
            else:
                fit = SampledNeighbours(supports, near, vote=used is RuleName.NEIGHBOURS)
            normal = are_normal(supports.class_ids, classes)
            known = (*key, supports.class_ids[~normal].tobytes())
            found = self._calibrated.get(known)
            if found is None or version - found[0] >= CALIBRATE_SHARE * int(supports.counts.sum()):
                found = version, calibrate(fit, normal)
                self._calibrated = {known: found}
            self._fitted[key] = Fitted(used, fit, found[1], None)
        return self._fitted[key]


class SampledNeighbours:
    """The neighbour rules with neighbours from a vector store and a sample in memory."""

    most_judged = MOST_JUDGED // 4  # each needs a query of the store

    def __init__(self, supports: Supports, near: NearFunction, *, vote: bool) -> None:
        self.supports = supports
        self._near = near
        self._vote = vote
        self._k = VOTERS if vote else REACH

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores on the scale of a cosine."""
        return self._score(self._near(queries, self._k))

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its group.

        Of a left-out class only the sampled supports are left out; it is used for the scores of the
        other classes.
        """
        scores = np.empty((len(rows), len(self.supports.class_ids)))
        for start in range(0, len(rows), EXTRA):
            some = rows[start : start + EXTRA]
            found = self._near(self.supports.vectors[some], self._k + EXTRA)
            left = [self._without(near, groups == groups[row]) for near, row in zip(found, some, strict=True)]
            scores[start : start + EXTRA] = self._score(left)
        return scores

    def contributions(self, query: Vector, column: int) -> Floats:
        """Unused: contributions come from the store too."""
        return np.zeros(len(self.supports.ids))

    def _without(self, near: Near, group: Ids) -> Near:
        left = np.flatnonzero(~np.isin(near.ids, self.supports.ids[group]))[: self._k]
        return Near(near.ids[left], near.class_ids[left], near.similarities[left])

    def _score(self, found: list[Near]) -> Scores:
        """Score rows of neighbours, some of which may have fewer."""
        k = max((len(near.ids) for near in found), default=0)
        similarities = np.full((len(found), k), -np.inf)
        columns = np.zeros((len(found), k), np.int64)
        for line, near in enumerate(found):
            similarities[line, : len(near.ids)] = near.similarities
            columns[line, : len(near.ids)] = np.searchsorted(self.supports.class_ids, near.class_ids)
        return scores_of(similarities, columns, len(self.supports.class_ids), vote=self._vote)
