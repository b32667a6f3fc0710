"""Rules: pure functions from evidence to one score for each query and class."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.types import Metric, Rule, RuleName
from index.replica import Evidence

Scores = npt.NDArray[np.float64]
"""(m, C), on the scale of a cosine: 1 is the very same direction; -inf where a class was not reached."""

RuleFunction = Callable[[Evidence, Metric], Scores]


def nearest(evidence: Evidence, metric: Metric) -> Scores:
    """Score a class by its nearest support among the neighbours (one-shot cosine, 1-NN).

    Between unit vectors the mean squared error is (2 - 2 cos) / dim, so both metrics give one order.
    """
    scores = np.full((len(evidence.queries), len(evidence.class_ids)), -np.inf)
    for column, class_id in enumerate(evidence.class_ids):
        similarities = np.where(evidence.neighbour_classes == class_id, evidence.similarities, -np.inf)
        scores[:, column] = similarities.max(axis=1, initial=-np.inf)
    return scores


def prototype(evidence: Evidence, metric: Metric) -> Scores:
    """Score a class by its mean vector (Snell et al. 2017, arXiv 1703.05175).

    Cosine compares directions. Mean squared error compares with the mean as it is, which is the shorter
    the less its class agrees; it is given as 1 - dim * mse / 2, which is the cosine where the mean has
    unit length.
    """
    products = evidence.queries.astype(np.float64) @ evidence.means.T
    squares = np.einsum("cd,cd->c", evidence.means, evidence.means)
    if metric is Metric.MSE:
        result: Scores = products + (1.0 - squares) / 2.0
        return result
    cosines: Scores = products / np.sqrt(np.maximum(squares, 1e-12))
    return cosines


RULES: dict[RuleName, RuleFunction] = {RuleName.NEAREST: nearest, RuleName.PROTOTYPE: prototype}


def score(rule: Rule, evidence: Evidence) -> Scores:
    """Apply a collection's rule."""
    return RULES[rule.name](evidence, rule.metric)
