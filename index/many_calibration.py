"""Calibration of several labels a picture, on the supports themselves, each scored without itself.

Where supports state one label each, a picture with several is unlike any of them. Sums of a few supports
stand for such pictures: an encoder that averages over places gives two things in one picture about the mean
of their vectors. They are scored without their supports, and count as pictures of two to four labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.vectors import Vectors
from index.label_sets import LabelledRows
from index.many_fits import LabelFit
from index.supports import Floats, Ids, Mask, Scores, evenly

# of the explained share of a picture, beside a label's own score; 1.0 had up to 0.014 more mAP, and less F1:
# probabilities were worse, since sums of supports are explained better than pictures
FAMILIARITY_WEIGHT = 0.5
SIZES = (2, 3, 4)  # supports in a sum
SUMS = 300
JUDGED_CELLS = 1 << 18  # scores at most; about a second of one core
FEWEST_JUDGED = 100
MOST_JUDGED = 2_000
# Left-out positives score too low, since their label then has a support less. In units of the deviation of a
# label's negatives, positives of n supports were 1.05 + 0.55 ln n above them (mosaics of 80 sports); the
# estimate from left-out positives counts as much as this one where n is 5.
FIRST_SEPARATION, SEPARATION_GROWTH = 1.05, 0.55
TRUST = 4.0
SPREAD = 1.2
SLOPE_DEVIATION, OFFSET_DEVIATION = 0.3, 0.5  # of labels around the common slope and offset
LEAST_SLOPE = 0.2
STEPS = 25


@dataclass(frozen=True, slots=True)
class Judged:
    """Supports and sums of supports, scored without themselves."""

    scores: Scores
    """(g, L)"""
    positive: Mask
    """(g, L)"""
    supported: Mask
    """(g, L): whether other supports bear the label"""
    weights: Floats
    """(g,), sum up to the number of supports"""
    familiarity: Floats
    """(g,)"""
    supports: int
    """How many of the first are supports; sums follow."""


@dataclass(frozen=True, slots=True)
class LabelCalibration:
    """Scores to probabilities, label by label."""

    slopes: Floats
    """(L,)"""
    offsets: Floats
    """(L,)"""
    probabilities_judged: Floats
    """(g, L), of what was judged"""
    weights: Floats
    """(g,)"""
    counts: Ids
    """(L,), the supports that bear each label"""
    known: tuple[Floats, ...]
    """Ascending: the familiarity of supports, and of sums if there are any, each without itself."""

    def probabilities(self, scores: Scores) -> Floats:
        """Map (m, L) scores to probabilities."""
        return sigmoid(self.logits(scores))

    def logits(self, scores: Scores) -> Floats:
        """Map (m, L) scores to log-odds."""
        return self.slopes * scores + self.offsets

    def familiarity_threshold(self, false_reject: float) -> float | None:
        """Return the familiarity below which a picture is unlike all supports; None without an estimate.

        A new picture may be like single supports or like their sums, so the lower of two quantiles counts.
        """
        if false_reject <= 0 or not self.known or len(self.known[0]) < 2:
            return None
        return min(float(part[int(false_reject * (len(part) - 1))]) for part in self.known)


def calibrate_labels(fit: LabelFit) -> LabelCalibration:
    """Calibrate a fit on its own supports."""
    judged = judge(fit)
    counts = fit.rows.counts
    means, deviations = _of_negatives(judged)
    standard = (judged.scores - means) / deviations
    _correct(standard, judged, counts)
    slopes, offsets = _fit(standard, judged, counts)
    parts = judged.familiarity[: judged.supports], judged.familiarity[judged.supports :]
    return LabelCalibration(
        slopes=slopes / deviations,
        offsets=offsets - slopes * means / deviations,
        probabilities_judged=sigmoid(slopes * standard + offsets),
        weights=judged.weights,
        counts=counts,
        known=tuple(np.sort(part) for part in parts if len(part)),
    )


def judge(fit: LabelFit) -> Judged:
    """Score supports, and sums of those that state one label, without themselves."""
    rows = fit.rows
    n, labels = rows.present.shape
    order = np.argsort(rows.ids, kind="stable")  # so that the choice does not depend on the order of changes
    most = min(max(JUDGED_CELLS // max(labels, 1), FEWEST_JUDGED), MOST_JUDGED)
    chosen = evenly(order, most)
    groups = [chosen[:, None]]
    parts = order[_is_part(rows)[order]]
    sums = min(SUMS, most)
    groups += _sums(rows, parts, sums)
    drawn = sum(len(group) for group in groups[1:])
    share = len(parts) / max(n, 1)
    found = [_judge_groups(fit, group) for group in groups if len(group)]
    if not found:
        nothing = np.zeros((0, labels))
        return Judged(nothing, nothing > 0, nothing > 0, np.empty(0), np.empty(0), 0)
    # a picture of one part has as much weight as one of two, three or four
    weights = [np.full(len(chosen), n / len(chosen))]
    if drawn:
        weights.append(np.full(drawn, (len(groups) - 1) * share * n / drawn))
    every = np.concatenate(weights)
    return Judged(
        scores=np.concatenate([one[0] for one in found]),
        positive=np.concatenate([one[1] for one in found]),
        supported=np.concatenate([one[2] for one in found]),
        weights=every * n / every.sum(),
        familiarity=np.concatenate([one[3] for one in found]),
        supports=len(chosen),
    )


def context(scores: Scores, familiarity: Floats) -> Scores:
    """Return scores in which a picture that the supports explain well counts more, in place."""
    scores += FAMILIARITY_WEIGHT * familiarity[:, None]
    return scores


def sigmoid(logits: Floats) -> Floats:
    """Map logits to probabilities."""
    probabilities: Floats = 1.0 / (1.0 + np.exp(-np.clip(logits, -40.0, 40.0)))
    return probabilities


def unit_sums(vectors: Vectors, groups: Ids) -> Vectors:
    """Return the sums of groups (g, k) of rows, of unit length."""
    sums = vectors[groups].sum(axis=1, dtype=np.float64)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    summed: Vectors = (sums / np.maximum(lengths, 1e-12)).astype(np.float32)
    return summed


def _judge_groups(fit: LabelFit, groups: Ids) -> tuple[Scores, Mask, Mask, Floats]:
    rows = fit.rows
    if groups.shape[1] == 1:
        scores, familiarity = fit.left_out(groups[:, 0])
    else:
        scores, familiarity = fit.scores_without(unit_sums(rows.vectors, groups), groups)
    present = np.zeros(scores.shape)
    for place in range(groups.shape[1]):
        present += rows.present[groups[:, place]].toarray()
    return context(scores, familiarity), present > 0, present < rows.counts, familiarity


def _is_part(rows: LabelledRows) -> Mask:
    """Return (n,): whether a support is a partial set of one label and those it implies."""
    has_parent = (rows.parents >= 0).astype(np.float64)
    sizes = np.diff(rows.present.indptr) - rows.present @ has_parent if len(rows.ids) else np.empty(0)
    mask: Mask = ~rows.complete & (np.abs(sizes - 1.0) < 0.5)
    return mask


def _sums(rows: LabelledRows, parts: Ids, number: int) -> list[Ids]:
    """Return groups of 2, 3 and 4 rows of different labels, the same ones for the same supports.

    Groups are of at most half of the labels: of two labels, few pictures have both.
    """
    if len(parts) < 2:
        return []
    rng = np.random.default_rng(0)
    first = rows.present.indices[rows.present.indptr[parts + 1] - 1]  # its last label is one of its own
    most = len(np.unique(first)) // 2
    found = []
    for size in SIZES:
        if size > most:
            break
        drawn = rng.integers(0, len(parts), (number // len(SIZES), size))
        labels = np.sort(first[drawn], axis=1)
        different = (np.diff(labels, axis=1) != 0).all(axis=1)
        if different.any():
            found.append(parts[drawn[different]])
    return found


def _of_negatives(judged: Judged) -> tuple[Floats, Floats]:
    """Return the mean and the deviation of each label's negatives, each (L,)."""
    weights = np.where(judged.positive, 0.0, judged.weights[:, None])
    total = weights.sum(axis=0)
    means = (weights * judged.scores).sum(axis=0) / np.maximum(total, 1e-12)
    variance = (weights * (judged.scores - means) ** 2).sum(axis=0) / np.maximum(total, 1e-12)
    deviations = np.sqrt(variance)
    usual = float(np.median(deviations[total > 1.0])) if (total > 1.0).any() else 0.1
    # a label with few negatives has the deviation of the others
    blended = np.sqrt((total * variance + 2.0 * usual**2) / (total + 2.0))
    return means, np.maximum(blended, 1e-3)


