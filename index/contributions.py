"""Contributions: the supports that decided for a class, and their shares of the total."""

from __future__ import annotations

from itertools import islice

import numpy as np

from core.answers import Contribution
from core.collections import RuleName
from core.vectors import Vector
from index.label_sets import LabelledRows
from index.learning import Fitted
from index.near import Near
from index.nearest import TEMPERATURE, VOTERS
from index.supports import Floats, Ids, Supports

CONTRIBUTIONS = 3  # supports listed for a label


def contributions(fitted: Fitted, query: Vector, column: int, label: str) -> list[Contribution]:
    """Return the supports that contributed most to the class of a column, near or not."""
    supports = fitted.fit.supports
    for_it = fitted.fit.contributions(query, column)
    rows = np.flatnonzero(for_it > 0)
    return strongest(supports, rows, for_it[rows], query, label)


def strongest(
    supports: Supports | LabelledRows, rows: Ids, shares: Floats, query: Vector, label: str
) -> list[Contribution]:
    """Return the supports that contributed most, of the contributions (n,) of some rows (n,)."""
    shares = np.maximum(shares, 0.0)
    total = float(shares.sum())
    return [
        Contribution(
            support_id=int(supports.ids[rows[one]]),
            label=label,
            similarity=float(supports.vectors[rows[one]] @ query),
            share=float(shares[one]) / total,
        )
        for one in np.argsort(-shares, kind="stable")[:CONTRIBUTIONS]
        if shares[one] > 0
    ]


def near_contributions(
    fitted: Fitted, query: Vector, near: Near, column: int, label: str
) -> list[Contribution]:
    """Return the supports of a class among the near ones, and their shares of all contributions."""
    supports = fitted.fit.supports
    near = near.first(VOTERS)
    own = near.class_ids == supports.class_ids[column]
    cosines = near.similarities[own].astype(np.float64)
    if fitted.rule is RuleName.NEAREST:
        weights, total = np.ones(min(len(cosines), 1)), 1.0
    elif fitted.rule is RuleName.NEIGHBOURS:
        weights = np.exp((cosines - 1.0) / TEMPERATURE)
        total = float(weights.sum())
    else:  # a class's score is the sum of its supports' cosines, up to a factor
        weights, total = np.maximum(cosines, 0.0), float(supports.sums[column] @ query)
    found = (
        Contribution(int(support_id), label, float(cosine), min(float(weight) / total, 1.0))
        for support_id, cosine, weight in zip(near.ids[own], cosines, weights, strict=False)
        if weight > 0 and total > 0
    )
    return list(islice(found, CONTRIBUTIONS))
