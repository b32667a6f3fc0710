"""The training data of several labels a picture: which support bears which label, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from core.changes import ClassChange
from core.collections import ClassKind
from core.label_sets import parents_of
from core.vectors import Vectors
from index.supports import Floats, Ids, Mask

Sparse = Any
"""scipy.sparse.csr_array"""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """n supports and the L labels that any of them bears."""

    ids: Ids
    """(n,)"""
    vectors: Vectors
    """(n, d), of unit length"""
    label_ids: Ids
    """(L,), ascending"""
    present: Sparse
    """(n, L), 1 where a support bears a label"""
    complete: Mask
    """(n,), whether a support has no other labels; otherwise those are not stated"""
    parents: Ids
    """(L,), the column of each label's parent, -1 for none"""

    @property
    def dim(self) -> int:
        """The number of components of a vector."""
        return int(self.vectors.shape[1])

    @property
    def counts(self) -> Ids:
        """The number of supports that bear each label, (L,)."""
        counts: Ids = np.diff(self.present.tocsc().indptr).astype(np.int64)
        return counts


def labelled_rows(
    ids: Ids, vectors: Vectors, owners: Ids, classes: Mapping[int, ClassChange]
) -> LabelledRows:
    """Arrange supports (n,) of the label sets `owners` (n,)."""
    held, row_sets = np.unique(owners, return_inverse=True)
    sets = [classes[class_id] for class_id in held.tolist()]
    up = _parents(classes)
    members = [_closed_upward(one.members, up) for one in sets]
    label_ids = np.unique(np.array([label for some in members for label in some], np.int64))
    sizes = np.array([len(some) for some in members], np.int64)
    columns = np.searchsorted(label_ids, np.array([label for some in members for label in some], np.int64))
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    of_sets = sparse.csr_array((np.ones(len(columns)), columns, indptr), shape=(len(held), len(label_ids)))
    column_of = {label_id: column for column, label_id in enumerate(label_ids.tolist())}
    return LabelledRows(
        ids=ids,
        vectors=vectors,
        label_ids=label_ids,
        present=of_sets[row_sets] if len(held) else sparse.csr_array((0, 0)),
        complete=np.array([one.complete for one in sets], bool)[row_sets] if len(held) else np.empty(0, bool),
        parents=np.array([column_of.get(up.get(label, -1), -1) for label in label_ids.tolist()], np.int64),
    )


def raise_parents(values: Floats, parents: Ids) -> None:
    """Raise each label's value (m, L) to the greatest of its children's, in place."""
    depths = _depths(parents)
    for depth in range(int(depths.max(initial=0)), 0, -1):
        children = np.flatnonzero(depths == depth)
        np.maximum.at(values.T, parents[children], values.T[children])


def _depths(parents: Ids) -> Ids:
    depths = np.zeros(len(parents), np.int64)
    above = parents.copy()
    while (above >= 0).any():
        depths[above >= 0] += 1
        above = np.where(above >= 0, parents[above], -1)
    return depths


def _parents(classes: Mapping[int, ClassChange]) -> Mapping[int, int]:
    """Return the id of each label's parent, of labels that have one."""
    named = {one.label: id_ for id_, one in classes.items() if one.kind is ClassKind.NORMAL}
    found = {}
    for label, id_ in named.items():
        implied = parents_of(label)
        if implied and implied[-1] in named:
            found[id_] = named[implied[-1]]
    return found


def _closed_upward(members: tuple[int, ...], up: Mapping[int, int]) -> tuple[int, ...]:
    """Return members and the labels they imply, ascending."""
    if not any(label in up for label in members):
        return members
    closed = set(members)
    for label in members:
        above = up.get(label)
        while above is not None:
            closed.add(above)
            above = up.get(above)
    return tuple(sorted(closed))
