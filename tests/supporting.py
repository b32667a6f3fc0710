"""Helpers of the index's tests: small collections of supports, and their changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind
from core.vectors import Vectors
from index.replica import Replica
from index.supports import Ids, Supports

DIM = 4


def unit(*components: float) -> np.ndarray:
    """Return a unit vector in the direction given."""
    raw = np.array(components, np.float64)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def units(n: int, *, dim: int = DIM, seed: int = 0) -> np.ndarray:
    """Return n random unit vectors."""
    raw = np.random.default_rng(seed).normal(size=(n, dim))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def named(labels: Mapping[int, str], negative: Sequence[int] = ()) -> list[ClassChange]:
    """Return classes by id and label."""
    return [
        ClassChange(id_, label, ClassKind.NEGATIVE if id_ in negative else ClassKind.NORMAL)
        for id_, label in labels.items()
    ]


def replica_of(
    vectors: np.ndarray, class_ids: Sequence[int], *, negative: Sequence[int] = (), version: int = 1
) -> Replica:
    """Return a replica with supports 1, 2, ... of classes named `c1`, `c2`, ..."""
    classes = named({id_: f"c{id_}" for id_ in sorted(set(class_ids))}, negative)
    supports = [
        SupportChange(id_, class_id, vector)
        for id_, (class_id, vector) in enumerate(zip(class_ids, vectors, strict=True), start=1)
    ]
    replica = Replica(vectors.shape[1])
    replica.apply(Changes(version, classes, supports, epoch=1.5))
    return replica


def make_supports(ids: Ids, owners: Ids, vectors: Vectors, named: Ids | None = None) -> Supports:
    """Arrange supports; `owners` (n,) are their class ids, `named` those of classes that need no supports."""
    class_ids = np.unique(owners if named is None else np.concatenate([owners, named]))
    columns = np.searchsorted(class_ids, owners)
    sums = np.zeros((len(class_ids), vectors.shape[1]))
    np.add.at(sums, columns, vectors.astype(np.float64))
    counts = np.bincount(columns, minlength=len(class_ids))
    return Supports(ids, columns, vectors, class_ids, counts, sums)
