"""The replica: after any history it equals brute force."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supporting import DIM, named, replica_of, unit, units

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind, Rule, RuleName
from core.errors import ExemplarError
from index.decide import classify
from index.replica import Replica

# few directions, so that ties and equal vectors are frequent
VECTORS = [unit(*row) for row in np.ndindex(2, 2, 2, 2) if any(row)] + [unit(-1, 0, 0, 0), unit(-1, 1, 0, 0)]
QUERIES = np.stack([unit(1, 2, 3, 4), unit(1, 0, 0, 0), unit(-1, -1, 1, 0)])

CHANGE = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 4), st.integers(0, len(VECTORS) - 1)),
    st.tuples(st.just("move"), st.integers(0, 99), st.integers(1, 4)),
    st.tuples(st.just("remove"), st.integers(0, 99), st.just(0)),
    st.tuples(st.just("rename"), st.integers(1, 4), st.integers(0, 9)),
    st.tuples(st.just("delete class"), st.integers(1, 4), st.just(0)),
)
HISTORY = st.lists(st.lists(CHANGE, min_size=1, max_size=8), max_size=8)


class Record:
    """The truth: supports and classes as plain dicts, and the changes since the feed was last read."""

    def __init__(self) -> None:
        self.version = self.last_id = 0
        self.supports: dict[int, tuple[int, np.ndarray]] = {}
        self.classes: dict[int, ClassChange] = {}
        self._changed: dict[int, SupportChange] = {}
        self._changed_classes: dict[int, ClassChange] = {}

    def change(self, what: str, first: int, second: int) -> None:
        self.version += 1
        chosen = sorted(self.supports)[first % len(self.supports)] if self.supports else None
        if what == "add":
            self.last_id += 1
            self._name(first, f"c{first}")
            self._set(self.last_id, first, VECTORS[second])
        elif what == "move" and chosen is not None:
            self._name(second, f"c{second}")
            self._set(chosen, second, self.supports[chosen][1])
        elif what == "remove" and chosen is not None:
            self._delete(chosen)
        elif what == "rename" and first in self.classes:
            self.classes.pop(first)
            self._name(first, f"new name {second}")
        elif what == "delete class" and first in self.classes:
            for id_ in [id_ for id_, (class_id, _) in self.supports.items() if class_id == first]:
                self._delete(id_)
            gone = self.classes.pop(first)
            self._changed_classes[first] = ClassChange(first, gone.label, gone.kind, deleted=True)

    def read(self) -> Changes:
        changes = Changes(
            self.version, list(self._changed_classes.values()), list(self._changed.values()), 1.0
        )
        self._changed, self._changed_classes = {}, {}
        return changes

    def read_all(self) -> Changes:
        supports = [SupportChange(id_, class_id, vec) for id_, (class_id, vec) in self.supports.items()]
        return Changes(self.version, list(self.classes.values()), supports, 1.0)

    def _name(self, class_id: int, label: str) -> None:
        if class_id not in self.classes:
            self.classes[class_id] = ClassChange(class_id, label, ClassKind.NORMAL)
            self._changed_classes[class_id] = self.classes[class_id]

    def _set(self, id_: int, class_id: int, vector: np.ndarray) -> None:
        self.supports[id_] = class_id, vector
        self._changed.pop(id_, None)
        self._changed[id_] = SupportChange(id_, class_id, vector)

    def _delete(self, id_: int) -> None:
        del self.supports[id_]
        self._changed.pop(id_, None)
        self._changed[id_] = SupportChange(id_, None, None)


def with_copy() -> Replica:
    """A replica that searches a copy of its vectors, like one with a copy on a GPU."""
    replica = Replica(DIM)
    replica._searched = faiss.IndexFlatIP(DIM)
    return replica


def assert_equals_brute_force(replica: Replica, record: Record, k: int) -> None:
    similarities, rows = replica.search(QUERIES, k)
    supports = replica.supports()
    assert (len(replica), replica.version) == (len(record.supports), record.version)
    vectors = np.array([vec for _, vec in record.supports.values()]).reshape(-1, DIM)
    nearest = -np.sort(-(QUERIES.astype(np.float64) @ vectors.T), axis=1)[:, :k]
    assert similarities.shape == rows.shape == nearest.shape
    np.testing.assert_allclose(similarities, nearest, atol=1e-6)
    for line, found in enumerate(rows):
        assert len(set(found)) == len(found)
        for column, row in enumerate(found):
            class_id, vector = record.supports[int(supports.ids[row])]
            assert supports.class_ids[supports.columns[row]] == class_id
            np.testing.assert_allclose(similarities[line, column], QUERIES[line] @ vector, atol=1e-6)
    assert dict(replica.classes) == record.classes
    of_class: dict[int, list[Any]] = {}
    for class_id, vector in record.supports.values():
        of_class.setdefault(class_id, []).append(vector.astype(np.float64))
    assert supports.class_ids.tolist() == sorted(of_class)
    assert supports.counts.tolist() == [len(of_class[class_id]) for class_id in sorted(of_class)]
    for class_id, sum_ in zip(supports.class_ids.tolist(), supports.sums, strict=True):
        np.testing.assert_allclose(sum_, np.sum(of_class[class_id], axis=0), atol=1e-8)


@pytest.mark.parametrize("make", [lambda: Replica(DIM), with_copy], ids=["plain", "with a copy"])
@given(history=HISTORY, k=st.integers(1, 70))
@settings(max_examples=40)
def test_replica_equals_brute_force_and_one_made_from_scratch(make: Any, history: Any, k: int) -> None:
    record, replica = Record(), make()
    for batch in history:
        for change in batch:
            record.change(*change)
        replica.apply(record.read())
        assert_equals_brute_force(replica, record, k)
    fresh = make()
    fresh.apply(record.read_all())
    assert_equals_brute_force(fresh, record, k)


def test_empty_replica_has_nothing() -> None:
    similarities, rows = Replica(DIM).search(QUERIES, 5)
    assert rows.shape == similarities.shape == (3, 0)
    supports = Replica(DIM).supports()
    assert (supports.class_ids.shape, supports.sums.shape) == ((0,), (0, DIM))


def test_more_neighbours_than_supports_are_all_supports() -> None:
    _, rows = replica_of(units(3), [1, 1, 2]).search(QUERIES, 50)
    assert [sorted(found) for found in rows] == [[0, 1, 2]] * 3


def test_queries_need_not_lie_in_one_piece_of_memory() -> None:
    replica = replica_of(units(3), [1, 1, 2])
    strided = np.repeat(QUERIES, 2, axis=0)[::2]
    assert np.array_equal(replica.search(strided, 2)[1], replica.search(QUERIES, 2)[1])


def test_class_without_supports_has_a_column_only_where_names_count() -> None:
    replica = replica_of(units(3), [1, 1, 2])
    replica.apply(Changes(2, named({7: "seven"}), []))
    assert replica.supports().class_ids.tolist() == [1, 2]
    assert replica.supports(named=True).class_ids.tolist() == [1, 2, 7]
    assert replica.supports(named=True).counts.tolist() == [2, 1, 0]


@pytest.mark.parametrize(
    "vector",
    [unit(1, 0, 0), unit(1, 0, 0, 0) * 2, np.full(DIM, np.nan, np.float32)],
    ids=["dim", "length", "nan"],
)
def test_invalid_vector_never_enters(vector: np.ndarray) -> None:
    replica = replica_of(units(2), [1, 1])
    with pytest.raises(ExemplarError):
        replica.apply(Changes(9, (), [SupportChange(7, 1, vector)]))
    assert (len(replica), replica.version) == (2, 1)


def test_support_without_a_positive_id_never_enters() -> None:
    with pytest.raises(ValueError, match="positive id"):
        replica_of(units(1), [1]).apply(Changes(2, (), [SupportChange(-1, 1, units(1)[0])]))


def test_same_changes_applied_twice_change_nothing() -> None:
    replica = replica_of(units(3), [1, 1, 2])
    before, sums = replica.search(QUERIES, 3), replica.supports().sums
    replica.apply(
        Changes(
            1, named({1: "c1", 2: "c2"}), [SupportChange(n, c, units(3)[n - 1]) for n, c in ((1, 1), (3, 2))]
        )
    )
    assert np.array_equal(before[1], replica.search(QUERIES, 3)[1])
    np.testing.assert_allclose(sums, replica.supports().sums, atol=1e-12)


def test_search_meets_changes_without_harm() -> None:
    vectors = units(400)
    replica = replica_of(vectors[:200], [n % 3 + 1 for n in range(200)])
    stop = threading.Event()
    both = threading.Barrier(3)

    def answer() -> int:
        answered = 0
        both.wait()
        while not stop.is_set() or answered == 0:
            for rule in RuleName:
                answered += len(classify(replica, Rule(rule), QUERIES, top=5))
        return answered

    with ThreadPoolExecutor(2) as pool:
        answering = [pool.submit(answer) for _ in range(2)]
        both.wait()
        for version in range(2, 42):
            gone = ClassChange(9, "nine", ClassKind.NORMAL, deleted=version % 2 == 1)
            nine = [SupportChange(n, 9, vectors[n]) for n in range(201, 260)]
            deleted = [SupportChange(n, None, None) for n in range(201, 260)]
            replica.apply(Changes(version, [gone], deleted if gone.deleted else nine))
        stop.set()
        assert all(future.result() > 0 for future in answering)
    assert len(replica) == 200


def test_ten_thousand_supports_change_class_quickly() -> None:
    replica = replica_of(units(20_000), [1] * 20_000)
    moved = [SupportChange(n, 2, units(1)[0]) for n in range(1, 10_001)]
    replica.apply(Changes(2, named({2: "c2"}), moved))
    assert replica.supports().counts.tolist() == [10_000, 10_000]
