"""The neighbour rules: the nearest support, and the weighted vote of the nearest twenty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.vectors import Vector, Vectors
from index.supports import MOST_JUDGED, Floats, Ids, Scores, Supports

Search = Callable[[Vectors, int], tuple[npt.NDArray[np.float32], Ids]]
"""(m, d) queries and k -> (m, k) cosines, nearest first, and (m, k) rows of supports."""

VOTERS = 20  # and the temperature as in DINO's evaluation (Caron et al. 2021, arXiv 2104.14294)
TEMPERATURE = 0.07
REACH = 64  # supports that the nearest rule considers, enough to rank the first few classes
BLOCK_CELLS = 1 << 22  # similarities at a time: 16 MB as float32
JUDGED_CELLS = 1 << 25  # similarities for all judged supports; some seconds of one core
FEWEST_JUDGED = 200


class NeighbourFit:
    """Scores a class by its supports among a picture's nearest k.

    `vote` is T log of the sum of exp(cosine / T), whose softmax at 1 / T is the share of the vote; without a
    vote it is the nearest cosine. A class without a support among them scores like one support T further away
    than the last.
    """

    def __init__(self, supports: Supports, search: Search, *, vote: bool) -> None:
        self.supports = supports
        self._search = search
        self._vote = vote
        n = len(supports.ids)
        self._k = min(VOTERS if vote else REACH, n)
        self.most_judged = max(min(MOST_JUDGED, JUDGED_CELLS // max(n, 1)), FEWEST_JUDGED)

    def scores(self, queries: Vectors) -> Scores:
        """Map (m, d) queries to (m, C) scores on the scale of a cosine."""
        similarities, rows = self._search(queries, self._k)
        return self._score(similarities.astype(np.float64), rows)

    def held_out(self, groups: Ids, rows: Ids) -> Scores:
        """Return (len(rows), C): the scores of some supports, each without its group."""
        scores = np.empty((len(rows), len(self.supports.class_ids)))
        vectors = self.supports.vectors
        step = max(BLOCK_CELLS // max(len(vectors), 1), 1)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            similarities = vectors[some] @ vectors.T
            similarities[groups[some][:, None] == groups[None, :]] = -np.inf
            nearest = np.argpartition(similarities, len(vectors) - self._k, axis=1)[:, -self._k :]
            found = np.take_along_axis(similarities, nearest, axis=1).astype(np.float64)
            scores[start : start + step] = self._score(found, nearest)
        return scores

    def contributions(self, query: Vector, column: int) -> Floats:
        """Return each support's vote for its class, (n,); without votes only the nearest counts."""
        similarities, rows = self._search(query[None], self._k)
        own = rows[0][self.supports.columns[rows[0]] == column]
        nearness = similarities[0][self.supports.columns[rows[0]] == column].astype(np.float64)
        shares = np.zeros(len(self.supports.ids))
        if self._vote:
            shares[own] = np.exp((nearness - 1.0) / TEMPERATURE)
        else:
            shares[own[:1]] = nearness[:1]
        return shares

    def _score(self, similarities: Floats, rows: Ids) -> Scores:
        columns = self.supports.columns[rows]
        return scores_of(similarities, columns, len(self.supports.class_ids), vote=self._vote)


def scores_of(similarities: Floats, columns: Ids, classes: int, *, vote: bool) -> Scores:
    """Map (m, k) cosines, -inf for none, of supports of the classes (m, k) to scores (m, C)."""
    m, k = columns.shape
    if k == 0:
        return np.full((m, classes), -np.inf)
    lines = np.broadcast_to(np.arange(m)[:, None], columns.shape)
    found = np.isfinite(similarities)
    last = np.where(found, similarities, np.inf).min(axis=1, initial=1.0, keepdims=True)
    if vote:
        votes = np.zeros((m, classes))
        np.add.at(votes, (lines[found], columns[found]), np.exp((similarities[found] - 1.0) / TEMPERATURE))
        reached = votes > 0
        scores = 1.0 + TEMPERATURE * np.log(votes, where=reached, out=np.zeros_like(votes))
    else:
        scores = np.full((m, classes), -np.inf)
        np.maximum.at(scores, (lines[found], columns[found]), similarities[found])
        reached = np.isfinite(scores)
    return np.where(reached, scores, last - TEMPERATURE)
