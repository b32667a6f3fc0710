"""Error budgets: the confidence from which a label needs no person, for a target share of wrong labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

from core.collections import ErrorOf, Rule
from core.shares import SURE
from index.supports import Floats, Mask


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Answers about supports that were left out, each by the others."""

    confidence: Floats
    """(r,), the probability of the best class; 0 of an answer that negative classes make unknown"""
    novelty: Floats
    """(r,), their novelty scores"""
    right: Mask
    """(r,), whether the best class is the support's own; never of the only support of a class"""

    def eligible(self, certainty: float, least_novelty: float | None) -> Mask:
        """Return (r,): which answers would be `known`."""
        known: Mask = self.confidence >= max(certainty, np.finfo(float).tiny)
        return known if least_novelty is None else known & (self.novelty >= least_novelty)


NOTHING_LEFT_OUT = LeftOut(np.empty(0), np.empty(0), np.empty(0, np.bool_))


@dataclass(frozen=True, slots=True)
class Budget:
    """What can be labelled by machine within a target share of wrong labels."""

    threshold: float | None
    """The least confidence of such a label; None if the answers prove nothing: people label everything."""
    answers: int
    automatic: int
    """Of these answers, those that would be labelled by machine."""
    wrong: int
    """Of those, the wrong ones."""


def budget_of(left_out: LeftOut, rule: Rule, max_error: float, least_novelty: float | None) -> Budget:
    """Return the least confidence of labels that need no person, so that at most `max_error` are wrong.

    Of the automatic ones, surely enough: learn then test (Angelopoulos, Bates, Candès, Jordan and Lei 2021,
    arXiv 2110.01052). That more than `max_error` of the answers above a confidence are wrong is tested with
    the binomial tail, from the most confident answers on that can pass, until a test fails.

    Of all pictures, on average: conformal risk control (Angelopoulos, Bates, Fisch, Lei and Schuster 2022,
    arXiv 2208.02814). One more answer is counted, as a wrong one.
    """
    known = np.flatnonzero(left_out.eligible(rule.certainty, least_novelty))
    order = known[np.argsort(-left_out.confidence[known], kind="stable")]
    confidence, wrong = left_out.confidence[order], np.cumsum(~left_out.right[order])
    counts, answers = np.arange(1, len(order) + 1), len(left_out.right)
    ends = np.append(confidence[1:] < confidence[:-1], True)[: len(order)]  # answers that tie go together
    if rule.error_of is ErrorOf.ALL:
        passes, tested = (wrong + 1) / (answers + 1) <= max_error, np.flatnonzero(ends)
    else:
        passes = bdtr(wrong, counts, max_error) <= 1.0 - SURE
        tested = np.flatnonzero(ends & (counts >= fewest_answers(rule.error_of, max_error)))
    failed = tested[~passes[tested]]
    accepted = tested[tested < failed[0]] if len(failed) else tested
    if not len(accepted):
        return Budget(None, answers, 0, 0)
    last = int(accepted[-1])
    return Budget(float(confidence[last]), answers, last + 1, int(wrong[last]))


def fewest_answers(error_of: ErrorOf, max_error: float) -> int:
    """Return how many right answers, without a wrong one, prove a share of at most `max_error`."""
    if error_of is ErrorOf.ALL:
        return math.ceil(1.0 / max_error - 1e-9) - 1
    return math.ceil(math.log(1.0 - SURE) / math.log1p(-max_error))
