"""The replica: one collection's supports in FAISS, brought up to date by its changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from core.changes import Changes, ClassChange, SupportChange
from core.vectors import Vector, Vectors, check_vector

Ids = npt.NDArray[np.int64]

# FAISS uses matrix multiplication only above this size of a batch (queries x dim); its own default
# leaves batches of a few dozen queries 9 to 11 times slower
faiss.cvar.distance_compute_blas_threshold = 2048


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a rule may look at to answer m queries; C classes have supports, k neighbours were found."""

    queries: Vectors
    """(m, dim)"""
    class_ids: Ids
    """(C,)"""
    means: npt.NDArray[np.float64]
    """(C, dim), the mean vector of each class, not of unit length"""
    classes: Mapping[int, ClassChange]
    """What each class is called and is, by id"""
    neighbour_ids: Ids
    """(m, k), -1 where there are fewer than k supports"""
    neighbour_classes: Ids
    """(m, k), -1 where there are fewer than k supports"""
    similarities: npt.NDArray[np.float32]
    """(m, k), cosine, the nearest first"""
    version: int


@dataclass(frozen=True, slots=True)
class Content:
    """All that a replica holds, as of one version, copied."""

    version: int
    born: float
    ids: Ids
    """(n,)"""
    class_ids: Ids
    """(n,)"""
    vectors: Vectors
    """(n, dim)"""
    classes: Sequence[ClassChange]