def _correct(standard: Scores, judged: Judged, counts: Ids) -> None:
    """Shift left-out positives to where those of queries would be; where a label has none, put usual ones."""
    usable = judged.positive & judged.supported
    weights = np.where(usable, judged.weights[:, None], 0.0)
    total = weights.sum(axis=0)
    own = (weights * standard).sum(axis=0) / np.maximum(total, 1e-12)
    usual = FIRST_SEPARATION + SEPARATION_GROWTH * np.log(np.maximum(counts, 1))
    distrust = TRUST / (np.maximum(counts - 1, 0) + TRUST)
    shift = np.where(total > 0, distrust * (usual - own), 0.0)
    standard += np.where(usable, shift, 0.0)
    alone = judged.positive & ~judged.supported
    places = np.cumsum(alone, axis=0) - 0.5
    share = places / np.maximum(alone.sum(axis=0), 1)
    np.copyto(standard, usual + SPREAD * _normal_quantile(share), where=alone)


def _normal_quantile(share: Floats) -> Floats:
    """Return the quantiles of the logistic distribution of variance 1, which has heavier tails."""
    clipped = np.clip(share, 0.01, 0.99)
    quantiles: Floats = np.sqrt(3.0) / np.pi * np.log(clipped / (1.0 - clipped))
    return quantiles


