"""The training data of a rule: the labelled vectors of one version as arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind
from core.vectors import Vectors, check_vector

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]
"""(m, C), higher is more likely; -inf for a class without supports."""

PriorFunction = Callable[[Vectors], Floats]
"""(m, d) queries -> (m, C), class probabilities before any support is considered."""

MOST_JUDGED = 2_000  # supports that are left out and judged for calibration


@dataclass(frozen=True, slots=True)
class Supports:
    """n supports of C classes; a class without pictures has a column and no support."""

    ids: Ids
    """(n,)"""
    columns: Ids
    """(n,), the column of each support's class"""
    vectors: Vectors
    """(n, d), of unit length"""
    class_ids: Ids
    """(C,), ascending"""
    counts: Ids
    """(C,)"""
    sums: Floats
    """(C, d), the sum of each class's vectors"""

    @property
    def dim(self) -> int:
        """The number of components of a vector."""
        return int(self.vectors.shape[1])


def one_hot(columns: Ids, classes: int) -> Floats:
    """Map (n,) columns to (n, classes) one-hot rows."""
    targets = np.zeros((len(columns), classes))
    targets[np.arange(len(columns)), columns] = 1.0
    return targets


def evenly(order: Ids, most: int) -> Ids:
    """Return at most so many entries of an order, evenly spread over it."""
    n = len(order)
    return order[np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))] if n else order


def places_of(columns: Ids) -> Ids:
    """Return (n,): how many earlier rows have the same column."""
    order = np.argsort(columns, kind="stable")
    counts = np.bincount(columns)
    places = np.empty(len(columns), np.int64)
    places[order] = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)
    return places


def harmonic_mean(counts: Ids) -> float:
    """Return the harmonic mean of the counts of the classes that have supports."""
    held = counts[counts > 0]
    return float(len(held) / (1.0 / held).sum())


def groups_of(groups: Ids, rows: Ids) -> tuple[Ids, list[tuple[Ids, Ids]]]:
    """Partition `rows` by the size of their group.

    Returns the positions in `rows` of those that are alone in their group, and for every larger group all its
    rows with the positions in `rows` of those that are requested.
    """
    sizes = np.bincount(groups + 1)
    alone = np.flatnonzero(sizes[groups[rows] + 1] == 1)
    larger = []
    for group in np.unique(groups[rows]):
        if sizes[group + 1] > 1:
            larger.append((np.flatnonzero(groups == group), np.flatnonzero(groups[rows] == group)))
    return alone, larger


def stacked(changes: Sequence[SupportChange], dim: int) -> Vectors:
    """Return the vectors of supports that came, (n, dim).

    Raises ValueError if one has none, or no valid id.
    """
    vectors = [check_vector(change.vector, dim) for change in changes if change.vector is not None]
    if len(vectors) != len(changes) or any(change.id <= 0 for change in changes):
        raise ValueError("expected a vector and a positive id with each support that is not removed")
    return np.stack(vectors) if vectors else np.empty((0, dim), np.float32)


def changed_classes(classes: Mapping[int, ClassChange], changes: Changes) -> Mapping[int, ClassChange]:
    """Return classes by id after some changes; readers may keep the ones before."""
    if not changes.classes:
        return classes
    after = {**classes, **{change.id: change for change in changes.classes}}
    return {class_id: change for class_id, change in after.items() if not change.deleted}


def are_normal(class_ids: Ids, classes: Mapping[int, ClassChange]) -> Mask:
    """Return (C,): which classes are there, and of the kind `normal`."""
    found = (classes.get(class_id) for class_id in class_ids.tolist())
    return np.array([one is not None and one.kind is ClassKind.NORMAL for one in found], bool)
