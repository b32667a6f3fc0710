"""The fitted rule of several labels a picture, kept for one replica and updated when an answer needs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.changes import ClassChange
from core.collections import Aim, Rule, RuleName
from core.vectors import Vectors
from index.fits import rule_used
from index.kernel import KernelMatrix
from index.label_sets import LabelledRows, labelled_rows, raise_parents
from index.learning import CALIBRATE_ALWAYS, CALIBRATE_SHARE
from index.many_calibration import LabelCalibration, calibrate_labels, context
from index.many_fits import KernelLabels, LabelFit, LinearLabels, RowScatter, ridge_of_sets
from index.many_thresholds import Thresholds, thresholds
from index.ridge import REFIT_SHARE
from index.supports import Floats, Ids, Mask

REFIT_AFTER = 100_000  # changed rows of the scatter, which limits rounding errors


@dataclass(frozen=True, slots=True)
class FittedLabels:
    """A rule of several labels fitted to one version, with its calibration."""

    rule: RuleName
    """The rule that was used, never `auto`."""
    fit: LabelFit
    calibration: LabelCalibration

    def probabilities(self, queries: Vectors) -> tuple[Floats, Floats]:
        """Map (m, d) queries to (m, L) probabilities and (m,) familiarities; no child exceeds its parent."""
        scores, familiarity = self.fit.scores(queries)
        probabilities = self.calibration.probabilities(context(scores, familiarity))
        raise_parents(probabilities, self.fit.rows.parents)
        return probabilities, familiarity

    def given(self, probabilities: Floats, thresholds: Thresholds) -> Mask:
        """Map (m, L) probabilities to the labels that are `yes` (m, L); a label implies its parents."""
        reached = (probabilities >= thresholds.yes).astype(np.float64)
        raise_parents(reached, self.fit.rows.parents)
        given: Mask = reached > 0
        return given


class LabelLearner:
    """Caches what is expensive to compute: the kernel's inverse, the ridge's scatter, the calibration."""

    def __init__(self) -> None:
        self._kernel: KernelMatrix | None = None
        self._scatter: RowScatter | None = None
        self._rows: LabelledRows | None = None
        self._fitted: dict[RuleName, FittedLabels] = {}
        self._calibrated: tuple[RuleName, int, bytes, LabelCalibration] | None = None
        self._thresholds: dict[tuple[RuleName, Aim, float], Thresholds] = {}

    @property
    def follows_rows(self) -> bool:
        """Whether it must be told the vectors of rows that come and go."""
        return self._scatter is not None

    def change(self, removed: Vectors, added: Vectors, rows: int) -> None:
        """Forget the fit of the last version, given the vectors of rows that leave and join `rows` others."""
        self._rows, self._fitted, self._thresholds = None, {}, {}
        if self._scatter is None:
            return
        changed = len(removed) + len(added)
        if changed > REFIT_SHARE * rows or self._scatter.changed + changed > REFIT_AFTER:
            self._scatter = None
            return
        self._scatter.add(removed, -1.0)
        self._scatter.add(added)

    def fitted(
        self,
        rule: Rule,
        ids: Ids,
        vectors: Vectors,
        owners: Ids,
        classes: Mapping[int, ClassChange],
        version: int,
    ) -> FittedLabels:
        """Return the rule fitted to supports (n,) of the label sets `owners` (n,)."""
        used = _rule_used(rule.name, len(ids))
        if used not in self._fitted:
            if self._rows is None:
                self._rows = labelled_rows(ids, vectors, owners, classes)
            fit = self._fit(used, self._rows)
            self._fitted[used] = FittedLabels(used, fit, self._calibration(used, fit, version))
        return self._fitted[used]

    def thresholds(self, fitted: FittedLabels, rule: Rule) -> Thresholds:
        """Return the thresholds for a rule's aim."""
        key = (fitted.rule, rule.aim, rule.precision)
        if key not in self._thresholds:
            self._thresholds[key] = thresholds(fitted.calibration, rule)
        return self._thresholds[key]

    def _fit(self, used: RuleName, rows: LabelledRows) -> LabelFit:
        if used is RuleName.RIDGE and len(rows.ids):
            self._kernel = None  # up to 130 MB
            if self._scatter is None:
                self._scatter = RowScatter(rows.vectors)
            return LinearLabels(rows, self._scatter)
        self._scatter = None
        matrix, self._kernel = self._kernel or KernelMatrix(), None  # a time limit may interrupt the update
        matrix.become(rows.ids, rows.vectors, ridge_of_sets(rows))
        self._kernel = matrix
        return KernelLabels(rows, matrix)

    def _calibration(self, used: RuleName, fit: LabelFit, version: int) -> LabelCalibration:
        n, labels = len(fit.rows.ids), fit.rows.label_ids.tobytes()
        found = self._calibrated
        same = found is not None and (found[0], found[2]) == (used, labels)
        if found is not None and same and n > CALIBRATE_ALWAYS and version - found[1] < CALIBRATE_SHARE * n:
            return found[3]
        calibration = calibrate_labels(fit)
        self._calibrated = (used, version, labels, calibration)
        return calibration


def _rule_used(name: RuleName, supports: int) -> RuleName:
    """Return `kernel` or `ridge`: the other rules have no form for several labels."""
    used = rule_used(name, supports)
    return used if used in (RuleName.KERNEL, RuleName.RIDGE) else rule_used(RuleName.AUTO, supports)
