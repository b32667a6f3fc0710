"""Groups of similar pictures, found among pictures that have no label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from core.vectors import Vector, Vectors

NEIGHBOURS = 10
DIMENSIONS = 64  # of the vectors that are clustered; more change the groups little, and take more memory
APART = 1.2
"""Two groups whose merging costs more (Ward's distance of centred unit vectors) stay apart.

Unrelated vectors are 1.4 apart, two whose centred cosine is 0.28 are 1.2 apart. Of 1,200 pictures of 20
sports that are all unknown, 95.4 % then share their group with mostly their own sport. At 1.4 so do 94.7 %
in two thirds as many groups, but pictures unlike all others no longer stay alone.
"""
SUGGESTED = 5
OUTLIERS = 0.1  # share of a group, farthest from its centre, that is not suggested


@dataclass(frozen=True, slots=True)
class Group:
    """Positions of similar pictures, most central first; `suggested` for enrolling."""

    members: Sequence[int]
    tightness: float
    """Mean cosine similarity to the centre, from 0 to 1."""
    suggested: Sequence[int]


def find_groups(vectors: Vectors, mean: Vector, *, most: int) -> list[Group]:
    """Group (n, d) unit vectors; return at most so many groups, largest and tightest first.

    `mean` is the mean of all vectors that they were taken from: what is common to all pictures tells
    nothing. Pictures unlike all others are in no group.
    """
    if len(vectors) < 2:
        return []
    centred = _centred(vectors, mean)
    numbers = _cluster(centred)
    order = np.argsort(numbers, kind="stable")
    ends = np.flatnonzero(np.diff(numbers[order])) + 1
    found = [_group(centred, members) for members in np.split(order, ends) if len(members) > 1]
    return sorted(found, key=lambda group: -len(group.members) * group.tightness)[:most]


def _centred(vectors: Vectors, mean: Vector) -> Vectors:
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - 1 s that few workers need

    centred = vectors - mean
    if min(centred.shape) > DIMENSIONS:
        centred = TruncatedSVD(DIMENSIONS, random_state=0).fit_transform(centred)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.ascontiguousarray(centred / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def _cluster(centred: Vectors) -> npt.NDArray[np.int64]:
    """Return the number of each vector's cluster."""
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415 - 1 s that few workers need

    ward = AgglomerativeClustering(
        None, linkage="ward", connectivity=_graph(centred), distance_threshold=APART
    )
    numbers: npt.NDArray[np.int64] = ward.fit_predict(centred)
    return numbers


def _graph(centred: Vectors) -> csr_array:
    """Return which vectors may be merged: each with its nearest, and one of each island with the next."""
    n = len(centred)
    k = min(NEIGHBOURS, n - 1)
    _, near = faiss.knn(centred, centred, k + 1, metric=faiss.METRIC_INNER_PRODUCT)
    rows, columns = np.repeat(np.arange(n), k + 1), near.ravel()
    graph = _joined(n, rows, columns)
    count, islands = connected_components(graph, directed=False)
    if count > 1:  # scikit-learn would compare all pairs of them; merging remains as costly as it is
        _, first = np.unique(islands, return_index=True)
        graph = _joined(n, np.append(rows, first[:-1]), np.append(columns, first[1:]))
    return graph


def _joined(n: int, rows: npt.NDArray[Any], columns: npt.NDArray[Any]) -> csr_array:
    graph = csr_array(coo_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, n)))
    return csr_array(graph.maximum(graph.T))


def _group(centred: Vectors, members: npt.NDArray[np.int64]) -> Group:
    vectors = centred[members]
    centre = vectors.mean(axis=0)
    centre /= max(float(np.linalg.norm(centre)), float(np.finfo(np.float32).tiny))
    central = vectors @ centre
    order = np.argsort(-central, kind="stable")
    inside = order[: max(int(np.ceil(len(order) * (1 - OUTLIERS))), min(len(order), SUGGESTED))]
    return Group(
        members=members[order].tolist(),
        tightness=float(np.clip(central.mean(), 0.0, 1.0)),
        suggested=members[inside[_different(vectors[inside])]].tolist(),
    )


def _different(vectors: Vectors) -> list[int]:
    """Return the first, then the one least like all chosen so far, and so on."""
    chosen = [0]
    nearest = vectors @ vectors[0]
    while len(chosen) < min(SUGGESTED, len(vectors)):
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, vectors @ vectors[chosen[-1]])
    return chosen
