"""Contributions: the supports that decided for a class, and their shares of the total."""

from __future__ import annotations

import numpy as np

from core.answers import Contribution
from core.types import RuleName
from core.vectors import Vector
from index.learning import Fitted
from index.near import Near
from index.nearest import TEMPERATURE, VOTERS

CONTRIBUTIONS = 3  # supports listed in an answer


def contributions(fitted: Fitted, query: Vector, column: int, label: str) -> list[Contribution]:
    """Return the supports that contributed most to the class of a column, near or not."""
    supports = fitted.fit.supports
    for_it = np.maximum(fitted.fit.contributions(query, column), 0.0)
    total = float(for_it.sum())
    rows = np.argsort(-for_it, kind="stable")[:CONTRIBUTIONS]
    return [
        Contribution(
            support_id=int(supports.ids[row]),
            label=label,
            similarity=float(supports.vectors[row] @ query),
            share=float(for_it[row]) / total,
        )
        for row in rows
        if for_it[row] > 0
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
    return [
        Contribution(int(support_id), label, float(cosine), min(float(weight) / total, 1.0))
        for support_id, cosine, weight in zip(near.ids[own], cosines, weights, strict=False)
        if weight > 0 and total > 0
    ]
