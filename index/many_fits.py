"""Ridge regression of several labels a picture in closed form: one matrix for all labels.

Every label regresses on all supports: 1 where it is present, 0 where it is absent or not stated. The matrix
to invert depends on no label, so a label costs one product, and a support that is added, removed or
relabelled costs an update.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from core.vectors import Vector, Vectors
from index.kernel import KernelMatrix, invert, similarity_kernel
from index.label_sets import LabelledRows, Sparse
from index.ridge import BLOCK, with_intercept
from index.supports import MOST_JUDGED, Floats, Ids, Scores

# a complete set is in doubt nowhere; measured on mosaics of 80 sports
PARTIAL_RIDGE, COMPLETE_RIDGE = 0.3, 0.1
LINEAR_RIDGE = 0.5
SELF_SIMILARITY = 2.0  # of a unit vector with itself, in either kernel


class LabelFit(Protocol):
    """Regressions of L labels on the supports of one version."""

    rows: LabelledRows

    def scores(self, queries: Vectors) -> tuple[Scores, Floats]:
        """Map (m, d) queries to (m, L) scores, about 0 to 1, and (m,) how familiar each query is.

        Familiarity is the share of a query that the supports explain, 0 to 1: one less the variance of the
        Gaussian process whose mean the scores are, relative to the variance without supports.
        """

    def left_out(self, rows: Ids) -> tuple[Scores, Floats]:
        """Return the same of some supports, each without itself."""

    def scores_without(self, queries: Vectors, groups: Ids) -> tuple[Scores, Floats]:
        """Return the same of g queries, each without its own group of k supports.

        `groups` (g, k) are rows; those of one group are different.
        """

    def contributions(self, query: Vector, column: int) -> tuple[Ids, Floats]:
        """Return the supports that bear a label, and by how much its score would fall without each."""


class KernelLabels:
    """Kernel ridge regression, of up to some thousand supports."""

    def __init__(self, rows: LabelledRows, matrix: KernelMatrix) -> None:
        self.rows = rows
        self._matrix = matrix
        self.weights: Floats = _times(matrix.inverse, rows)

    def scores(self, queries: Vectors) -> tuple[Scores, Floats]:
        """Map (m, d) queries to (m, L) scores, and (m,) familiarities."""
        kernel = self._kernel(queries)
        explained = np.einsum("mn,mn->m", kernel @ self._matrix.inverse, kernel)
        return kernel @ self.weights, explained / SELF_SIMILARITY

    def left_out(self, rows: Ids) -> tuple[Scores, Floats]:
        """Return the same of some supports, each without itself."""
        own = np.diag(self._matrix.inverse)[rows]
        scores: Scores = self.rows.present[rows].toarray() - self.weights[rows] / own[:, None]
        variance = 1.0 / own - self._matrix.ridge[rows]
        return scores, 1.0 - variance / SELF_SIMILARITY

    def scores_without(self, queries: Vectors, groups: Ids) -> tuple[Scores, Floats]:
        """Return the same of g queries, each without its own group of k supports."""
        inverse = self._matrix.inverse
        kernel = self._kernel(queries)
        through = kernel @ inverse
        reach = np.take_along_axis(through, groups, axis=1)
        corners = inverse[groups[:, :, None], groups[:, None, :]]
        solved = np.linalg.solve(corners, reach[:, :, None])[:, :, 0]
        scores: Scores = kernel @ self.weights
        for place in range(groups.shape[1]):
            scores -= solved[:, place, None] * self.weights[groups[:, place]]
        explained = np.einsum("gn,gn->g", through, kernel) - (reach * solved).sum(axis=1)
        return scores, explained / SELF_SIMILARITY

    def contributions(self, query: Vector, column: int) -> tuple[Ids, Floats]:
        """Return the supports that bear a label, and by how much its score would fall without each."""
        rows = rows_of(self.rows.present, column)
        inverse = self._matrix.inverse
        reach = inverse[rows] @ self._kernel(query[None])[0]
        return rows, reach * self.weights[rows, column] / inverse[rows, rows]

    def _kernel(self, queries: Vectors) -> Floats:
        return similarity_kernel(queries.astype(np.float64), self._matrix.vectors)


class RowScatter:
    """The sum of x x' over the supports' rows x = (vector, 1), updated row by row."""

    def __init__(self, vectors: Vectors) -> None:
        self.total = np.zeros((vectors.shape[1] + 1,) * 2)
        self.add(vectors)
        self.changed = 0

    def add(self, vectors: Vectors, sign: float = 1.0) -> None:
        """Add rows, or take them out with the sign -1."""
        for start in range(0, len(vectors), BLOCK):
            block = with_intercept(vectors[start : start + BLOCK])
            self.total += sign * (block.T @ block)
        self.changed = getattr(self, "changed", 0) + len(vectors)


class LinearLabels:
    """Linear ridge regression, the primal form for very many supports."""

    def __init__(self, rows: LabelledRows, scatter: RowScatter) -> None:
        self.rows = rows
        self.inverse = invert(scatter.total + LINEAR_RIDGE * np.eye(rows.dim + 1))
        self.weights: Floats = self.inverse @ _moments(rows)

    def scores(self, queries: Vectors) -> tuple[Scores, Floats]:
        """Map (m, d) queries to (m, L) scores, and (m,) familiarities."""
        asked = with_intercept(queries)
        left = np.einsum("md,md->m", asked @ self.inverse, asked)
        return asked @ self.weights, 1.0 - LINEAR_RIDGE * left / SELF_SIMILARITY

    def left_out(self, rows: Ids) -> tuple[Scores, Floats]:
        """Return the same of some supports, each without itself."""
        return self.scores_without(self.rows.vectors[rows], rows[:, None])

    def scores_without(self, queries: Vectors, groups: Ids) -> tuple[Scores, Floats]:
        """Return the same of g queries, each without its own group of k supports."""
        asked = with_intercept(queries)
        scores: Scores = asked @ self.weights
        flat = groups.ravel()
        inputs = with_intercept(self.rows.vectors[flat])
        residual = self.rows.present[flat].toarray() - inputs @ self.weights
        solved = (inputs @ self.inverse).reshape(*groups.shape, -1)
        inputs = inputs.reshape(*groups.shape, -1)
        residual = residual.reshape(*groups.shape, -1)
        reach = np.einsum("gkd,gd->gk", solved, asked)
        corners = np.eye(groups.shape[1]) - solved @ inputs.transpose(0, 2, 1)
        through = np.linalg.solve(corners, reach[:, :, None])[:, :, 0]
        for place in range(groups.shape[1]):
            scores -= through[:, place, None] * residual[:, place]
        left = np.einsum("gd,gd->g", asked @ self.inverse, asked) + (reach * through).sum(axis=1)
        return scores, 1.0 - LINEAR_RIDGE * left / SELF_SIMILARITY

    def contributions(self, query: Vector, column: int) -> tuple[Ids, Floats]:
        """Return the supports that bear a label, and by how much its score would fall without each."""
        rows = rows_of(self.rows.present, column)
        vectors = self.rows.vectors[rows]
        reached = self.inverse @ with_intercept(query[None])[0]
        weights = self.weights[:, column]
        falls = (vectors @ reached[:-1] + reached[-1]) * (1.0 - vectors @ weights[:-1] - weights[-1])
        if len(rows) <= MOST_JUDGED:  # of more, each is a small part of what it is fitted to
            inputs = with_intercept(vectors)
            falls /= 1.0 - np.einsum("nd,nd->n", inputs @ self.inverse, inputs)
        return rows, falls


def ridge_of_sets(rows: LabelledRows) -> Floats:
    """Return each support's ridge in the kernel's matrix, (n,)."""
    return np.where(rows.complete, COMPLETE_RIDGE, PARTIAL_RIDGE)


def rows_of(present: Sparse, column: int) -> Ids:
    """Return the rows that bear a label."""
    rows: Ids = np.flatnonzero(present[:, [column]].toarray()[:, 0])
    return rows


def _times(inverse: Floats, rows: LabelledRows) -> Floats:
    """Return the inverse times the targets, (n, L)."""
    n, labels = rows.present.shape
    if not n or not labels:
        return np.zeros((n, labels))
    weights: Floats = (rows.present.T @ inverse).T  # the inverse is symmetric
    return np.ascontiguousarray(weights)


def _moments(rows: LabelledRows) -> Floats:
    """Return the sum of x target', (d + 1, L)."""
    sums = np.zeros((rows.present.shape[1], rows.dim + 1))
    for start in range(0, len(rows.ids), BLOCK):
        block = with_intercept(rows.vectors[start : start + BLOCK])
        sums += rows.present[start : start + BLOCK].T @ block
    moments: Floats = sums.T
    return moments