class Replica:
    """Exact search over the supports of one collection.

    One lock holds all of it: a FAISS index that is searched while it changes crashes the process.
    """

    def __init__(self, dim: int, *, gpu: bool = False) -> None:
        self.dim = dim
        self.version = 0
        self.born = 0.0  # tells records apart; not known before the first change
        self._lock = threading.Lock()
        self._flat = faiss.IndexFlatIP(dim)  # row i belongs to support _ids[i]
        self._ids: Ids = np.empty(0, np.int64)
        self._class_of: dict[int, int] = {}
        self._classes: Mapping[int, ClassChange] = {}  # replaced, never changed: evidence refers to it
        self._sums: dict[int, npt.NDArray[np.float64]] = {}
        self._counts: dict[int, int] = {}
        # replaced, never changed: evidence refers to it
        self._means: tuple[Ids, npt.NDArray[np.float64]] | None = None
        self._searched: Any = _on_gpu(dim) if gpu else self._flat

    def __len__(self) -> int:
        return len(self._ids)

    def apply(self, changes: Changes) -> None:
        """Take over changes; supports that came, moved or went are seen by the next search."""
        with self._lock:
            self._means = None
            known = [change for change in changes.supports if change.id in self._class_of]
            self._remove([change for change in known if change.class_id is None])
            self._move([change for change in known if change.class_id is not None])
            self._add([c for c in changes.supports if c.class_id is not None and c.id not in self._class_of])
            if changes.classes:
                classes = {**self._classes, **{change.id: change for change in changes.classes}}
                self._classes = {id_: change for id_, change in classes.items() if not change.deleted}
            self.version, self.born = changes.version, changes.born

    def gather(self, queries: Vectors, k: int) -> Evidence:
        """Return the k nearest supports of each query and the class means, as of one version."""
        with self._lock:
            k = min(k, len(self._ids))
            if self._means is None:
                self._means = self._average()
            class_ids, means = self._means
            similarities, ids, classes = self._nearest(queries, k)
            return Evidence(
                queries=queries,
                class_ids=class_ids,
                means=means,
                classes=self._classes,
                neighbour_ids=ids,
                neighbour_classes=classes,
                similarities=similarities,
                version=self.version,
            )

    def content(self) -> Content:
        """Return a copy of all."""
        with self._lock:
            return Content(
                self.version,
                self.born,
                self._ids.copy(),
                np.array([self._class_of[int(i)] for i in self._ids], np.int64),
                self._rows().copy(),
                list(self._classes.values()),
            )

    def _average(self) -> tuple[Ids, npt.NDArray[np.float64]]:
        class_ids = np.fromiter(self._sums, np.int64, len(self._sums))
        means = [self._sums[class_id] / self._counts[class_id] for class_id in self._sums]
        return class_ids, np.stack(means) if means else np.empty((0, self.dim))

    def _nearest(self, queries: Vectors, k: int) -> tuple[npt.NDArray[np.float32], Ids, Ids]:
        if k == 0:
            shape = (len(queries), 0)
            return np.empty(shape, np.float32), np.empty(shape, np.int64), np.empty(shape, np.int64)
        similarities, rows = self._searched.search(np.ascontiguousarray(queries), k)
        found = rows >= 0
        ids = np.where(found, self._ids[rows], -1)
        classes = np.array([[self._class_of.get(int(i), -1) for i in line] for line in ids], np.int64)
        return similarities, ids, classes

    def _rows(self) -> Vectors:
        """Return FAISS's own storage as an array; it dies with the next change."""
        n = len(self._ids)
        view: Vectors = faiss.rev_swig_ptr(self._flat.get_xb(), n * self.dim).reshape(n, self.dim)
        return view

    def _add(self, changes: Sequence[SupportChange]) -> None:
        if not changes:
            return
        vectors = np.stack([check_vector(c.vector, self.dim) for c in changes if c.vector is not None])
        ids = np.array([change.id for change in changes], np.int64)
        if len(vectors) != len(ids) or (ids <= 0).any():
            raise ValueError("expected a vector and a positive id with each support that is not removed")
        self._flat.add(vectors)
        if self._searched is not self._flat:
            self._searched.add(vectors)
        self._ids = np.concatenate([self._ids, ids])
        for change, vector in zip(changes, vectors, strict=True):
            self._class_of[change.id] = class_id = int(change.class_id or 0)
            self._count(class_id, vector, 1)

    def _move(self, changes: Sequence[SupportChange]) -> None:
        target = {change.id: int(change.class_id or 0) for change in changes}
        for support_id, vector in self._vectors(list(target)):
            self._count(self._class_of[support_id], vector, -1)
            self._class_of[support_id] = target[support_id]
            self._count(target[support_id], vector, 1)

    def _remove(self, changes: Sequence[SupportChange]) -> None:
        if not changes:
            return
        gone_ids = [change.id for change in changes]
        for support_id, vector in self._vectors(gone_ids):
            self._count(self._class_of.pop(support_id), vector, -1)
        gone = np.isin(self._ids, gone_ids)
        # keeps the order of the rest, as the mask below does
        self._flat.remove_ids(faiss.IDSelectorBatch(np.flatnonzero(gone)))
        self._ids = self._ids[~gone]
        if self._searched is not self._flat:  # GPU indexes cannot remove
            self._searched.reset()
            self._searched.add(self._rows())

    def _vectors(self, support_ids: Sequence[int]) -> Iterator[tuple[int, Vector]]:
        for row in np.flatnonzero(np.isin(self._ids, support_ids)):
            yield int(self._ids[row]), np.asarray(self._flat.reconstruct(int(row)), np.float32)

    def _count(self, class_id: int, vector: npt.NDArray[np.float32], sign: int) -> None:
        count = self._counts.get(class_id, 0) + sign
        if count == 0:
            del self._counts[class_id], self._sums[class_id]
            return
        self._counts[class_id] = count
        sum_ = self._sums.setdefault(class_id, np.zeros(self.dim))
        sum_ += sign * vector.astype(np.float64)


def restore(content: Content, *, gpu: bool = False) -> Replica:
    """Return a replica with the content of another."""
    replica = Replica(content.vectors.shape[1], gpu=gpu)
    supports = [
        SupportChange(int(support_id), int(class_id), vector)
        for support_id, class_id, vector in zip(content.ids, content.class_ids, content.vectors, strict=True)
    ]
    replica.apply(Changes(content.version, content.classes, supports, content.born))
    return replica


def use_search_threads(threads: int) -> None:
    """Set how many threads one search uses; more than there are cores to spare make it slower."""
    faiss.omp_set_num_threads(threads)


def gpu_is_here() -> bool:
    """Say whether FAISS sees a GPU."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


@cache  # each set of resources takes gigabytes of the GPU, and one thread per process searches
def _gpu_resources() -> Any:
    return faiss.StandardGpuResources()


def _on_gpu(dim: int) -> Any:
    return faiss.GpuIndexFlatIP(_gpu_resources(), dim)
