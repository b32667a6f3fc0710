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
from core.errors import ExemplarError
from core.types import ClassKind, Metric, Rule, RuleName
from index.decide import classify
from index.replica import Replica

# few directions, so that ties and equal vectors are met often
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
    """The truth: supports and classes as plain dicts, and what changed since the feed was last read."""

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
            self._bury(chosen)
        elif what == "rename" and first in self.classes:
            self.classes.pop(first)
            self._name(first, f"new name {second}")
        elif what == "delete class" and first in self.classes:
            for id_ in [id_ for id_, (class_id, _) in self.supports.items() if class_id == first]:
                self._bury(id_)
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

    def _bury(self, id_: int) -> None:
        del self.supports[id_]
        self._changed.pop(id_, None)
        self._changed[id_] = SupportChange(id_, None, None)


def with_copy() -> Replica:
    """A replica that searches a copy of its vectors, as one does that has them on a GPU too."""
    replica = Replica(DIM)
    replica._searched = faiss.IndexFlatIP(DIM)
    return replica


def assert_equals_brute_force(replica: Replica, record: Record, k: int) -> None:
    evidence = replica.gather(QUERIES, k)
    assert len(replica) == len(record.supports)
    assert evidence.version == record.version
    vectors = np.array([vec for _, vec in record.supports.values()]).reshape(-1, DIM)
    similarities = QUERIES.astype(np.float64) @ vectors.T
    nearest = -np.sort(-similarities, axis=1)[:, :k]
    assert evidence.similarities.shape == nearest.shape
    np.testing.assert_allclose(evidence.similarities, nearest, atol=1e-6)
    for row, ids in enumerate(evidence.neighbour_ids):
        assert len(set(ids)) == len(ids)
        for column, id_ in enumerate(ids):
            class_id, vector = record.supports[int(id_)]
            assert evidence.neighbour_classes[row, column] == class_id
            np.testing.assert_allclose(evidence.similarities[row, column], QUERIES[row] @ vector, atol=1e-6)
    assert dict(evidence.classes) == record.classes
    of_class: dict[int, list[Any]] = {}
    for class_id, vector in record.supports.values():
        of_class.setdefault(class_id, []).append(vector.astype(np.float64))
    assert sorted(evidence.class_ids) == sorted(of_class)
    for class_id, mean in zip(evidence.class_ids, evidence.means, strict=True):
        np.testing.assert_allclose(mean, np.mean(of_class[int(class_id)], axis=0), atol=1e-8)


@pytest.mark.parametrize("make", [lambda: Replica(DIM), with_copy], ids=["plain", "with a copy"])
@given(history=HISTORY, k=st.integers(1, 70))
@settings(max_examples=80, deadline=None)
def test_replica_equals_brute_force_and_one_made_from_scratch(make: Any, history: Any, k: int) -> None:
    record, replica = Record(), make()
    for batch in history:
        for change in batch:
            record.change(*change)
        replica.apply(record.read())
        assert_equals_brute_force(replica, record, k)
    anew = make()
    anew.apply(record.read_all())
    assert_equals_brute_force(anew, record, k)


def test_empty_replica_has_no_evidence() -> None:
    evidence = Replica(DIM).gather(QUERIES, 5)
    assert evidence.neighbour_ids.shape == evidence.similarities.shape == (3, 0)
    assert evidence.class_ids.shape == (0,)
    assert evidence.means.shape == (0, DIM)


def test_more_neighbours_than_supports_are_all_supports() -> None:
    evidence = replica_of(units(3), [1, 1, 2]).gather(QUERIES, 50)
    assert [sorted(ids) for ids in evidence.neighbour_ids] == [[1, 2, 3]] * 3


def test_queries_need_not_lie_in_one_piece_of_memory() -> None:
    replica = replica_of(units(3), [1, 1, 2])
    strided = np.repeat(QUERIES, 2, axis=0)[::2]
    assert np.array_equal(replica.gather(strided, 2).neighbour_ids, replica.gather(QUERIES, 2).neighbour_ids)


@pytest.mark.parametrize(
    "vector",
    [unit(1, 0, 0), unit(1, 0, 0, 0) * 2, np.full(DIM, np.nan, np.float32)],
    ids=["dim", "length", "nan"],
)
def test_vector_that_is_unfit_never_enters(vector: np.ndarray) -> None:
    replica = replica_of(units(2), [1, 1])
    with pytest.raises(ExemplarError):
        replica.apply(Changes(9, (), [SupportChange(7, 1, vector)]))
    assert (len(replica), replica.version) == (2, 1)


def test_support_without_a_positive_id_never_enters() -> None:
    with pytest.raises(ValueError, match="positive id"):
        replica_of(units(1), [1]).apply(Changes(2, (), [SupportChange(-1, 1, units(1)[0])]))


def test_same_changes_applied_twice_change_nothing() -> None:
    replica = replica_of(units(3), [1, 1, 2])
    before = replica.gather(QUERIES, 3)
    replica.apply(
        Changes(
            1, named({1: "c1", 2: "c2"}), [SupportChange(n, c, units(3)[n - 1]) for n, c in ((1, 1), (3, 2))]
        )
    )
    after = replica.gather(QUERIES, 3)
    assert np.array_equal(before.neighbour_ids, after.neighbour_ids)
    np.testing.assert_allclose(before.means, after.means, atol=1e-12)


def test_evidence_stays_as_it_was_when_the_replica_changes() -> None:
    replica = replica_of(units(2), [1, 2])
    evidence = replica.gather(QUERIES, 2)
    replica.apply(
        Changes(2, [ClassChange(1, "c1", ClassKind.NORMAL, deleted=True)], [SupportChange(1, None, None)])
    )
    assert evidence.classes[1].label == "c1"
    assert 1 not in replica.gather(QUERIES, 2).classes


def test_search_meets_changes_without_harm() -> None:
    vectors = units(400)
    replica = replica_of(vectors[:200], [n % 3 + 1 for n in range(200)])
    stop = threading.Event()

    def answer() -> int:
        answered = 0
        while not stop.is_set():
            for rule in (Rule(RuleName.NEAREST, Metric.COSINE), Rule(RuleName.PROTOTYPE, Metric.MSE)):
                answered += len(classify(replica, rule, QUERIES, top=5))
        return answered

    with ThreadPoolExecutor(2) as pool:
        answering = [pool.submit(answer) for _ in range(2)]
        for version in range(2, 102):
            gone = ClassChange(9, "nine", ClassKind.NORMAL, deleted=version % 2 == 1)
            nine = [SupportChange(n, 9, vectors[n]) for n in range(201, 260)]
            buried = [SupportChange(n, None, None) for n in range(201, 260)]
            replica.apply(Changes(version, [gone], buried if gone.deleted else nine))
        stop.set()
        assert all(future.result() > 0 for future in answering)
    assert len(replica) == 200


def test_ten_thousand_supports_change_class_quickly() -> None:
    replica = replica_of(units(20_000), [1] * 20_000)
    moved = [SupportChange(n, 2, units(1)[0]) for n in range(1, 10_001)]
    replica.apply(Changes(2, named({2: "c2"}), moved))
    assert sorted(replica.gather(QUERIES, 1).class_ids) == [1, 2]
