"""Calibration of scores, fitted on the supports themselves, each judged without itself.

No pictures are held out for it. Leave-fold-out scores give the temperature and the candidate sets,
leave-one-out scores the threshold below which a picture is unfamiliar, and leave-class-out scores the
share of unfamiliar pictures that pass that threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from core.collections import Metric, Rule
from index.error_budget import NOTHING_LEFT_OUT, Budget, LeftOut, budget_of
from index.fits import Fit
from index.means import mean_scores_held_out
from index.supports import MOST_JUDGED, Floats, Ids, Mask, Scores, Supports, places_of

FOLDS = 5
USUAL_INVERSE_TEMPERATURE = 30.0  # without data to fit it on
# If no class has two supports, but there are several: inverse temperature x the spread of an unfamiliar
# picture's scores over the classes. The best was 1.1 to 1.6 with four encoders, 10 to 40 sports and the
# rules of regression, and up to 1.9 with prototypes.
ONE_SHOT_SPREADS = 1.35
ONE_SHOT_MOST = 36.0  # the best scale at one shot was 12 to 36
INVERSE_TEMPERATURE_RANGE = (1.0, 300.0)
# With one support per class nothing known can be left out. The scores of unfamiliar and known pictures are
# then modelled as normal distributions of equal width this far apart: an AUROC of 0.69, as at one shot.
ONE_SHOT_SEPARATION = 0.70
FEWEST_UNFAMILIAR = 8  # to take a quantile of
FEWEST_CLASSES = 20  # in a sample: a larger class contributes only a part of its supports
MOST_CLASSES = 300  # that are left out one after the other


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration of a rule's scores, from the supports."""

    inverse_temperature: float
    """Probabilities are softmax(inverse_temperature x scores)."""
    nonconformity: Floats
    """Nonconformity, ascending: 1 - the probability of the true class, of supports without their fold."""
    known: Floats
    """Ascending: the novelty scores of supports, each left out."""
    unfamiliar: Floats
    """Ascending: the novelty scores of supports, each with its class left out."""
    left_out: LeftOut = NOTHING_LEFT_OUT
    """The answers about supports, each left out."""
    class_left_out: LeftOut = NOTHING_LEFT_OUT
    """The answers about supports, each with its class left out: as about unfamiliar pictures."""

    def probabilities(self, scores: Scores) -> Floats:
        """Map (m, C) scores to rows that sum to 1."""
        return softmax(self.inverse_temperature * scores)

    def set_limit(self, level: float) -> float | None:
        """Return the least probability in a candidate set with a coverage of `level`.

        Split-conformal on leave-fold-out scores; None if there are too few of them.
        """
        place = math.ceil((len(self.nonconformity) + 1) * level)
        if place > len(self.nonconformity) or not len(self.nonconformity):
            return None
        return float(1.0 - self.nonconformity[place - 1])

    def threshold(self, false_reject: float) -> float | None:
        """Return the novelty score below which a picture is unknown; None if it cannot be estimated.

        With fewer supports than 1 / false_reject it is the least novelty score, which rejects a few more.
        """
        if false_reject <= 0:
            return None
        if len(self.known):
            place = math.floor(false_reject * (len(self.known) + 1))
            return float(self.known[max(place - 1, 0)])
        if len(self.unfamiliar) >= FEWEST_UNFAMILIAR:
            share = NormalDist().cdf(ONE_SHOT_SEPARATION + NormalDist().inv_cdf(false_reject))
            return float(np.quantile(self.unfamiliar, share))
        return None

    def accepted_unfamiliar(self, threshold: float | None) -> float | None:
        """Return the share of unfamiliar pictures that pass the threshold; None if it cannot be estimated."""
        if not len(self.unfamiliar):
            return None
        return 1.0 if threshold is None else float((self.unfamiliar >= threshold).mean())

    def budget(self, rule: Rule, max_error: float) -> Budget:
        """Return what can be labelled by machine if at most `max_error` of it may be wrong."""
        return budget_of(self.left_out, rule, max_error, self.threshold(rule.false_reject))


@dataclass(frozen=True, slots=True)
class _Scale:
    """How scores become answers."""

    inverse_temperature: float
    normal: Mask
    """(C,), the normal classes with supports"""
    negative: Mask
    """(C,)"""


