"""The replica: one collection's supports in FAISS, brought up to date by its changes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from core.changes import Changes, ClassChange, SupportChange
from core.types import ClassKind, Index, IndexMeasure, Rule
from core.vectors import Vector, Vectors, check_vector
from index.coarse import Coarse, Trained
from index.learning import Fitted, Learner
from index.near import Near, Witness
from index.prior import Prior
from index.shortcut import Shortcut, compare
from index.supports import Floats, Ids, Supports
from index.texts import LabelVectors

# FAISS uses matrix multiplication only above this size of a batch (queries x dim); its own default
# leaves batches of a few dozen queries 9 to 11 times slower
faiss.cvar.distance_compute_blas_threshold = 2048


@dataclass(frozen=True, slots=True)
class Content:
    """All that a replica holds, as of one version, copied."""

    version: int
    epoch: float
    ids: Ids
    """(n,)"""
    class_ids: Ids
    """(n,)"""
    vectors: Vectors
    """(n, dim)"""
    classes: Sequence[ClassChange]
    trained: Trained | None = None


class Replica:
    """Search over the supports of one collection, and what its rules have learnt from them.

    It is exact unless the replica has a shortcut, whose candidates are compared exactly.

    One lock holds all of it: a FAISS index that is searched while it changes crashes the process. Who needs
    several answers as of one version holds `lock` around them.
    """

    def __init__(self, dim: int, *, gpu: bool = False) -> None:
        self.dim = dim
        self.version = 0
        self.epoch = 0.0  # tells records apart; not known before the first change
        self.lock = threading.RLock()
        self.shortcut = Shortcut()
        self._flat = faiss.IndexFlatIP(dim)  # row i belongs to support _ids[i] of class _owners[i]
        self._ids: Ids = np.empty(0, np.int64)  # replaced, never changed
        self._order: Ids | None = None  # rows by ascending id
        self._owners: Ids = np.empty(0, np.int64)
        self._classes: Mapping[int, ClassChange] = {}  # replaced, never changed: readers refer to it
        self._sums: dict[int, Floats] = {}
        self._counts: dict[int, int] = {}
        self._supports: dict[bool, Supports] = {}
        self._learner = Learner()
        self._prior: tuple[LabelVectors, Supports, Prior] | None = None
        self._searched: Any = _on_gpu(dim) if gpu else self._flat

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def index(self) -> Index:
        """How the collection wants to be searched; the shortcut of another index than `flat` takes time."""
        return self.shortcut.index

    @property
    def measured(self) -> IndexMeasure | None:
        """What was measured of the shortcut that serves."""
        return self.shortcut.measured

    @property
    def ids(self) -> Ids:
        """The supports' ids in the order of their rows, (n,)."""
        return self._ids

    @property
    def classes(self) -> Mapping[int, ClassChange]:
        """What each class is called and is, by id; with those that have no support."""
        return self._classes

    def apply(self, changes: Changes) -> None:
        """Take over changes; supports that came, moved or went are seen by the next search."""
        with self.lock:
            known = np.isin([change.id for change in changes.supports], self._ids)
            here = [change for change, found in zip(changes.supports, known, strict=True) if found]
            new = [change for change, found in zip(changes.supports, known, strict=True) if not found]
            added = [change for change in new if change.class_id is not None]
            vectors = self._checked(added)
            touched = self._touched(here, added)
            self._learner.leave(
                map(self._of_class, touched), sum(self._counts.get(c, 0) for c in touched), len(self)
            )
            self._remove([change for change in here if change.class_id is None])
            self._move([change for change in here if change.class_id is not None])
            self._add(added, vectors)
            self._learner.join(map(self._of_class, touched))
            if changes.classes:
                classes = {**self._classes, **{change.id: change for change in changes.classes}}
                self._classes = {id_: change for id_, change in classes.items() if not change.deleted}
            self._supports = {}
            self.version, self.epoch = changes.version, changes.epoch

    def search(self, queries: Vectors, k: int) -> tuple[npt.NDArray[np.float32], Ids]:
        """Map (m, dim) queries to the cosines (m, k) and rows (m, k) of the nearest supports, nearest first.

        There are fewer than k where there are fewer supports.
        """
        with self.lock:
            if self.shortcut.serving is None:
                return self.search_all(queries, k)
            return self.search_by(self.shortcut.serving, queries, k)

    def search_all(self, queries: Vectors, k: int) -> tuple[npt.NDArray[np.float32], Ids]:
        """Search by comparing with all supports."""
        with self.lock:
            k = min(k, len(self._ids))
            if k == 0:
                return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
            similarities, rows = self._searched.search(np.ascontiguousarray(queries), k)
            return similarities, rows

    def search_by(self, coarse: Coarse, queries: Vectors, k: int) -> tuple[npt.NDArray[np.float32], Ids]:
        """Search among candidates; a query that gets too few is compared with all supports."""
        with self.lock:
            k = min(k, len(self._ids))
            rows_of = self.rows_of(coarse.candidates(queries, k))
            similarities, rows, short = compare(self._rows(), queries, rows_of, k)
            if len(short):
                similarities[short], rows[short] = self.search_all(queries[short], k)
            return similarities, rows

    def near(self, queries: Vectors, k: int) -> list[Near]:
        """Map (m, dim) queries to the k nearest supports of each."""
        with self.lock:
            similarities, rows = self.search(queries, k)
            return [
                Near(self._ids[line], self._owners[line], found)
                for line, found in zip(rows, similarities, strict=True)
            ]

    def witnesses(self, fitted: Fitted, query: Vector, near: Near, column: int) -> list[Witness]:
        """Return the few supports that spoke most for the class of a column, whether they are near or not."""
        supports = fitted.fit.supports
        for_it = np.maximum(fitted.fit.parts(query, column), 0.0)
        rows = np.argsort(-for_it, kind="stable")[: len(near.ids)]
        return [
            Witness(
                support_id=int(supports.ids[row]),
                similarity=float(supports.vectors[row] @ query),
                share=float(for_it[row] / for_it.sum()),
            )
            for row in rows
            if for_it[row] > 0
        ]

    def rows_of(self, ids: Ids) -> Ids:
        """Map ids of any shape to their rows, -1 where there is no such support."""
        with self.lock:
            if self._order is None:
                self._order = np.argsort(self._ids, kind="stable")
            if not len(self._ids):
                return np.full(ids.shape, -1, np.int64)
            places = np.searchsorted(self._ids, ids, sorter=self._order)
            rows = self._order[np.minimum(places, len(self._ids) - 1)]
            found: Ids = np.where(self._ids[rows] == ids, rows, -1)
            return found

    def vectors_at(self, rows: Ids) -> Vectors:
        """Return a copy of the vectors of some rows."""
        with self.lock:
            vectors: Vectors = self._rows()[rows]
            return vectors

    def supports(self, *, named: bool = False) -> Supports:
        """Return all supports as arrays; their vectors are FAISS's own and die with the next change.

        A class without supports has a column only where `named` says that its name counts.
        """
        with self.lock:
            if named not in self._supports:
                self._supports[named] = self._arrange({*self._sums, *self._classes} if named else self._sums)
            return self._supports[named]

    def fit(self, rule: Rule, texts: LabelVectors | None = None) -> Fitted:
        """Return the rule as learnt from this version; it dies with the next change."""
        with self.lock:
            supports = self.supports(named=texts is not None)
            prior = None if texts is None else self._prior_of(texts, supports)
            normal = np.array([self._is_normal(int(c)) for c in supports.class_ids], bool)
            return self._learner.fitted(rule, supports, self.version, normal, self.search, prior)

    def _prior_of(self, texts: LabelVectors, supports: Supports) -> Prior:
        """Return the prior of these texts and supports, the last one where they are the same objects."""
        last = self._prior
        if last is None or last[0] is not texts or last[1] is not supports:
            last = self._prior = texts, supports, Prior(texts, supports.class_ids, self.dim)
        return last[2]

    def content(self) -> Content:
        """Return a copy of all."""
        with self.lock:
            return Content(
                self.version,
                self.epoch,
                self._ids.copy(),
                self._owners.copy(),
                self._rows().copy(),
                list(self._classes.values()),
                self.shortcut.trained,
            )

    def _arrange(self, classes: Iterable[int]) -> Supports:
        class_ids = np.array(sorted(classes), np.int64)
        sums = np.zeros((len(class_ids), self.dim))
        for column, class_id in enumerate(class_ids.tolist()):
            if class_id in self._sums:
                sums[column] = self._sums[class_id]
        return Supports(
            ids=self._ids,
            columns=np.searchsorted(class_ids, self._owners),
            vectors=self._rows(),
            class_ids=class_ids,
            counts=np.array([self._counts.get(class_id, 0) for class_id in class_ids.tolist()], np.int64),
            sums=sums,
        )

    def _is_normal(self, class_id: int) -> bool:
        class_ = self._classes.get(class_id)
        return class_ is not None and class_.kind is ClassKind.NORMAL

    def _touched(self, here: Sequence[SupportChange], added: Sequence[SupportChange]) -> list[int]:
        """Return the classes that lose or get supports."""
        losing = self._owners[np.isin(self._ids, [change.id for change in here])]
        getting = [int(change.class_id) for change in (*here, *added) if change.class_id is not None]
        return sorted({*losing.tolist(), *getting})

    def _of_class(self, class_id: int) -> Vectors:
        vectors: Vectors = self._rows()[self._owners == class_id]
        return vectors

    def _rows(self) -> Vectors:
        """Return FAISS's own storage as an array; it dies with the next change."""
        n = len(self._ids)
        if n == 0:
            return np.empty((0, self.dim), np.float32)
        view: Vectors = faiss.rev_swig_ptr(self._flat.get_xb(), n * self.dim).reshape(n, self.dim)
        return view

    def _checked(self, changes: Sequence[SupportChange]) -> Vectors:
        vectors = [check_vector(change.vector, self.dim) for change in changes if change.vector is not None]
        if len(vectors) != len(changes) or any(change.id <= 0 for change in changes):
            raise ValueError("expected a vector and a positive id with each support that is not removed")
        return np.stack(vectors) if vectors else np.empty((0, self.dim), np.float32)

    def _add(self, changes: Sequence[SupportChange], vectors: Vectors) -> None:
        if not changes:
            return
        ids = np.array([change.id for change in changes], np.int64)
        self._flat.add(vectors)
        if self._searched is not self._flat:
            self._searched.add(vectors)
        owners = np.array([change.class_id for change in changes], np.int64)
        self.shortcut.add(ids, vectors)
        self._ids = np.concatenate([self._ids, ids])
        self._order = None
        self._owners = np.concatenate([self._owners, owners])
        for class_id, vector in zip(owners, vectors, strict=True):
            self._count(int(class_id), vector, 1)

    def _move(self, changes: Sequence[SupportChange]) -> None:
        if not changes:
            return
        target = {change.id: int(change.class_id or 0) for change in changes}
        owners = self._owners.copy()  # readers may refer to the old ones
        for row in np.flatnonzero(np.isin(self._ids, list(target))):
            vector = np.asarray(self._flat.reconstruct(int(row)), np.float32)
            self._count(int(owners[row]), vector, -1)
            owners[row] = target[int(self._ids[row])]
            self._count(int(owners[row]), vector, 1)
        self._owners = owners

    def _remove(self, changes: Sequence[SupportChange]) -> None:
        if not changes:
            return
        gone = np.isin(self._ids, [change.id for change in changes])
        for row in np.flatnonzero(gone):
            vector = np.asarray(self._flat.reconstruct(int(row)), np.float32)
            self._count(int(self._owners[row]), vector, -1)
        # keeps the order of the rest, as the masks below do
        self._flat.remove_ids(faiss.IDSelectorBatch(np.flatnonzero(gone)))
        self.shortcut.remove(self._ids[gone])
        self._ids, self._owners = self._ids[~gone], self._owners[~gone]
        self._order = None
        if self._searched is not self._flat:  # GPU indexes cannot remove
            self._searched.reset()
            self._searched.add(self._rows())

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
    replica.apply(Changes(content.version, content.classes, supports, content.epoch))
    replica.shortcut.trained = content.trained
    return replica


def use_search_threads(threads: int) -> None:
    """Set how many threads a search and a rule's algebra use; more than cores to spare make both slower."""
    faiss.omp_set_num_threads(threads)
    threadpool_limits(threads, user_api="blas")


def gpu_is_here() -> bool:
    """Say whether FAISS sees a GPU."""
    return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0


@cache  # each set of resources takes gigabytes of the GPU, and one thread per process searches
def _gpu_resources() -> Any:
    return faiss.StandardGpuResources()


def _on_gpu(dim: int) -> Any:
    return faiss.GpuIndexFlatIP(_gpu_resources(), dim)
