"""Intervals of shares: how far a counted share may be from the true one."""

from __future__ import annotations

import math

SURE = 0.9  # probability of a one-sided bound
HALVINGS = 60


def upper_bound(wrong: int, of: int, sure: float = SURE) -> float:
    """Return the share of wrong ones that is not exceeded, `sure` enough (Clopper and Pearson 1934)."""
    if wrong >= of:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):  # the probability of so few falls with the share
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(wrong, of, middle) > 1.0 - sure else (low, middle)
    return high


def _at_most(wrong: int, of: int, share: float) -> float:
    """Return the probability of at most so many, by the binomial distribution."""
    if share <= 0.0:
        return 1.0
    logs = [
        math.lgamma(of + 1)
        - math.lgamma(k + 1)
        - math.lgamma(of - k + 1)
        + k * math.log(share)
        + (of - k) * math.log1p(-share)
        for k in range(wrong + 1)
    ]
    return math.fsum(map(math.exp, logs))


def wilson(right: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """Return the interval of a share (Wilson 1927), of 95 % by default."""
    if of == 0:
        return 0.0, 1.0
    share, pull = right / of, z * z / of
    middle = (share + pull / 2) / (1 + pull)
    half = z * math.sqrt(share * (1 - share) / of + pull / (4 * of)) / (1 + pull)
    return max(middle - half, 0.0), min(middle + half, 1.0)
