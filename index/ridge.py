"""Class-balanced linear ridge regression: the primal form of the kernel rule, for very many supports.

It minimises the sum over classes of the mean squared error within each class, so every class has the
same weight. It needs one (d + 1, d + 1) matrix and the class means, however many supports there are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.vectors import Vector, Vectors
from index.kernel import invert
from index.supports import (
    MOST_JUDGED,
    Floats,
    Ids,
    Mask,
    PriorFunction,
    Scores,
    Supports,
    groups_of,
    harmonic_mean,
    one_hot,
)

RIDGE = 0.5
REFIT_SHARE = 0.5  # of the rows: if the changed classes hold more, a new sum is cheaper
REFIT_AFTER = 2_000  # changed classes, which limits rounding errors
BLOCK = 4_096  # rows converted to float64 at a time


def mean_outer(vectors: Vectors) -> Floats:
    """Return the mean of x x' over a class's rows x = (vector, 1), (d + 1, d + 1)."""
    total = np.zeros((vectors.shape[1] + 1,) * 2)
    for start in range(0, len(vectors), BLOCK):
        block = with_intercept(vectors[start : start + BLOCK])
        total += block.T @ block
    total /= len(vectors)
    return total


def with_intercept(vectors: Vectors) -> Floats:
    """Append a component 1 to each row."""
    return np.concatenate([vectors.astype(np.float64), np.ones((len(vectors), 1))], axis=1)


class Scatter:
    """The sum over classes of `mean_outer`, updated class by class."""

    def __init__(self, supports: Supports) -> None:
        self.total = np.zeros((supports.dim + 1,) * 2)
        self.changed = 0
        weights = 1.0 / supports.counts[supports.columns]
        for start in range(0, len(supports.ids), BLOCK):
            block = with_intercept(supports.vectors[start : start + BLOCK])
            self.total += (block * weights[start : start + BLOCK, None]).T @ block

    def leave(self, vectors: Vectors) -> None:
        """Remove a class, given its old rows."""
        if len(vectors):
            self.total -= mean_outer(vectors)
            self.changed += 1

    def join(self, vectors: Vectors) -> None:
        """Add a class, given its current rows."""
        if len(vectors):
            self.total += mean_outer(vectors)


class RidgeFit:
    """The scores of linear ridge regression on one version's supports; the prior as in the kernel rule."""

    most_judged = MOST_JUDGED

    def __init__(self, supports: Supports, scatter: Scatter, prior: PriorFunction | None = None) -> None:
        self.supports = supports
        self.row_weights: Floats = 1.0 / supports.counts[supports.columns]
        self.ridge = RIDGE / harmonic_mean(supports.counts)
        self.scatter = scatter.total
        self.inverse = invert(self.scatter + self.ridge * np.eye(supports.dim + 1))
        self.moments = _moments(supports, self.row_weights, prior)
        self.weights: Floats = self.inverse @ self.moments
        self._prior = prior

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores, about 0 to 1."""
        scores: Scores = with_intercept(queries) @ self.weights
        return scores if self._prior is None else scores + self._prior(queries)

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its group."""
        scores = np.empty((len(rows), len(self.supports.class_ids)))
        alone, larger = groups_of(groups, rows)
        single = rows[alone]
        inputs, targets, prior = self._rows(single)
        leverage = np.einsum("nd,nd->n", inputs @ self.inverse, inputs) * self.row_weights[single]
        scores[alone] = targets - (targets - prior - inputs @ self.weights) / (1.0 - leverage)[:, None]
        for group, places in larger:
            scores[places] = self._without(group, np.isin(group, rows[places]))
        return scores

    def pairs_left_out(self, rows: Ids) -> Callable[[int], Scores]:
        """Return a function from a support to (len(rows), C): the scores of rows, each without it and itself.

        The ridge stays as it is. The support itself gets the scores without itself.
        """
        inputs, targets, prior = self._rows(rows)
        solved, weights = inputs @ self.inverse, self.row_weights[rows]
        leverage = np.einsum("nd,nd->n", solved, inputs) * weights
        residual = targets - prior - inputs @ self.weights

        def without(other: int) -> Scores:
            [one], [goal], [before] = self._rows(np.array([other]))
            weight = self.row_weights[other]
            across = np.where(rows == other, 0.0, solved @ one)
            rest = 1.0 - float(one @ self.inverse @ one) * weight
            left = rest * residual + np.outer(across * weight, goal - before - one @ self.weights)
            scores: Scores = (
                targets - left / ((1.0 - leverage) * rest - across * across * weight * weights)[:, None]
            )
            scores[rows == other] = (targets - residual / (1.0 - leverage)[:, None])[rows == other]
            return scores

        return without

    def contributions(self, query: Vector, column: int) -> Floats:
        """Return by how much a class's score would fall without each of its supports, (n,); others' are 0."""
        rows = np.flatnonzero(self.supports.columns == column)
        inputs, weights = with_intercept(self.supports.vectors[rows]), self.row_weights[rows]
        solved = inputs @ self.inverse
        residual = 1.0 - inputs @ self.weights[:, column]
        if self._prior is not None:
            residual -= self._prior(self.supports.vectors[rows])[:, column]
        leverage = np.einsum("nd,nd->n", solved, inputs) * weights
        shares = np.zeros(len(self.supports.ids))
        shares[rows] = (solved @ with_intercept(query[None])[0]) * weights * residual / (1.0 - leverage)
        return shares

    def _without(self, group: Ids, asked: Mask) -> Scores:
        weights = self.row_weights[group]
        if len(group) <= self.supports.dim:  # leave-group-out residual = (I - hat)^-1 residual
            inputs, targets, prior = self._rows(group)
            residual = targets - prior - inputs @ self.weights
            hat = inputs @ self.inverse @ inputs.T * weights
            without: Scores = targets - np.linalg.solve(np.eye(len(group)) - hat, residual)
            return without[asked]
        rest = self.scatter + self.ridge * np.eye(len(self.scatter))
        moments = self.moments.copy()
        for start in range(0, len(group), BLOCK):
            inputs, targets, prior = self._rows(group[start : start + BLOCK])
            weighted = inputs * weights[start : start + BLOCK, None]
            rest -= weighted.T @ inputs
            moments -= weighted.T @ (targets - prior)
        inputs, _, prior = self._rows(group[asked])
        direct: Scores = inputs @ np.linalg.solve(rest, moments) + prior
        return direct

    def _rows(self, rows: Ids) -> tuple[Floats, Floats, Floats]:
        """Return inputs (n, d + 1), targets (n, C) and the prior (n, C) of some supports."""
        targets = one_hot(self.supports.columns[rows], len(self.supports.class_ids))
        vectors = self.supports.vectors[rows]
        prior = np.zeros_like(targets) if self._prior is None else self._prior(vectors)
        return with_intercept(vectors), targets, prior


def _moments(supports: Supports, weights: Floats, prior: PriorFunction | None) -> Floats:
    """Return the sum of weight x (target - prior)', (d + 1, C); without a prior these are the class means."""
    held = np.maximum(supports.counts, 1)[:, None]
    ones = (supports.counts > 0).astype(np.float64)[:, None]
    moments: Floats = np.concatenate([supports.sums / held, ones], axis=1).T
    if prior is None:
        return moments
    for start in range(0, len(supports.ids), BLOCK):
        block = supports.vectors[start : start + BLOCK]
        weighted = with_intercept(block) * weights[start : start + BLOCK, None]
        moments = moments - weighted.T @ prior(block)
    return moments
