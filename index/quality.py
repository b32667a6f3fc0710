"""The quality of supports: probably wrong labels, duplicates and near duplicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from index.supports import Floats, Ids, Supports, places_of

BLOCK_CELLS = 1 << 23  # similarities per block: 64 MB as float64
SHORTEST = 1e-12
NEAR = 0.13  # of the median distance to the nearest neighbour: the rule of cleanlab's Datalab
NEAR_FEWEST = 10  # supports; with fewer the median is meaningless, and only equal vectors are reported
SAME = 1e-6  # cosine distance of vectors that differ only by rounding


@dataclass(frozen=True, slots=True)
class Margins:
    """How much nearer supports are to their own class than to the nearest other one."""

    rows: Ids
    """(m,), those whose class has another support, if there is another class to compare with"""
    values: Floats
    """(m,), cosine to the own class's mean without the support itself, minus that to `rivals`"""
    rivals: Ids
    """(m,), the columns of the nearest other classes"""
    own: Floats
    """(m,), cosine to the own class's mean without the support itself"""


def spread(columns: Ids, most: int) -> Ids:
    """Return at most so many rows, ascending: the first of each class, then the second of each, and so on."""
    if len(columns) <= most:
        return np.arange(len(columns))
    return np.sort(np.argsort(places_of(columns), kind="stable")[:most])


def margins(supports: Supports, rows: Ids) -> Margins:
    """Compare supports with the class means, each with its own class's mean without itself.

    Of the measured scores this one ranks wrong labels best. It is for ranking: most supports with a negative
    score are only hard to classify.
    """
    held = supports.counts > 0
    rows = rows[supports.counts[supports.columns[rows]] > 1]
    if held.sum() < 2 or not len(rows):
        return Margins(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), np.empty(0))
    means = supports.sums / np.maximum(_lengths(supports.sums), SHORTEST)[:, None]
    values, rivals, owns = np.empty(len(rows)), np.empty(len(rows), np.int64), np.empty(len(rows))
    for part in _blocks(len(rows), len(supports.counts)):
        some = rows[part]
        vectors = supports.vectors[some].astype(np.float64)
        columns = supports.columns[some]
        cosines = vectors @ means.T
        cosines[:, ~held] = -np.inf
        cosines[np.arange(len(some)), columns] = -np.inf
        rest = supports.sums[columns] - vectors
        own = np.einsum("nd,nd->n", rest, vectors) / np.maximum(_lengths(rest), SHORTEST)
        rivals[part] = cosines.argmax(axis=1)
        values[part], owns[part] = own - cosines.max(axis=1), own
    return Margins(rows, values, rivals, owns)


def same_pictures(ids: Ids, pictures: Mapping[int, str]) -> list[Ids]:
    """Return the rows of each picture with several supports; `pictures` are digests by support id."""
    found: dict[str, list[int]] = defaultdict(list)
    for row, support_id in enumerate(ids.tolist()):
        digest = pictures.get(support_id)
        if digest is not None:
            found[digest].append(row)
    return [np.array(rows) for rows in found.values() if len(rows) > 1]


def near_pictures(vectors: npt.NDArray[np.float32]) -> list[Ids]:
    """Return groups of (n, d) unit vectors that are much nearer to each other than usual.

    Two are near where the cosine distance of one to its nearest neighbour is below 0.13 of the median such
    distance (cleanlab, Datalab, "near duplicate"). With fewer than ten vectors only equal ones are.
    """
    if len(vectors) < 2:
        return []
    nearest = _nearest_others(vectors)
    apart = vectors.astype(np.float64) - vectors[nearest].astype(np.float64)
    distances = 0.5 * np.einsum("nd,nd->n", apart, apart)  # 1 - cosine, without its cancellation
    radius = NEAR * float(np.median(distances)) if len(vectors) >= NEAR_FEWEST else 0.0
    near = np.flatnonzero(distances < max(radius, SAME))
    links = coo_array((np.ones(len(near)), (near, nearest[near])), shape=(len(vectors), len(vectors)))
    _, group = connected_components(links, directed=False)
    members = np.union1d(near, nearest[near])
    order = members[np.argsort(group[members], kind="stable")]
    return [rows for rows in np.split(order, np.flatnonzero(np.diff(group[order])) + 1) if len(rows)]


def _nearest_others(vectors: npt.NDArray[np.float32]) -> Ids:
    nearest = np.empty(len(vectors), np.int64)
    for part in _blocks(len(vectors), len(vectors)):
        cosines = vectors[part] @ vectors.T
        cosines[np.arange(len(cosines)), np.arange(part.start, part.stop)] = -np.inf
        nearest[part] = cosines.argmax(axis=1)
    return nearest


def _blocks(rows: int, width: int) -> list[slice]:
    step = max(BLOCK_CELLS // max(width, 1), 1)
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _lengths(rows: Floats) -> Floats:
    lengths: Floats = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    return lengths