def _fit(standard: Scores, judged: Judged, counts: Ids) -> tuple[Floats, Floats]:
    """Return each label's slope and offset, shrunk to common ones (Platt 1999; a Gaussian prior)."""
    weights = judged.weights[:, None]
    positives = (weights * judged.positive).sum(axis=0)
    total = judged.weights.sum()
    base = np.log((positives + 0.5) / (total - positives + 0.5))
    slope, offset = np.array(1.0), np.array(-1.0)
    labels = len(counts)
    for _ in range(STEPS):  # common to all labels
        step = _newton(standard, judged, (slope, offset), base)
        gradient, curvature = [part.sum(axis=-1) for part in step]
        move = np.linalg.solve(_matrix(curvature) + 1e-3 * np.eye(2), gradient)
        move = np.clip(move, -1.0, 1.0)
        slope, offset = slope + move[0], offset + move[1]
        if np.abs(move).max() < 1e-9:
            break
    slopes, offsets = np.full(labels, float(slope)), np.full(labels, float(offset))
    prior = np.array([1.0 / SLOPE_DEVIATION**2, 1.0 / OFFSET_DEVIATION**2])
    common = np.array([float(slope), float(offset)])
    for _ in range(STEPS):
        gradient, curvature = _newton(standard, judged, (slopes, offsets), base)
        gradient = gradient - prior[:, None] * (np.stack([slopes, offsets]) - common[:, None])
        matrices = np.moveaxis(_matrix(curvature), -1, 0) + np.diag(prior)
        move = np.clip(np.linalg.solve(matrices, gradient.T[:, :, None])[:, :, 0], -1.0, 1.0)
        slopes, offsets = slopes + move[:, 0], offsets + move[:, 1]
        if not labels or np.abs(move).max() < 1e-9:
            break
    return np.maximum(slopes, LEAST_SLOPE), offsets + base


def _newton(
    standard: Scores, judged: Judged, at: tuple[Floats, Floats], base: Floats
) -> tuple[Floats, Floats]:
    """Return each label's gradient (2, L) and curvature (3, L) of the log likelihood."""
    probabilities = sigmoid(at[0] * standard + at[1] + base)
    weights = judged.weights[:, None]
    residual = weights * (judged.positive - probabilities)
    spread = weights * probabilities * (1.0 - probabilities)
    gradient = np.stack([(residual * standard).sum(axis=0), residual.sum(axis=0)])
    curved = spread * standard
    curvature = np.stack([(curved * standard).sum(axis=0), curved.sum(axis=0), spread.sum(axis=0)])
    return gradient, curvature


def _matrix(curvature: Floats) -> Floats:
    matrix: Floats = np.array([[curvature[0], curvature[1]], [curvature[1], curvature[2]]])
    return matrix
