"""Drift: how far live answers have moved from what was enrolled, and how accurate they may be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.live_answers import Confidences

Z = 1.96  # of an interval that holds the true value in 95 % of cases, normal distribution
FEWEST_REVIEWS = 20  # below this their spread says too little for an interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate with its 95 % interval, within 0 and 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A reviewed answer: the mean probability of its labels, and the share of them that is right."""

    confidence: float
    right: float


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """Return the Jensen-Shannon distance of two label mixes: 0 for the same, 1 for nothing in common.

    They are counts or shares by label; None if one of them is empty. Source: Lin (1991), "Divergence measures
    based on the Shannon entropy", the square root, with logarithms of base 2.
    """
    totals = sum(one.values()), sum(other.values())
    if not all(totals):
        return None
    divergence = 0.0
    for label in one.keys() | other.keys():
        shares = [mix.get(label, 0) / total for mix, total in zip((one, other), totals, strict=True)]
        middle = sum(shares) / 2
        divergence += sum(share * math.log2(share / middle) for share in shares if share > 0) / 2
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def estimated_accuracy(confidences: Confidences) -> float | None:
    """Return the mean calibrated probability of the labels given, None without any.

    Source: "average confidence" in Guillory et al. (2021), "Predicting with Confidence on Unseen
    Distributions". It is right as far as the calibration still is.
    """
    return confidences.total / confidences.number if confidences.number else None


def corrected_accuracy(confidences: Confidences, reviewed: Sequence[Reviewed]) -> Estimate | None:
    """Return the estimate corrected by what reviews found; None with few of them.

    The mean probability of all answers, and the mean difference between truth and probability of the
    reviewed ones: prediction-powered inference, Angelopoulos et al. (2023), Science 382. The interval holds
    where the reviewed answers are a random sample of all; a person who reviews the least sure first
    makes it too low at worst, since those are where probabilities err.
    """
    estimated = estimated_accuracy(confidences)
    if estimated is None or len(reviewed) < FEWEST_REVIEWS:
        return None
    differences = [one.right - one.confidence for one in reviewed]
    correction = sum(differences) / len(differences)
    spread = sum((each - correction) ** 2 for each in differences) / (len(differences) - 1)
    of_all = max(confidences.squares / confidences.number - estimated**2, 0.0)
    half = Z * math.sqrt(spread / len(differences) + of_all / confidences.number)
    value = estimated + correction
    return Estimate(*(min(max(each, 0.0), 1.0) for each in (value, value - half, value + half)))