@dataclass(frozen=True, slots=True)
class FoldScores:
    """Scores of supports left out with their fold, of classes that keep other supports."""

    rows: Ids
    """(r,)"""
    columns: Ids
    """(r,), the columns of their own classes"""
    scores: Scores
    """(r, C)"""


def leave_folds_out(fit: Fit, chosen: Ids) -> FoldScores:
    """Score some rows without their folds."""
    supports = fit.supports
    judged = chosen[supports.counts[supports.columns[chosen]] > 1]
    groups = np.full(len(supports.ids), -1)
    groups[chosen] = folds(supports.columns[chosen])
    return FoldScores(judged, supports.columns[judged], fit.held_out(groups, judged))


def fold_loss(fit: Fit) -> float | None:
    """Return the mean -log probability of the true class of supports without their folds; None of none."""
    held_out = leave_folds_out(fit, sample(fit.supports, fit.most_judged))
    if not len(held_out.rows):
        return None
    probabilities = softmax(best_inverse_temperature(held_out.scores, held_out.columns) * held_out.scores)
    own = probabilities[np.arange(len(held_out.rows)), held_out.columns]
    return float(-np.log(np.maximum(own, 1e-12)).mean())


def calibrate(fit: Fit, normal: Mask) -> Calibration:
    """Calibrate a fit on its own supports; `normal` (C,) marks the columns of normal classes."""
    supports = fit.supports
    negative, normal = ~normal, normal & (supports.counts > 0)
    chosen = sample(supports, fit.most_judged)
    held_out = leave_folds_out(fit, chosen)
    own, scores = held_out.columns, held_out.scores
    if len(own):
        inverse_temperature = best_inverse_temperature(scores, own)
    else:
        inverse_temperature = usual_inverse_temperature(fit, chosen)
    probabilities = softmax(inverse_temperature * scores)
    scale = _Scale(inverse_temperature, normal, negative)
    alone = _left_out(fit, chosen, scale)
    is_known = (supports.counts[supports.columns[chosen]] > 1) & normal[supports.columns[chosen]]
    unfamiliar = _class_left_out(fit, chosen[normal[supports.columns[chosen]]], scale)
    return Calibration(
        inverse_temperature=inverse_temperature,
        nonconformity=np.sort(1.0 - probabilities[np.arange(len(own)), own]),
        known=np.sort(alone.novelty[is_known]),
        unfamiliar=np.sort(unfamiliar.novelty),
        left_out=alone,
        class_left_out=unfamiliar,
    )


def novelty(scores: Scores, likeness: Scores, normal: Mask) -> Floats:
    """Return (m,), the novelty scores: the best score plus the greatest similarity to a class mean.

    A rule's own score alone is unsafe: pictures far from all supports can get large ones.
    """
    if not normal.any():
        return np.full(len(scores), -np.inf)
    known: Floats = scores[:, normal].max(axis=1) + likeness[:, normal].max(axis=1)
    return known


def folds(columns: Ids) -> Ids:
    """Return (n,) the fold of each support: at most five folds, each as balanced over classes as possible.

    Every class puts its first support into fold 0, its second into fold 1 and so on, so that classes
    of equal size stay equal when a fold is left out.
    """
    if not len(columns):
        return np.empty(0, np.int64)
    folds: Ids = places_of(columns) % min(FOLDS, int(np.bincount(columns).max()))
    return folds


