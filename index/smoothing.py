"""Smoothing over the pictures of one job: similar pictures get similar answers."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from core.vectors import Vectors

Probabilities = npt.NDArray[np.float32]
"""(m, C) float32, rows that sum to 1."""

NEIGHBOURS = 5
PULL = 3.0  # weight of the neighbours' mean probabilities relative to a picture's own log probability
STEPS = 10
BLOCK = 4_096  # pictures at a time
SMALLEST = np.finfo(np.float32).tiny


def smooth(probabilities: npt.NDArray[np.floating[Any]], vectors: Vectors) -> Probabilities:
    """Smooth (m, C) probabilities of m pictures over each one's five nearest, by (m, d) unit vectors.

    Ten iterations of `p = softmax(log p0 + 3 W p)`, where W averages over a picture's neighbours: its nearest
    ones, and those that it is nearest to. The result depends on all pictures of the job; the classes need
    not be balanced. Accuracy rises, but all probabilities become too high: calibration is lost.
    The candidate sets are therefore dropped.

    In addition to its arguments it needs two float32 arrays like `probabilities`, one more if those are not
    float32, and half a kilobyte a picture: 200,000 pictures and 100 classes take 0.3 GB. The search
    compares every picture with every other: at 384 components, 20,000 take 7 s on one core, 200,000 a hundred
    times that. Raises ValueError unless both have a row for each picture.
    """
    if len(probabilities) != len(vectors):
        raise ValueError(f"expected a vector for each row, got {len(probabilities)} and {len(vectors)}")
    prior: Probabilities = probabilities.astype(np.float32, copy=False)
    if len(vectors) < 2:
        return prior.copy()
    graph = neighbour_means(vectors)
    now, after = prior, np.empty_like(prior)
    spare = np.empty_like(prior)
    for _ in range(STEPS):
        for start in range(0, len(prior), BLOCK):
            rows = slice(start, start + BLOCK)
            after[rows] = _softmax(np.log(np.maximum(prior[rows], SMALLEST)) + PULL * (graph[rows] @ now))
        now, after = after, (spare if now is prior else now)
    return now


def neighbour_means(vectors: Vectors) -> csr_array:
    """Return W (m, m): row i averages over the neighbours of picture i, given unit vectors (m, d).

    Two pictures are neighbours if one is among the five nearest of the other; copies of a picture are
    neighbours like any other, and no picture is its own.
    """
    m = len(vectors)
    k = min(NEIGHBOURS, m - 1)
    queries = np.ascontiguousarray(vectors)
    _, found = faiss.knn(queries, queries, k + 1, metric=faiss.METRIC_INNER_PRODUCT)
    others = found != np.arange(m)[:, None]
    others[others.all(axis=1), -1] = False  # among many copies a picture need not find itself
    ends = found[others]
    ones = np.ones(len(ends), np.float32)
    reached = csr_array((ones, (np.repeat(np.arange(m), k), ends)), shape=(m, m))
    either = csr_array(reached.maximum(reached.T))
    counts = np.diff(either.indptr)
    either.data = np.repeat(1.0 / counts, counts).astype(np.float32)
    return either


def _softmax(scores: Probabilities) -> Probabilities:
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores
