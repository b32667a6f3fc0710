"""Replicas whose vectors are in a vector store (Milvus); the worker knows the class of each support."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from core.answers import Contribution
from core.changes import Changes, ClassChange, SupportChange
from core.collections import Index, IndexMeasure, IndexName, Rule
from core.errors import ExemplarError
from core.vectors import Vector, Vectors
from index.contributions import near_contributions
from index.learning import CALIBRATE_SHARE, Fitted
from index.milvus import MilvusStore
from index.near import Near
from index.replica import Replica
from index.sampled import Sampled
from index.supports import Floats, Ids, Supports, changed_classes, evenly, stacked
from index.texts import LabelVectors

WHOLE_MOST = 10_000  # supports up to which the vectors are also in memory, and every rule uses all of them
MOST_FOUND = 16_384  # neighbours per query of a vector store
SPARE = 16  # extra neighbours, since some may belong to other versions
JUDGED_MOST = 2_000  # sampled supports for calibration if not all are in memory


class VectorStoreReplica:
    """Follows the record like a replica, and leaves vectors to a store that other workers may share.

    The store holds a row for each support, written once and never changed; class membership and deletion
    of supports are known to this worker as of its own version. So rows that other workers wrote
    too early or removed too late are ignored, and several workers may write at once.
    """

    index = Index(IndexName.MILVUS)
    measured: IndexMeasure | None = None  # the recall of a store is not measured

    def __init__(
        self, open_store: Callable[[float], MilvusStore], dim: int, *, whole_most: int = WHOLE_MOST
    ) -> None:
        """`open_store` opens the store of this collection, given its epoch."""
        self.dim = dim
        self.version = 0
        self.epoch = 0.0
        self.lock = threading.RLock()
        self._open_store = open_store
        self._opened: MilvusStore | None = None
        self._whole_most = whole_most
        self._whole: Replica | None = Replica(dim)
        self._ids: Ids = np.empty(0, np.int64)  # ascending
        self._owners: Ids = np.empty(0, np.int64)
        self.classes: Mapping[int, ClassChange] = {}  # by id, also those without supports
        self._sums: dict[int, Floats] = {}
        self._unsure: set[int] = set()  # classes whose sums must be recomputed, since they lost supports
        self._sampled = Sampled()
        self._drawn: tuple[int, Ids, Vectors] | None = None  # the sample, and the version it was drawn at

    def __len__(self) -> int:
        return len(self._ids)

    def apply(self, changes: Changes) -> None:
        """Apply changes, to the store first: it must hold every version that this replica claims.

        If the store's version is older than this replica's, because it lost data or another worker
        has not written its mark yet, only go back to that version: the changes are then requested again.
        """
        with self.lock:
            self.epoch = changes.epoch
            mark = self._store.version()
            if mark < self.version:
                self.version = mark
                return
            came = [change for change in changes.supports if change.class_id is not None]
            gone = np.array([change.id for change in changes.supports if change.class_id is None], np.int64)
            vectors = stacked(came, self.dim)
            ids = np.array([change.id for change in came], np.int64)
            owners = np.array([change.class_id for change in came], np.int64)
            if changes.version > mark:
                self._store.put(ids, vectors)
                self._store.remove(gone)
                self._store.note(changes.version)
            self._forget(gone)
            self._take(ids, owners, vectors)
            self.classes = changed_classes(self.classes, changes)
            self._follow_all(changes)
            self._sampled.forget()
            self.version = changes.version

    def near(self, queries: Vectors, k: int) -> list[Near]:
        """Map (m, dim) queries to the k nearest supports of each, or fewer if there are fewer."""
        with self.lock:
            wanted = min(k, len(self._ids))
            if wanted == 0 or not len(queries):
                nothing = np.empty(0, np.int64)
                return [Near(nothing, nothing, np.empty(0, np.float32)) for _ in queries]
            asked = wanted + SPARE
            while True:
                found = self._found(queries, asked)
                lines = [self._known(*line) for line in found]
                exhausted = asked >= MOST_FOUND or all(len(ids) < asked for ids, _ in found)
                if exhausted or all(len(near.ids) >= wanted for near in lines):
                    return [near.first(wanted) for near in lines]
                asked = min(4 * asked, MOST_FOUND)

    def fit(self, rule: Rule, texts: LabelVectors | None = None) -> Fitted:
        """Return the rule fitted to this version; it is invalid after the next change.

        With more supports than fit in memory, only class means and neighbours are available.
        """
        with self.lock:
            if len(self) <= self._whole_most:
                return self._in_memory().fit(rule, texts)
            return self._sampled.fitted(rule, self._sample, self.near, self.version, self.classes)

    def contributions(self, fitted: Fitted, query: Vector, near: Near, column: int) -> list[Contribution]:
        """Return the few supports that contributed most to a column's class, of many only near ones."""
        with self.lock:
            if len(self) <= self._whole_most:
                return self._in_memory().contributions(fitted, query, near, column)
            label = self.classes[int(fitted.fit.supports.class_ids[column])].label
            return near_contributions(fitted, query, near, column, label)

    def recover(self) -> None:
        """After a failure of the store: reopen it, and go back to the version that it holds."""
        with self.lock:
            if self._opened is None and self.version > 0:
                self.version = min(self.version, self._store.version())

    def drop(self) -> None:
        """Delete the store's rows: the collection is gone or has another index."""
        if self._opened is not None:
            self._opened.drop()

    @property
    def _store(self) -> MilvusStore:
        if self._opened is None:
            self._opened = self._open_store(self.epoch)
        return self._opened

    def _take(self, ids: Ids, owners: Ids, vectors: Vectors) -> None:
        """Count supports (n,) for their classes, and subtract those that belonged to another."""
        places = np.searchsorted(self._ids, ids)
        known = np.zeros(len(ids), bool)
        inside = places < len(self._ids)
        known[inside] = self._ids[places[inside]] == ids[inside]
        before = self._owners[places[known]]
        moved = before != owners[known]
        self._sum(before[moved], vectors[known][moved], -1.0)
        self._sum(owners[known][moved], vectors[known][moved], 1.0)
        self._owners[places[known]] = owners[known]
        self._sum(owners[~known], vectors[~known], 1.0)
        order = np.argsort(ids[~known], kind="stable")
        places = np.searchsorted(self._ids, ids[~known][order])
        self._ids = np.insert(self._ids, places, ids[~known][order])
        self._owners = np.insert(self._owners, places, owners[~known][order])

    def _sum(self, owners: Ids, vectors: Vectors, sign: float) -> None:
        class_ids, lines = np.unique(owners, return_inverse=True)
        sums = np.zeros((len(class_ids), self.dim))
        np.add.at(sums, lines, vectors.astype(np.float64))
        for class_id, sum_ in zip(class_ids.tolist(), sums, strict=True):
            self._sums[class_id] = self._sums.get(class_id, 0.0) + sign * sum_

    def _forget(self, gone: Ids) -> None:
        lost = np.isin(self._ids, gone)
        self._unsure |= set(self._owners[lost].tolist())
        self._ids, self._owners = self._ids[~lost], self._owners[~lost]

    def _follow_all(self, changes: Changes) -> None:
        if len(self) > self._whole_most:
            self._whole = None
        if self._whole is not None:
            self._whole.apply(changes)

    def _in_memory(self) -> Replica:
        """Return the replica of a small collection, reading its vectors if it was larger before."""
        if self._whole is None:
            ids, vectors = self._store.get(self._ids)
            owners = dict(zip(self._ids.tolist(), self._owners.tolist(), strict=True))
            supports = [
                SupportChange(id_, owners[id_], vector)
                for id_, vector in zip(ids.tolist(), vectors, strict=True)
            ]
            whole = Replica(self.dim)
            whole.apply(Changes(self.version, list(self.classes.values()), supports, self.epoch))
            self._whole = whole
        return self._whole

    def _sample(self) -> Supports:
        """Return some supports with their vectors, with the counts and sums of all."""
        class_ids, counts = np.unique(self._owners, return_counts=True)
        self._sum_again(class_ids)
        if self._drawn is None or abs(self.version - self._drawn[0]) >= CALIBRATE_SHARE * len(self):
            self._drawn = self.version, *self._store.get(evenly(self._ids, JUDGED_MOST))
        _, ids, vectors = self._drawn
        places = np.minimum(np.searchsorted(self._ids, ids), len(self) - 1)
        here = self._ids[places] == ids  # others were removed since
        return Supports(
            ids=ids[here],
            columns=np.searchsorted(class_ids, self._owners[places[here]]),
            vectors=vectors[here],
            class_ids=class_ids,
            counts=counts.astype(np.int64),
            sums=np.stack([self._sums[class_id] for class_id in class_ids.tolist()]),
        )

    def _sum_again(self, class_ids: Ids) -> None:
        """Recompute the sums of classes that lost supports: the record no longer has the removed vectors."""
        for class_id in self._unsure & set(class_ids.tolist()):
            _, vectors = self._store.get(self._ids[self._owners == class_id])
            self._sums[class_id] = vectors.astype(np.float64).sum(axis=0)
        for class_id in self._sums.keys() - set(class_ids.tolist()):
            del self._sums[class_id]
        self._unsure = set()

    def _known(self, ids: Ids, similarities: npt.NDArray[np.float32]) -> Near:
        """Return the found rows that are supports of this version."""
        places = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        ours = self._ids[places] == ids
        return Near(ids[ours], self._owners[places[ours]], similarities[ours])

    def _found(self, queries: Vectors, k: int) -> list[tuple[Ids, npt.NDArray[np.float32]]]:
        try:
            return self._store.search(queries, k)
        except ExemplarError:
            self._opened = None  # `recover` will reopen it
            raise
