"""The replica: one collection's supports in FAISS, updated from the feed of changes."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from core.answers import Contribution
from core.changes import Changes, ClassChange, SupportChange
from core.collections import Index, IndexMeasure, Rule
from core.vectors import Vector, Vectors
from index.ann_index import AnnIndex
from index.ann_serving import AnnServing, compare
from index.class_sums import ClassSums
from index.content import Content
from index.contributions import contributions
from index.devices import flat_on_gpu
from index.learning import Fitted, Learner
from index.many_learning import FittedLabels, LabelLearner
from index.many_thresholds import Thresholds
from index.near import Near
from index.prior import Prior
from index.supports import Ids, Mask, Supports, are_normal, changed_classes, stacked
from index.texts import LabelVectors


class Replica:
    """Search over the supports of one collection, and the rules fitted to them.

    Search is exact unless an approximate index serves, whose candidates are compared exactly.

    One lock guards all of it: searching a FAISS index while it changes crashes the process. To get
    several answers of one version, hold `lock` around them.
    """

    def __init__(self, dim: int, *, gpu: bool = False, by_name: bool = True) -> None:
        self.dim = dim
        self._by_name = by_name  # whether classes without supports answer by their labels, given prompts
        self.version = 0
        self.epoch = 0.0  # identifies record and encoder; not known before the first change
        self.lock = threading.RLock()
        self.ann = AnnServing()
        self.usual: object = None
        """What was usual among the supports of some version, for checks of new ones."""
        self._flat = faiss.IndexFlatIP(dim)  # row i belongs to support ids[i] of class _owners[i]
        self.ids: Ids = np.empty(0, np.int64)  # ascending; replaced, never changed
        self._order: Ids | None = None  # rows by ascending id
        self._owners: Ids = np.empty(0, np.int64)
        # replaced, never changed, since readers keep references
        self.classes: Mapping[int, ClassChange] = {}
        self._sums = ClassSums(dim)
        self._supports: dict[bool, Supports] = {}
        self._learner = Learner(self.search)
        self._label_learner = LabelLearner()
        self._prior: tuple[LabelVectors, Supports, Prior] | None = None
        self._searched: Any = flat_on_gpu(dim) if gpu else self._flat

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def index(self) -> Index:
        """The index that the collection asks for; one other than `flat` needs training."""
        return self.ann.index

    @property
    def measured(self) -> IndexMeasure | None:
        """The measured recall of the approximate index that serves."""
        return self.ann.measured

    def apply(self, changes: Changes) -> None:
        """Apply changes; the next search sees them."""
        with self.lock:
            known = np.isin([change.id for change in changes.supports], self.ids)
            here = [change for change, found in zip(changes.supports, known, strict=True) if found]
            new = [change for change, found in zip(changes.supports, known, strict=True) if not found]
            added = [change for change in new if change.class_id is not None]
            if not (added or changes.classes or self._any_moved(here)):
                self.version, self.epoch = changes.version, changes.epoch  # only metadata changed
                return
            vectors = stacked(added, self.dim)
            touched = self._touched(here, added)
            self._learner.leave(map(self._of_class, touched), self._sums.held(touched), len(self))
            gone = np.isin(self.ids, [change.id for change in here if change.class_id is None])
            removed = self._rows()[gone] if self._label_learner.follows_rows else vectors[:0]
            self._label_learner.change(removed, vectors, len(self))
            self._remove(gone)
            self._move([change for change in here if change.class_id is not None])
            self._add(added, vectors)
            self._learner.join(map(self._of_class, touched))
            self.classes = changed_classes(self.classes, changes)
            self._supports = {}
            self.version, self.epoch = changes.version, changes.epoch

    def search(self, queries: Vectors, k: int) -> tuple[npt.NDArray[np.float32], Ids]:
        """Map (m, dim) queries to the cosines (m, k) and rows (m, k) of the nearest supports, nearest first.

        If there are fewer than k supports, all are returned.
        """
        with self.lock:
            if self.ann.serving is None:
                return self.search_all(queries, k)
            return self.search_by(self.ann.serving, queries, k)

    def search_all(self, queries: Vectors, k: int) -> tuple[npt.NDArray[np.float32], Ids]:
        """Search by comparing with all supports."""
        with self.lock:
            k = min(k, len(self.ids))
            if k == 0:
                return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
            similarities, rows = self._searched.search(np.ascontiguousarray(queries), k)
            return similarities, rows

    def search_by(self, ann: AnnIndex, queries: Vectors, k: int) -> tuple[npt.NDArray[np.float32], Ids]:
        """Search among candidates; a query with too few candidates is compared with all supports."""
        with self.lock:
            k = min(k, len(self.ids))
            rows_of = self.rows_of(ann.candidates(queries, k))
            similarities, rows, short = compare(self._rows(), queries, rows_of, k)
            if len(short):
                similarities[short], rows[short] = self.search_all(queries[short], k)
            return similarities, rows

    def near(self, queries: Vectors, k: int) -> list[Near]:
        """Map (m, dim) queries to the k nearest supports of each."""
        with self.lock:
            similarities, rows = self.search(queries, k)
            return [
                Near(self.ids[line], self._owners[line], found)
                for line, found in zip(rows, similarities, strict=True)
            ]

    def contributions(self, fitted: Fitted, query: Vector, near: Near, column: int) -> list[Contribution]:
        """Return the few supports that contributed most to the class of a column, near or not."""
        label = self.classes[int(fitted.fit.supports.class_ids[column])].label
        return contributions(fitted, query, column, label)

    def rows_of(self, ids: Ids) -> Ids:
        """Map ids of any shape to their rows, -1 for an unknown support."""
        with self.lock:
            if self._order is None:
                self._order = np.argsort(self.ids, kind="stable")
            if not len(self.ids):
                return np.full(ids.shape, -1, np.int64)
            places = np.searchsorted(self.ids, ids, sorter=self._order)
            rows = self._order[np.minimum(places, len(self.ids) - 1)]
            found: Ids = np.where(self.ids[rows] == ids, rows, -1)
            return found

    def vectors_at(self, rows: Ids) -> Vectors:
        """Return a copy of the vectors of some rows."""
        with self.lock:
            vectors: Vectors = self._rows()[rows]
            return vectors

    def supports(self, *, named: bool = False) -> Supports:
        """Return all supports as arrays; their vectors are a view of FAISS's memory, invalid after a change.

        A class without supports has a column only with `named`, if its name counts.
        """
        with self.lock:
            if named not in self._supports:
                named_too = self.classes if named and self._by_name else ()
                self._supports[named] = self._sums.arrange(self.ids, self._owners, self._rows(), named_too)
            return self._supports[named]

    def fit(self, rule: Rule, texts: LabelVectors | None = None) -> Fitted:
        """Return the rule fitted to this version; it is invalid after the next change."""
        with self.lock:
            supports = self.supports(named=texts is not None)
            prior = None if texts is None else self._prior_of(texts, supports)
            normal = are_normal(supports.class_ids, self.classes)
            return self._learner.fitted(rule, supports, self.version, normal, prior)

    def fit_labels(self, rule: Rule) -> tuple[FittedLabels, Thresholds]:
        """Return the rule for several labels, as `fit` does, and the thresholds of its labels."""
        with self.lock:
            fitted = self._label_learner.fitted(
                rule, self.ids, self._rows(), self._owners, self.classes, self.version
            )
            return fitted, self._label_learner.thresholds(fitted, rule)

    def _prior_of(self, texts: LabelVectors, supports: Supports) -> Prior:
        """Return the prior of these texts and supports, cached while they are the same objects."""
        last = self._prior
        if last is None or last[0] is not texts or last[1] is not supports:
            last = self._prior = texts, supports, Prior(texts, supports.class_ids, self.dim)
        return last[2]

    def content(self) -> Content:
        """Return a copy of everything."""
        with self.lock:
            return Content(
                self.version,
                self.epoch,
                self.ids.copy(),
                self._owners.copy(),
                self._rows().copy(),
                list(self.classes.values()),
                self.ann.trained,
            )

    def _any_moved(self, here: Sequence[SupportChange]) -> bool:
        owners = self._owners[self.rows_of(np.array([change.id for change in here], np.int64))]
        return any(change.class_id != owner for change, owner in zip(here, owners.tolist(), strict=True))

    def _touched(self, here: Sequence[SupportChange], added: Sequence[SupportChange]) -> list[int]:
        """Return the classes that lose or gain supports."""
        losing = self._owners[np.isin(self.ids, [change.id for change in here])]
        getting = [int(change.class_id) for change in (*here, *added) if change.class_id is not None]
        return sorted({*losing.tolist(), *getting})

    def _of_class(self, class_id: int) -> Vectors:
        vectors: Vectors = self._rows()[self._owners == class_id]
        return vectors

    def _rows(self) -> Vectors:
        """Return FAISS's own storage as an array; it is invalid after the next change."""
        n = len(self.ids)
        if n == 0:
            return np.empty((0, self.dim), np.float32)
        view: Vectors = faiss.rev_swig_ptr(self._flat.get_xb(), n * self.dim).reshape(n, self.dim)
        return view

    def _add(self, changes: Sequence[SupportChange], vectors: Vectors) -> None:
        if not changes:
            return
        order = np.argsort([change.id for change in changes], kind="stable")
        changes, vectors = [changes[place] for place in order], vectors[order]
        ids = np.array([change.id for change in changes], np.int64)
        is_late = len(self.ids) > 0 and ids[0] < self.ids[-1]
        self._flat.add(vectors)
        if self._searched is not self._flat:
            self._searched.add(vectors)
        owners = np.array([change.class_id for change in changes], np.int64)
        self.ann.add(ids, vectors)
        self.ids = np.concatenate([self.ids, ids])
        self._order = None
        self._owners = np.concatenate([self._owners, owners])
        for class_id, vector in zip(owners, vectors, strict=True):
            self._sums.add(int(class_id), vector)
        if is_late:
            self._sort()

    def _sort(self) -> None:
        """Put rows in the order of their ids, on which the folds of a calibration depend, and so answers."""
        order = np.argsort(self.ids, kind="stable")
        rows = self._rows()[order]
        for flat in {id(flat): flat for flat in (self._flat, self._searched)}.values():
            flat.reset()
            flat.add(rows)
        self.ids, self._owners = self.ids[order], self._owners[order]

    def _move(self, changes: Sequence[SupportChange]) -> None:
        if not changes:
            return
        target = {change.id: int(change.class_id or 0) for change in changes}
        owners = self._owners.copy()  # readers may keep references to the old ones
        for row in np.flatnonzero(np.isin(self.ids, list(target))):
            vector = np.asarray(self._flat.reconstruct(int(row)), np.float32)
            self._sums.remove(int(owners[row]), vector)
            owners[row] = target[int(self.ids[row])]
            self._sums.add(int(owners[row]), vector)
        self._owners = owners

    def _remove(self, gone: Mask) -> None:
        if not gone.any():
            return
        for row in np.flatnonzero(gone):
            vector = np.asarray(self._flat.reconstruct(int(row)), np.float32)
            self._sums.remove(int(self._owners[row]), vector)
        # keeps the order of the rest, as the masks below do
        self._flat.remove_ids(faiss.IDSelectorBatch(np.flatnonzero(gone)))
        self.ann.remove(self.ids[gone])
        self.ids, self._owners = self.ids[~gone], self._owners[~gone]
        self._order = None
        if self._searched is not self._flat:  # GPU indexes cannot remove
            self._searched.reset()
            self._searched.add(self._rows())
