"""Class means: the prototype rule, and the similarity to the nearest class mean."""

from __future__ import annotations

import numpy as np

from core.collections import Metric
from core.vectors import Vector, Vectors
from index.supports import MOST_JUDGED, Floats, Ids, Scores, Supports, groups_of

SHORTEST = 1e-12
BLOCK = 1_024  # left-out rows at a time


def mean_scores(sums: Floats, counts: Ids, queries: Vectors, metric: Metric) -> Scores:
    """Score (m, d) queries by the mean vectors of C classes (Snell et al. 2017, arXiv 1703.05175).

    Cosine compares directions. Mean squared error compares with the unnormalised mean, which is shorter
    the more its class varies; it is given as 1 - dim * mse / 2, which equals the cosine if the mean has
    unit length. A class without supports gets -inf.
    """
    means = sums / np.maximum(counts, 1)[:, None]
    products = queries.astype(np.float64) @ means.T
    squares = np.einsum("cd,cd->c", means, means)
    scores = _scored(products, squares, metric)
    scores[:, counts == 0] = -np.inf
    return scores


def mean_scores_held_out(supports: Supports, groups: Ids, rows: Ids, metric: Metric) -> Scores:
    """Return (len(rows), C): the scores of some supports by means without each one's group."""
    scores = np.empty((len(rows), len(supports.class_ids)))
    for start in range(0, len(rows), BLOCK):
        vectors = supports.vectors[rows[start : start + BLOCK]]
        scores[start : start + BLOCK] = mean_scores(supports.sums, supports.counts, vectors, metric)
    alone, larger = groups_of(groups, rows)
    single = rows[alone]
    scores[alone, supports.columns[single]] = _own_without_itself(supports, single, metric)
    for group, places in larger:
        touched, place = np.unique(supports.columns[group], return_inverse=True)
        sums, counts = supports.sums[touched], supports.counts[touched]
        for start in range(0, len(group), BLOCK):
            vectors = supports.vectors[group[start : start + BLOCK]].astype(np.float64)
            np.subtract.at(sums, place[start : start + BLOCK], vectors)
        np.subtract.at(counts, place, 1)
        without = mean_scores(sums, counts, supports.vectors[rows[places]], metric)
        scores[np.ix_(places, touched)] = without
    return scores


def _own_without_itself(supports: Supports, rows: Ids, metric: Metric) -> Floats:
    vectors = supports.vectors[rows].astype(np.float64)
    columns = supports.columns[rows]
    counts = supports.counts[columns] - 1
    means = (supports.sums[columns] - vectors) / np.maximum(counts, 1)[:, None]
    products = np.einsum("nd,nd->n", vectors, means)
    squares = np.einsum("nd,nd->n", means, means)
    return np.where(counts > 0, _scored(products, squares, metric), -np.inf)


def _scored(products: Floats, squares: Floats, metric: Metric) -> Scores:
    """Return scores from products with means, and the squared lengths of these."""
    if metric is Metric.MSE:
        scores: Scores = products + (1.0 - squares) / 2.0
        return scores
    return products / np.sqrt(np.maximum(squares, SHORTEST))


class MeanFit:
    """The prototype rule on one version's supports."""

    most_judged = MOST_JUDGED

    def __init__(self, supports: Supports, metric: Metric) -> None:
        self.supports = supports
        self._metric = metric

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores on the scale of a cosine."""
        return mean_scores(self.supports.sums, self.supports.counts, queries, self._metric)

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its group."""
        return mean_scores_held_out(self.supports, groups, rows, self._metric)

    def contributions(self, query: Vector, column: int) -> Floats:
        """Return what each support of a class adds to the class's score, (n,); others' are 0."""
        rows = np.flatnonzero(self.supports.columns == column)
        shares = np.zeros(len(self.supports.ids))
        shares[rows] = self.supports.vectors[rows] @ query / len(rows)
        return shares
