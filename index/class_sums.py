"""Sum and count of each class's vectors, updated support by support."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.vectors import Vector, Vectors
from index.supports import Floats, Ids, Supports


class ClassSums:
    """Holds float64 sums (dim,) and counts by class id, without classes that have no support."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._sums: dict[int, Floats] = {}
        self._counts: dict[int, int] = {}

    def add(self, class_id: int, vector: Vector) -> None:
        """Add a support."""
        self._count(class_id, vector, 1)

    def remove(self, class_id: int, vector: Vector) -> None:
        """Remove a support."""
        self._count(class_id, vector, -1)

    def held(self, class_ids: Iterable[int]) -> int:
        """Return the number of supports of some classes."""
        return sum(self._counts.get(class_id, 0) for class_id in class_ids)

    def arrange(self, ids: Ids, owners: Ids, vectors: Vectors, named: Iterable[int] = ()) -> Supports:
        """Return supports (n,) of the classes `owners` (n,) as arrays, with a column for each class.

        With `named`, classes without supports have a column too.
        """
        class_ids = np.array(sorted({*self._sums, *named}), np.int64)
        sums = np.zeros((len(class_ids), self._dim))
        for column, class_id in enumerate(class_ids.tolist()):
            if class_id in self._sums:
                sums[column] = self._sums[class_id]
        return Supports(
            ids=ids,
            columns=np.searchsorted(class_ids, owners),
            vectors=vectors,
            class_ids=class_ids,
            counts=np.array([self._counts.get(class_id, 0) for class_id in class_ids.tolist()], np.int64),
            sums=sums,
        )

    def _count(self, class_id: int, vector: Vector, sign: int) -> None:
        count = self._counts.get(class_id, 0) + sign
        if count == 0:
            del self._counts[class_id], self._sums[class_id]
            return
        self._counts[class_id] = count
        sum_ = self._sums.setdefault(class_id, np.zeros(self._dim))
        sum_ += sign * vector.astype(np.float64)