def sample(supports: Supports, most: int = MOST_JUDGED) -> Ids:
    """Return the rows to judge, ascending: all, or about `most` with small classes kept complete."""
    n = len(supports.ids)
    if n <= most:
        return np.arange(n)
    share = max(most // FEWEST_CLASSES, 2)  # per class
    held = np.flatnonzero(supports.counts > 0)
    stride = max(math.ceil(int(np.minimum(supports.counts[held], share).sum()) / most), 1)
    chosen = np.flatnonzero(np.isin(supports.columns, held[::stride]))
    return chosen[places_of(supports.columns[chosen]) < share]


def best_inverse_temperature(scores: Scores, columns: Ids) -> float:
    """Return the scale whose softmax maximises the likelihood of the true columns, by bisection.

    Of n supports, the true column counts for (n + 1) / (n + 2) and the others share the rest (Platt 1999):
    a few supports that are all classified correctly do not prove that all pictures will be.
    """
    n, classes = scores.shape
    if n == 0 or classes < 2:
        return USUAL_INVERSE_TEMPERATURE
    scores = np.maximum(scores, -1e3)  # a class without supports outside a fold
    own = scores[np.arange(n), columns]
    others = (scores.sum(axis=1) - own) / (classes - 1)
    target = ((n + 1) * own + others) / (n + 2)
    low, high = INVERSE_TEMPERATURE_RANGE
    for _ in range(24):  # the likelihood is concave in the scale
        middle = math.sqrt(low * high)
        expected = (softmax(middle * scores) * scores).sum(axis=1)
        low, high = (middle, high) if float((target - expected).mean()) > 0 else (low, middle)
    return math.sqrt(low * high)


def usual_inverse_temperature(fit: Fit, chosen: Ids) -> float:
    """Return the scale if every class has one support, from the spread of the other classes' scores."""
    rows, groups = _whole_classes(fit.supports, chosen)
    held = np.flatnonzero(fit.supports.counts > 0)
    if len(held) < 4:
        return USUAL_INVERSE_TEMPERATURE
    scores = fit.held_out(groups, rows)
    scores[np.arange(len(rows)), fit.supports.columns[rows]] = np.nan
    spread = float(np.nanstd(scores[:, held], axis=1).mean())
    return min(max(ONE_SHOT_SPREADS / max(spread, 1e-6), INVERSE_TEMPERATURE_RANGE[0]), ONE_SHOT_MOST)


def softmax(scores: Scores) -> Floats:
    """Map rows to probabilities; rows of only -inf become uniform."""
    if scores.shape[1] == 0:
        return scores
    best = scores.max(axis=1, keepdims=True)
    raised = np.exp(scores - np.where(np.isfinite(best), best, 0.0))
    raised[~np.isfinite(best[:, 0])] = 1.0
    total: Floats = raised / raised.sum(axis=1, keepdims=True)
    return total


def _left_out(fit: Fit, rows: Ids, scale: _Scale) -> LeftOut:
    """Answer some supports, each left out; the only support of a class gets a wrong answer."""
    groups = np.full(len(fit.supports.ids), -1)
    groups[rows] = np.arange(len(rows))
    return _answers(fit, groups, rows, scale)


def _class_left_out(fit: Fit, rows: Ids, scale: _Scale) -> LeftOut:
    """Answer some supports, each with its class left out."""
    if scale.normal.sum() < 2:
        return NOTHING_LEFT_OUT
    judged, groups = _whole_classes(fit.supports, rows)
    return _answers(fit, groups, judged, scale, without_own=True)


def _whole_classes(supports: Supports, rows: Ids) -> tuple[Ids, Ids]:
    """Return the rows of classes that are left out completely, and the group (n,) of each support."""
    left_out = np.unique(supports.columns[rows])
    left_out = left_out[:: max(math.ceil(len(left_out) / MOST_CLASSES), 1)]
    groups = np.where(np.isin(supports.columns, left_out), supports.columns, -1)
    return rows[groups[rows] >= 0], groups


def _answers(fit: Fit, groups: Ids, rows: Ids, scale: _Scale, *, without_own: bool = False) -> LeftOut:
    """Answer some supports, each without its group."""
    if not len(rows):
        return NOTHING_LEFT_OUT
    supports, line = fit.supports, np.arange(len(rows))
    own = supports.columns[rows]
    scores = fit.held_out(groups, rows)
    likeness = mean_scores_held_out(supports, groups, rows, Metric.COSINE)
    gone = np.full(len(rows), True) if without_own else supports.counts[own] < 2
    scores[line[gone], own[gone]] = likeness[line[gone], own[gone]] = -np.inf
    probabilities = softmax(scale.inverse_temperature * scores)
    best = probabilities.argmax(axis=1)
    confidence = probabilities[line, best]
    negative = probabilities[:, scale.negative].sum(axis=1)
    confidence[scale.negative[best] | (negative >= confidence)] = 0.0
    return LeftOut(confidence, novelty(scores, likeness, scale.normal), (best == own) & ~gone)
