"""Thresholds of labels for an aim, and what each is expected to cost, from left-out probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from core.collections import Aim, Rule
from index.many_calibration import LabelCalibration
from index.supports import Floats, Ids

GRID = np.concatenate([np.arange(0.02, 0.98, 0.01), [0.98, 0.99, 0.995]])
TRUST = 10.0  # supports of a label from which on its own expectations count more than the common ones
LOOKED_AT = 2.0  # recall counts so much more than precision in what is `unsure`: the best F2


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of L labels, and the expected precision and recall of what reaches them."""

    yes: Floats
    """(L,), the least probability of `yes`"""
    unsure: Floats
    """(L,), the least probability of `unsure`"""
    precision: Floats
    """(L,), the expected share of right ones among what is `yes`"""
    recall: Floats
    """(L,), the expected share of true ones that are `yes`"""


def thresholds(calibration: LabelCalibration, rule: Rule) -> Thresholds:
    """Set the thresholds for a rule's aim.

    A calibrated probability is the expectation of being right, so expected precision and recall follow from
    probabilities alone. A label's own expectations are blended with those of all labels.
    """
    given, right, true = _expected(calibration)
    trust = calibration.counts / (calibration.counts + TRUST)
    given, right, true = (_blended(part, trust) for part in (given, right, true))
    precision = np.where(given > 0, right / np.maximum(given, 1e-12), GRID[:, None])
    recall = right / np.maximum(true, 1e-12)
    best = _best(given, right, true, 1.0)
    chosen = best if rule.aim is Aim.F1 else _precise(precision, rule.precision)
    looked_at = np.minimum(_best(given, right, true, LOOKED_AT), best)
    columns = np.arange(len(calibration.counts))
    return Thresholds(
        yes=GRID[chosen],
        unsure=GRID[np.minimum(looked_at, chosen)],
        precision=precision[chosen, columns],
        recall=recall[chosen, columns],
    )


def _expected(calibration: LabelCalibration) -> tuple[Floats, Floats, Floats]:
    """Return how many reach each threshold, how many of them are right, (T, L), and true ones (1, L)."""
    probabilities, weights = calibration.probabilities_judged, calibration.weights
    labels = probabilities.shape[1]
    places = np.searchsorted(GRID, probabilities, side="right")  # a threshold below this place is reached
    cells = places * labels + np.arange(labels)
    every = np.broadcast_to(weights[:, None], probabilities.shape)
    shape = (len(GRID) + 1, labels)
    given, right = np.zeros(shape), np.zeros(shape)
    given.ravel()[:] = np.bincount(cells.ravel(), every.ravel(), given.size)
    right.ravel()[:] = np.bincount(cells.ravel(), (every * probabilities).ravel(), right.size)
    return _reaching(given), _reaching(right), right.sum(axis=0, dtype=np.float64)[None]


def _reaching(part: npt.NDArray[Any]) -> Floats:
    """Return the sums from each place on, without the first."""
    reached: Floats = np.cumsum(part[::-1], axis=0, dtype=np.float64)[::-1][1:]
    return reached


def _blended(part: Floats, trust: Floats) -> Floats:
    common = part.mean(axis=1, keepdims=True) if part.shape[1] else part
    blended: Floats = trust * part + (1.0 - trust) * common
    return blended


def _best(given: Floats, right: Floats, true: Floats, beta: float) -> Ids:
    """Return each label's place in the grid with the best expected F score."""
    score = (1.0 + beta**2) * right / np.maximum(given + beta**2 * true, 1e-12)
    # of equal ones the middle, furthest from what a picture just like the supports could reach
    equal = score >= score.max(axis=0) - 1e-9
    places: Ids = np.round((equal * np.arange(len(GRID))[:, None]).sum(axis=0) / equal.sum(axis=0)).astype(
        int
    )
    return places


def _precise(precision: Floats, target: float) -> Ids:
    """Return each label's place in the grid from which on the expected precision reaches the target."""
    reached = np.logical_and.accumulate((precision >= target)[::-1], axis=0)[::-1]
    places: Ids = np.where(reached.any(axis=0), reached.argmax(axis=0), len(GRID) - 1)
    return places
