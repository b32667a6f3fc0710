"""Class-balanced kernel ridge regression in closed form, updated support by support.

A class has the same weight however many pictures it has: without that a class of one picture among classes of
sixteen is found one time in twenty. Scores of left-out supports (leave one, a fold or a class out) come
from the same inverse that answers queries.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.linalg import cho_factor, lapack

from core.vectors import Vector, Vectors
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

RIDGE = 0.3  # from .1 to .5 it trades old classes for new ones; balanced sets are insensitive
REFIT_SHARE = 0.25  # of the rows: if more change at once, a new inverse is cheaper than updates
MIRROR = 256  # rows of an inverse mirrored at a time
REFIT_AFTER = 1_000  # updated rows, which limits rounding errors


def similarity_kernel(left: Floats, right: Floats) -> Floats:
    """Map unit rows (m, d) and (n, d) to exp(u.v - 1) + 1: a Gaussian on the sphere, and an intercept."""
    products: Floats = left @ right.T
    np.subtract(products, 1.0, out=products)
    np.exp(products, out=products)
    np.add(products, 1.0, out=products)
    return products


def ridge_of(columns: Ids, counts: Ids) -> Floats:
    """Return each support's ridge, (n,), which grows with the size of its class.

    The harmonic mean of the counts is rounded to a quarter of an octave. That changes a ridge by at most
    9 %, and most enrolments then change the ridge of one class instead of every row.
    """
    scale = 2.0 ** (round(4.0 * math.log2(harmonic_mean(counts))) / 4.0)
    ridge: Floats = RIDGE * counts[columns] / scale
    return ridge


class KernelMatrix:
    """M = (K + diag(ridge))^-1 over the supports, float64, in the order of their rows.

    After `follow` it equals a fit from scratch, up to rounding (tests: 1e-8).
    """

    def __init__(self) -> None:
        self.ids: Ids = np.empty(0, np.int64)
        self.vectors: Floats = np.empty((0, 0))
        self.ridge: Floats = np.empty(0)
        self.inverse: Floats = np.empty((0, 0))
        self.updated = 0

    def follow(self, supports: Supports) -> None:
        """Become the matrix of these supports, with the ridge of their classes."""
        ridge = ridge_of(supports.columns, supports.counts) if len(supports.ids) else np.empty(0)
        self.become(supports.ids, supports.vectors, ridge)

    def become(self, ids: Ids, vectors: Vectors, ridge: Floats) -> None:
        """Become the matrix of these rows, by updates if few changed, else by a new inverse."""
        kept = np.isin(self.ids, ids)
        added = ~np.isin(ids, self.ids)
        few = REFIT_SHARE * len(ids)
        same_order = np.array_equal(self.ids[kept], ids[~added]) and not added[: kept.sum()].any()
        changes = int((~kept).sum() + added.sum())
        if not len(self.ids) or not same_order or changes > few or self.updated + changes > REFIT_AFTER:
            self._refit(ids, vectors, ridge)
            return
        self._remove(~kept)
        shifted = self.ridge != ridge[~added]
        if changes + shifted.sum() > few or self.updated + changes + shifted.sum() > REFIT_AFTER:
            self._refit(ids, vectors, ridge)
            return
        self._shift(shifted, ridge[~added])
        self._append(vectors[added].astype(np.float64), ridge[added])
        self.ids = ids.copy()
        self.updated += int(changes + shifted.sum())

    def _refit(self, ids: Ids, vectors: Vectors, ridge: Floats) -> None:
        self.ids = ids.copy()
        self.vectors = vectors.astype(np.float64)
        self.ridge = ridge
        self.updated = 0
        matrix = similarity_kernel(self.vectors, self.vectors)
        matrix[np.diag_indices_from(matrix)] += ridge
        self.inverse = invert(matrix)

    def _remove(self, gone: Mask) -> None:
        if not gone.any():
            return
        kept, inverse = ~gone, self.inverse
        across = inverse[np.ix_(kept, gone)]
        corner = np.linalg.solve(inverse[np.ix_(gone, gone)], across.T)
        self.inverse = inverse[np.ix_(kept, kept)] - across @ corner
        self.vectors, self.ridge = self.vectors[kept], self.ridge[kept]

    def _shift(self, rows: Mask, ridge: Floats) -> None:
        """Change the ridge of some rows (Woodbury)."""
        if not rows.any():
            return
        block = self.inverse[:, rows]
        inner = np.diag(1.0 / (ridge[rows] - self.ridge[rows])) + self.inverse[np.ix_(rows, rows)]
        self.inverse = self.inverse - block @ np.linalg.solve(inner, block.T)
        self.ridge = ridge

    def _append(self, vectors: Floats, ridge: Floats) -> None:
        if not len(vectors):
            return
        across = similarity_kernel(self.vectors, vectors)
        corner = similarity_kernel(vectors, vectors)
        corner[np.diag_indices_from(corner)] += ridge
        reached = self.inverse @ across
        new = invert(corner - across.T @ reached)
        side = -reached @ new
        self.inverse = np.block([[self.inverse - side @ reached.T, side], [side.T, new]])
        self.vectors = np.concatenate([self.vectors, vectors])
        self.ridge = np.concatenate([self.ridge, ridge])


def invert(matrix: Floats) -> Floats:
    """Invert a symmetric positive definite matrix by its Cholesky factor; the matrix is overwritten."""
    if not len(matrix):
        return matrix
    factor, _ = cho_factor(matrix.T, lower=True, overwrite_a=True, check_finite=False)
    half, info = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if info != 0:  # a positive definite matrix with a ridge always has an inverse
        raise ArithmeticError(f"the kernel matrix has no inverse (LAPACK dpotri: {info})")
    inverse: Floats = half.T  # LAPACK is column-major: only the upper half is filled
    for start in range(0, len(inverse), MIRROR):
        stop = start + MIRROR
        corner = np.triu(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = corner + np.triu(corner, 1).T
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
    return inverse


class KernelFit:
    """The scores of kernel ridge regression on one version's supports.

    With a prior, the zero-shot probabilities from class names, the regression learns the residual:
    `f(q) = prior(q) + k(q, S) M (Y - prior(S))` (ProKeR, CVPR 2025), so pictures outweigh the prior as
    they are added.
    """

    most_judged = MOST_JUDGED

    def __init__(self, supports: Supports, matrix: KernelMatrix, prior: PriorFunction | None = None) -> None:
        self.supports = supports
        self._matrix = matrix
        self._prior = prior
        self._targets = one_hot(supports.columns, len(supports.class_ids))
        residual = self._targets if prior is None else self._targets - prior(supports.vectors)
        self.weights: Floats = matrix.inverse @ residual

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores, about 0 to 1."""
        scores: Scores = self._kernel(queries) @ self.weights
        return scores if self._prior is None else scores + self._prior(queries)

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its group."""
        inverse = self._matrix.inverse
        scores = self._targets[rows]
        alone, larger = groups_of(groups, rows)
        single = rows[alone]
        scores[alone] -= self.weights[single] / np.diag(inverse)[single, None]
        for group, places in larger:
            without = np.linalg.solve(inverse[np.ix_(group, group)], self.weights[group])
            scores[places] -= without[np.isin(group, rows[places])]
        return scores

    def pairs_left_out(self, rows: Ids) -> Callable[[int], Scores]:
        """Return a function from a support to (len(rows), C): the scores of rows, each without it and itself.

        The ridges stay as they are. The support itself gets the scores without itself.
        """
        inverse = self._matrix.inverse
        own, weights, targets = np.diag(inverse)[rows], self.weights[rows], self._targets[rows]

        def without(other: int) -> Scores:
            across = np.where(rows == other, 0.0, inverse[rows, other])
            moved = weights - np.outer(across / inverse[other, other], self.weights[other])
            scores: Scores = targets - moved / (own - across * across / inverse[other, other])[:, None]
            return scores

        return without

    def contributions(self, query: Vector, column: int) -> Floats:
        """Return by how much a class's score would fall without each of its supports, (n,); others' are 0."""
        rows = np.flatnonzero(self.supports.columns == column)
        inverse = self._matrix.inverse
        shares = np.zeros(len(self.supports.ids))
        reach = inverse[rows] @ self._kernel(query[None])[0]
        shares[rows] = reach * self.weights[rows, column] / inverse[rows, rows]
        return shares

    def _kernel(self, queries: Vectors) -> Floats:
        return similarity_kernel(queries.astype(np.float64), self._matrix.vectors)
