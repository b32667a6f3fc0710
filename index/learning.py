"""The fitted rules of one replica, updated when an answer needs them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.collections import Metric, Rule, RuleName
from core.vectors import Vectors
from index.calibration import Calibration, calibrate, fold_loss
from index.fits import Fit, rule_used
from index.kernel import KernelFit, KernelMatrix
from index.means import MeanFit
from index.nearest import NeighbourFit, Search
from index.prior import Prior
from index.ridge import REFIT_AFTER, REFIT_SHARE, RidgeFit, Scatter
from index.supports import Floats, Mask, Scores, Supports

CALIBRATE_ALWAYS = 2_000  # supports up to which every version is calibrated
TRUSTS = (1.0, 0.5, 0.0)  # weights of the prior for classes with pictures; the best one is used
CALIBRATE_SHARE = 0.05  # of the supports: above CALIBRATE_ALWAYS, recalibrate once so many have changed


@dataclass(frozen=True, slots=True)
class Fitted:
    """A rule fitted to one version, with its calibration."""

    rule: RuleName
    """The rule that was used, never `auto`."""
    fit: Fit
    calibration: Calibration
    prior: Prior | None

    def probabilities(self, scores: Scores) -> Floats:
        """Map (m, C) scores to rows that sum to 1."""
        if self.prior is not None and not len(self.fit.supports.ids):
            return scores  # the prior itself
        return self.calibration.probabilities(scores)


class Learner:
    """Caches what is expensive to compute: the kernel's inverse, the ridge's scatter, the calibration."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._kernel: KernelMatrix | None = None
        self._scatter: Scatter | None = None
        self._calibrated: dict[tuple[RuleName, Metric, bytes], tuple[int, Calibration]] = {}
        self._fitted: dict[tuple[RuleName, Metric], Fitted] = {}

    def leave(self, classes: Iterable[Vectors], rows: int, of: int) -> None:
        """Take classes that will change out of the sums, given their vectors; they hold `rows` of `of`."""
        self._fitted = {}
        if self._scatter is None:
            return
        if rows > REFIT_SHARE * of or self._scatter.changed > REFIT_AFTER:
            self._scatter = None
            return
        for vectors in classes:
            self._scatter.leave(vectors)

    def join(self, classes: Iterable[Vectors]) -> None:
        """Add the changed classes again, given their vectors."""
        if self._scatter is not None:
            for vectors in classes:
                self._scatter.join(vectors)

    def fitted(
        self, rule: Rule, supports: Supports, version: int, normal: Mask, prior: Prior | None
    ) -> Fitted:
        """Return the rule fitted to these supports; `normal` (C,) marks the columns of normal classes."""
        used = rule_used(rule.name, len(supports.ids))
        key = (used, rule.metric)
        found = self._fitted.get(key)
        if found is not None and (prior is found.prior or (prior is not None and prior.is_like(found.prior))):
            return found
        trusted = self._trusted(used, supports, prior)
        fit = self.fit(used, rule.metric, supports, trusted)
        negative = supports.class_ids[~normal].tobytes()
        calibration = self._calibration((*key, negative), fit, version, normal)
        self._fitted[key] = Fitted(used, fit, calibration, prior)
        return self._fitted[key]

    def _trusted(self, used: RuleName, supports: Supports, prior: Prior | None) -> Prior | None:
        """Return the prior with the trust that maximises the likelihood of left-out supports.

        Names may carry no visual meaning ("lot 17"), and pictures then do better without them.
        """
        if prior is None or used not in (RuleName.KERNEL, RuleName.RIDGE):
            return None
        best, least = prior, math.inf
        for trust in TRUSTS:
            other = prior.trusted(trust, supports.counts)
            loss = fold_loss(self.fit(used, Metric.COSINE, supports, other))
            if loss is not None and loss < least:
                best, least = other, loss
        return best

    def fit(self, used: RuleName, metric: Metric, supports: Supports, prior: Prior | None) -> Fit:
        """Fit a rule, named as it is used, to supports."""
        if used is not RuleName.KERNEL:
            self._kernel = None  # up to 130 MB
        if used is not RuleName.RIDGE:
            self._scatter = None
        if used is RuleName.PROTOTYPE:
            return MeanFit(supports, metric)
        if used in (RuleName.NEIGHBOURS, RuleName.NEAREST):
            return NeighbourFit(supports, self._search, vote=used is RuleName.NEIGHBOURS)
        if used is RuleName.RIDGE and len(supports.ids):
            if self._scatter is None:
                self._scatter = Scatter(supports)
            return RidgeFit(supports, self._scatter, prior)
        matrix, self._kernel = self._kernel or KernelMatrix(), None  # a time limit may interrupt the update
        matrix.follow(supports)
        self._kernel = matrix
        return KernelFit(supports, matrix, prior)

    def _calibration(
        self, key: tuple[RuleName, Metric, bytes], fit: Fit, version: int, normal: Mask
    ) -> Calibration:
        n = len(fit.supports.ids)
        found = self._calibrated.get(key)
        if found is not None and n > CALIBRATE_ALWAYS and version - found[0] < CALIBRATE_SHARE * n:
            return found[1]
        calibration = calibrate(fit, normal)
        self._calibrated = {key: (version, calibration)}
        return calibration
