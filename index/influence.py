"""Influence: how the answers about other supports would change without one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.calibration import softmax
from index.kernel import KernelFit
from index.learning import Fitted
from index.ridge import RidgeFit
from index.supports import Floats, Ids

CELLS = 60_000_000  # probabilities that are computed for it: about a second of one core


@dataclass(frozen=True, slots=True)
class Influence:
    """What leaving out each of some supports does to the answers about the others."""

    rows: Ids
    """(k,), the supports that were left out"""
    gain: Floats
    """(k,), the sum over the others of how much more probable their own class becomes"""
    fixed: Ids
    """(k,), how many others become right"""
    broken: Ids
    """(k,), how many others become wrong"""


NO_INFLUENCE = Influence(*(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)))


def influence(fitted: Fitted, judged: Ids, suspects: Ids) -> Influence:
    """Leave out supports, each in turn, and judge the `judged` ones, each also without itself.

    Closed form for the rules of regression (rows and columns of the same inverse); other rules have none. All
    judged supports are left out where that takes no longer than a second, and otherwise the first `suspects`.
    """
    fit = fitted.fit
    if not isinstance(fit, KernelFit | RidgeFit) or len(judged) < 2:
        return NO_INFLUENCE
    each = len(judged) * len(fit.supports.class_ids)
    most = max(CELLS // max(each, 1), 1)
    rows = judged if len(judged) <= most else suspects[:most]
    without = fit.pairs_left_out(judged)
    groups = np.full(len(fit.supports.ids), -1)
    groups[judged] = np.arange(len(judged))
    own, line = fit.supports.columns[judged], np.arange(len(judged))
    scale = fitted.calibration.inverse_temperature
    before = softmax(scale * fit.held_out(groups, judged))
    was_right = before.argmax(axis=1) == own
    gain, fixed, broken = np.zeros(len(rows)), np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for place, row in enumerate(rows.tolist()):
        after = softmax(scale * without(row))
        is_right, others = after.argmax(axis=1) == own, judged != row
        gain[place] = (after[line, own] - before[line, own])[others].sum()
        fixed[place] = (is_right & ~was_right & others).sum()
        broken[place] = (was_right & ~is_right & others).sum()
    return Influence(rows, gain, fixed, broken)
