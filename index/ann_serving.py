"""The approximate index that serves a replica, and the one that is being filled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.collections import Index, IndexMeasure
from core.vectors import Vectors
from index.ann_index import AnnIndex, Trained
from index.supports import Ids


class AnnServing:
    """Holds the index that serves and the one that is being filled; both follow every change.

    It belongs to a replica and is used only under the replica's lock.
    """

    def __init__(self) -> None:
        self.index = Index()
        self.serving: AnnIndex | None = None
        self.measured: IndexMeasure | None = None
        self.tried = 0  # the number of supports when training last started
        self.trained: Trained | None = None
        self._filling: AnnIndex | None = None

    def begin(self, ann: AnnIndex | None) -> None:
        """Make an index that will be filled follow the changes from now on; None drops it."""
        self._filling = ann

    def is_filling(self, ann: AnnIndex) -> bool:
        """Return whether an index still follows the changes; one that does not has missed some."""
        return self._filling is ann

    def serve(self, ann: AnnIndex, measured: IndexMeasure) -> None:
        """Make a filled index answer from now on."""
        self.serving, self.measured, self.trained, self._filling = ann, measured, ann.trained, None

    def stop(self) -> None:
        """Answer by exact search."""
        self.serving = self.measured = self._filling = None

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Apply added supports."""
        for ann in (self.serving, self._filling):
            if ann is not None:
                ann.add(ids, vectors)

    def remove(self, ids: Ids) -> None:
        """Apply removed supports."""
        for ann in (self.serving, self._filling):
            if ann is not None:
                ann.remove(ids)


def compare(
    vectors: Vectors, queries: Vectors, candidates: Ids, k: int
) -> tuple[npt.NDArray[np.float32], Ids, Ids]:
    """Compare (m, dim) queries exactly with candidates, (m, c) rows of (n, dim) vectors or -1.

    Returns (m, k) cosines and (m, k) rows, nearest first, and the queries with fewer than k candidates,
    whose rows are not filled.
    """
    similarities = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    short = []
    for line, query in enumerate(queries):
        found = candidates[line][candidates[line] >= 0]
        if len(found) < k:
            short.append(line)
            continue
        cosines = vectors[found] @ query
        order = np.argsort(-cosines, kind="stable")[:k]
        similarities[line], rows[line] = cosines[order], found[order]
    return similarities, rows, np.array(short, np.int64)
