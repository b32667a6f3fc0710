"""Large collections: vectors in a vector store, and approximate indexes trained in the background."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from supporting import named, units

from core.changes import Changes, SupportChange
from core.collections import Index, IndexName, Metric, Rule, RuleName
from index import ann_index, ann_serving, snapshot, training
from index.calibration import calibrate
from index.decide import classify
from index.means import MeanFit
from index.replica import Replica
from index.sampled import SampledNeighbours
from index.supports import Ids
from index.vector_store import VectorStoreReplica
from worker.report import report_on

DIM = 16
CLASSES = 6


class Memory:
    """An exact vector store in memory."""

    def __init__(self) -> None:
        self.rows: dict[int, np.ndarray] = {}
        self.mark = 0

    def version(self) -> int:
        return self.mark

    def note(self, version: int) -> None:
        self.mark = version

    def put(self, ids: Ids, vectors: np.ndarray) -> None:
        self.rows.update(zip(ids.tolist(), vectors, strict=True))

    def remove(self, ids: Ids) -> None:
        for support_id in ids.tolist():
            self.rows.pop(support_id, None)

    def search(self, queries: np.ndarray, k: int) -> list:
        ids, vectors = self.get(np.array(sorted(self.rows)))
        cosines = queries @ vectors.T
        orders = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
        return [(ids[order], line[order]) for order, line in zip(orders, cosines, strict=True)]

    def get(self, ids: Ids) -> tuple[Ids, np.ndarray]:
        here = [support_id for support_id in ids.tolist() if support_id in self.rows]
        return np.array(here, np.int64), np.array([self.rows[one] for one in here], np.float32).reshape(
            -1, DIM
        )

    def drop(self) -> None:
        self.rows, self.mark = {}, 0


def clustered(count: int, *, seed: int = 0) -> tuple[np.ndarray, list[int]]:
    class_ids = [n % CLASSES + 1 for n in range(count)]
    raw = units(CLASSES, dim=DIM, seed=5)[np.array(class_ids) - 1] + 0.9 * units(count, dim=DIM, seed=seed)
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32), class_ids


def feed_of(vectors: np.ndarray, class_ids: list[int], first: int = 1) -> list[SupportChange]:
    return [
        SupportChange(first + n, class_id, vector)
        for n, (class_id, vector) in enumerate(zip(class_ids, vectors, strict=True))
    ]


def both(count: int) -> tuple[Replica, VectorStoreReplica]:
    """The same supports in memory and in a vector store that is too large to be read into memory."""
    vectors, class_ids = clustered(count)
    changes = Changes(
        count,
        named({n: f"c{n}" for n in range(1, CLASSES + 1)}, negative=[6]),
        feed_of(vectors, class_ids),
        1.0,
    )
    whole, sampled = Replica(DIM), VectorStoreReplica(lambda _: Memory(), DIM, whole_most=100)
    whole.apply(changes)
    sampled.apply(changes)
    return whole, sampled


@pytest.mark.parametrize("metric", Metric)
def test_prototypes_from_a_vector_store_answer_as_those_in_memory(metric: Metric) -> None:
    whole, sampled = both(600)
    queries, _ = clustered(50, seed=3)
    rule = Rule(RuleName.PROTOTYPE, metric)
    for right, found in zip(
        classify(whole, rule, queries, top=4), classify(sampled, rule, queries, top=4), strict=True
    ):
        assert (found.decision, found.label, found.candidate_set) == (
            right.decision,
            right.label,
            right.candidate_set,
        )
        assert found.confidence == pytest.approx(right.confidence, abs=1e-5)
        assert [one.support_id for one in found.neighbours] == [one.support_id for one in right.neighbours]
        assert found.novelty is not None and right.novelty is not None
        assert found.novelty.threshold == pytest.approx(right.novelty.threshold, abs=1e-5)
        assert found.novelty.accepts_unfamiliar == pytest.approx(right.novelty.accepts_unfamiliar, abs=1e-9)


@pytest.mark.parametrize("name", [RuleName.NEIGHBOURS, RuleName.NEAREST])
def test_neighbours_from_a_vector_store_score_and_explain_as_those_in_memory(name: RuleName) -> None:
    whole, sampled = both(600)
    queries, _ = clustered(50, seed=3)
    rule = Rule(name)
    right, found = whole.fit(rule), sampled.fit(rule)
    np.testing.assert_allclose(found.fit.scores(queries), right.fit.scores(queries), atol=1e-5)
    for left, other in zip(
        classify(whole, rule, queries, top=4), classify(sampled, rule, queries, top=4), strict=True
    ):
        assert other.candidates[0].label == left.candidates[0].label
        assert [one.support_id for one in other.explanation.supports] == [
            one.support_id for one in left.explanation.supports
        ]
        shares = [one.share for one in left.explanation.supports]
        assert [one.share for one in other.explanation.supports] == pytest.approx(shares, abs=1e-4)
        assert other.novelty is not None and other.novelty.threshold is not None


def test_neighbours_are_calibrated_alike_from_a_vector_store_and_from_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SampledNeighbours, "most_judged", 2_000)
    whole, sampled = both(600)
    right, found = (replica.fit(Rule(RuleName.NEIGHBOURS)).calibration for replica in (whole, sampled))
    assert found.inverse_temperature == pytest.approx(right.inverse_temperature, rel=0.05)
    assert found.threshold(0.05) == pytest.approx(right.threshold(0.05), abs=0.05)


@pytest.mark.parametrize("name", [RuleName.AUTO, RuleName.KERNEL, RuleName.RIDGE])
def test_rule_that_needs_every_vector_gives_way_and_the_answer_says_so(name: RuleName) -> None:
    _, sampled = both(600)
    [answer] = classify(sampled, Rule(name), clustered(1)[0], top=3)
    assert answer.rule is RuleName.PROTOTYPE
    assert answer.explanation.supports and 0 < sum(one.share for one in answer.explanation.supports) <= 1


def test_collection_that_shrinks_is_in_memory_again() -> None:
    whole, sampled = both(600)
    gone = Changes(1_200, (), [SupportChange(n, None, None) for n in range(61, 601)], 1.0)
    whole.apply(gone)
    sampled.apply(gone)
    queries, _ = clustered(20, seed=3)
    for right, found in zip(
        classify(whole, Rule(), queries, top=3), classify(sampled, Rule(), queries, top=3), strict=True
    ):
        assert (found.rule, found.label) == (RuleName.KERNEL, right.label)
        assert found.confidence == pytest.approx(right.confidence, abs=1e-5)


def test_class_means_are_right_after_removals_moves_and_replays() -> None:
    whole, sampled = both(600)
    vectors, class_ids = clustered(600)
    removed = [SupportChange(n, None, None) for n in range(1, 200, 3)]
    moved = [SupportChange(n, 2, vectors[n - 1]) for n in range(201, 300)]
    emptied = [SupportChange(n, None, None) for n in range(301, 601) if class_ids[n - 1] == 4]
    for version, supports in ((700, removed), (800, moved), (900, emptied), (900, emptied), (901, moved)):
        changes = Changes(version, (), supports, 1.0)
        whole.apply(changes)
        sampled.apply(changes)
        right, found = whole.supports(), sampled.fit(Rule(RuleName.PROTOTYPE)).fit.supports
        assert found.class_ids.tolist() == right.class_ids.tolist()
        assert found.counts.tolist() == right.counts.tolist()
        np.testing.assert_allclose(found.sums, right.sums, atol=1e-5)


def test_report_of_a_sample_counts_every_support() -> None:
    _, sampled = both(3_000)
    report = report_on(sampled, Rule(), None, {})
    assert (report.supports, report.judged, report.rule_used) == (3_000, 2_000, RuleName.PROTOTYPE)
    assert (report.index, report.recall_at_10) == (IndexName.MILVUS, None)
    assert any("2000 were judged" in note for note in report.notes)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "TRAIN_FROM", 400)
    monkeypatch.setattr(training, "FILLED_AT_ONCE", 50)


def trained(index: Index, count: int = 600) -> tuple[Replica, np.ndarray]:
    vectors, class_ids = clustered(count)
    replica = Replica(DIM)
    replica.apply(
        Changes(count, named({n: f"c{n}" for n in range(1, CLASSES + 1)}), feed_of(vectors, class_ids), 1.0)
    )
    training.follow_index(replica, index, run=lambda work: work())
    return replica, vectors


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", [IndexName.IVF, IndexName.RABITQ])
def test_ann_index_compares_few_and_reports_its_recall(name: IndexName) -> None:
    replica, vectors = trained(Index(name, probes=2))
    assert replica.measured is not None and replica.ann.serving is not None
    exact = replica.search_all(vectors[:100], 11)[1]
    found = replica.search(vectors[:100], 11)[1]
    recall = np.mean(
        [len(set(a[1:]) & set(b)) / 10 for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    )
    assert 0.2 < recall < 1.0
    assert replica.measured.recall_at_10 == pytest.approx(recall, abs=0.1)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", [IndexName.IVF, IndexName.RABITQ])
def test_removed_support_is_never_found_and_added_one_at_once(name: IndexName) -> None:
    replica, vectors = trained(Index(name, probes=64))
    replica.apply(Changes(601, (), [SupportChange(7, None, None)], 1.0))
    replica.apply(Changes(602, (), [SupportChange(999, 3, vectors[6])], 1.0))
    [near] = replica.near(vectors[6:7], 5)
    assert near.ids[0] == 999 and 7 not in near.ids and near.class_ids[0] == 3


@pytest.mark.usefixtures("soon")
def test_changes_during_the_training_are_in_the_ann_index(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, class_ids = clustered(600)
    replica = Replica(DIM)
    replica.apply(
        Changes(500, named({n: f"c{n}" for n in range(1, 7)}), feed_of(vectors[:500], class_ids[:500]), 1.0)
    )
    filled = ann_index.AnnIndex.add
    meanwhile = iter(
        [
            Changes(600, (), feed_of(vectors[500:], class_ids[500:], 501), 1.0),
            Changes(650, (), [SupportChange(n, None, None) for n in range(1, 600, 12)], 1.0),
        ]
    )

    def adding(self: ann_index.AnnIndex, ids: Ids, some: np.ndarray) -> None:
        filled(self, ids, some)
        if ids[0] in (1, 51):  # blocks of the training
            replica.apply(next(meanwhile))

    monkeypatch.setattr(ann_index.AnnIndex, "add", adding)
    training.follow_index(replica, Index(IndexName.IVF, probes=64), run=lambda work: work())
    serving = replica.ann.serving
    assert serving is not None and len(serving) == len(replica) == 550
    exact = replica.search_all(vectors[:40], 5)[0]
    np.testing.assert_allclose(replica.search(vectors[:40], 5)[0], exact, atol=1e-6)


@pytest.mark.usefixtures("soon")
def test_searches_go_on_while_the_training_runs() -> None:
    vectors, class_ids = clustered(600)
    replica = Replica(DIM)
    replica.apply(Changes(600, named({n: f"c{n}" for n in range(1, 7)}), feed_of(vectors, class_ids), 1.0))
    begin = threading.Event()
    threads = []

    def later(work: object) -> None:
        thread = threading.Thread(target=lambda: (begin.wait(), work()))  # type: ignore[operator]
        thread.start()
        threads.append(thread)

    index = Index(IndexName.RABITQ, probes=64, refine=60)
    training.follow_index(replica, index, run=later)
    training.follow_index(replica, index, run=later)
    assert len(threads) == 1 and replica.ann.serving is None
    exact = replica.search(vectors[:5], 3)[1]
    begin.set()
    threads[0].join()
    assert replica.ann.serving is not None
    np.testing.assert_array_equal(replica.search(vectors[:5], 3)[1], exact)


@pytest.mark.usefixtures("soon")
def test_training_that_was_overtaken_does_not_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is changed to another and back while the first is measured: it has missed what came since."""
    first, other = Index(IndexName.IVF, probes=64), Index(IndexName.RABITQ, probes=64, refine=60)
    vectors, class_ids = clustered(700)
    replica = Replica(DIM)
    names = named({n: f"c{n}" for n in range(1, CLASSES + 1)})
    replica.apply(Changes(600, names, feed_of(vectors[:600], class_ids[:600]), 1.0))
    measure, overtaken = training.measure, []

    def overtake(replica: Replica, ann: object) -> object:
        if not overtaken:
            overtaken.append(ann)
            replica.ann.tried = 0
            training.follow_index(replica, other, run=lambda work: None)
            training.follow_index(replica, first, run=lambda work: None)
            replica.apply(Changes(700, [], feed_of(vectors[600:], class_ids[600:], first=601), 1.0))
        return measure(replica, ann)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "measure", overtake)
    training.follow_index(replica, first, run=lambda work: work())
    assert overtaken and replica.ann.serving is None
    np.testing.assert_array_equal(replica.search(vectors[650:660], 1)[1][:, 0], np.arange(650, 660))
    replica.ann.tried = 0
    training.follow_index(replica, first, run=lambda work: work())
    assert replica.ann.serving is not None and replica.ann.serving is not overtaken[0]
    np.testing.assert_array_equal(replica.search(vectors[650:660], 1)[1][:, 0], np.arange(650, 660))


@pytest.mark.usefixtures("soon")
def test_too_few_candidates_are_made_up_for_by_comparing_with_all() -> None:
    replica, vectors = trained(Index(IndexName.IVF, probes=1, refine=1))
    similarities, rows = replica.search(vectors[:3], 500)
    assert rows.shape == (3, 500)
    np.testing.assert_allclose(similarities, replica.search_all(vectors[:3], 500)[0], atol=1e-6)


@pytest.mark.usefixtures("soon")
def test_what_was_trained_is_in_the_snapshot_and_not_learnt_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index(IndexName.IVF, probes=64)
    replica, vectors = trained(index)
    snapshot.save(replica, tmp_path, 1)
    loaded = snapshot.load(tmp_path, 1, DIM)
    assert loaded is not None and loaded.ann.serving is None
    monkeypatch.setattr(training, "_train", None)
    training.follow_index(loaded, index, run=lambda work: work())
    np.testing.assert_array_equal(loaded.search(vectors[:9], 5)[1], replica.search(vectors[:9], 5)[1])
    assert loaded.measured is not None


@pytest.mark.usefixtures("soon")
def test_index_is_retrained_after_growing_fourfold(monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index(IndexName.IVF)
    replica, _ = trained(index, 400)
    first = replica.ann.serving
    for count, retrained in ((1_500, False), (1_700, True)):
        vectors, class_ids = clustered(count)
        replica.apply(Changes(count, (), feed_of(vectors, class_ids), 1.0))
        training.follow_index(replica, index, run=lambda work: work())
        assert (replica.ann.serving is not first) == retrained


@pytest.mark.usefixtures("soon")
def test_collection_that_has_shrunk_is_searched_exactly() -> None:
    index = Index(IndexName.RABITQ)
    replica, _ = trained(index)
    replica.apply(Changes(900, (), [SupportChange(n, None, None) for n in range(1, 500)], 1.0))
    training.follow_index(replica, index, run=lambda work: work())
    assert (replica.ann.serving, replica.measured) == (None, None)


def test_candidates_are_compared_in_the_order_of_their_cosines() -> None:
    vectors = units(30, dim=DIM)
    candidates = np.array([[3, 9, -1, 4], [-1, -1, -1, 2]])
    similarities, rows, short = ann_serving.compare(vectors, vectors[:2], candidates, 2)
    order = np.argsort(-(vectors[[3, 9, 4]] @ vectors[0]))[:2]
    assert rows[0].tolist() == np.array([3, 9, 4])[order].tolist()
    np.testing.assert_allclose(similarities[0], np.sort(vectors[[3, 9, 4]] @ vectors[0])[::-1][:2], atol=1e-6)
    assert short.tolist() == [1]


def test_means_of_a_sample_are_calibrated_on_the_sample_alone() -> None:
    _, sampled = both(600)
    fit = sampled.fit(Rule(RuleName.PROTOTYPE)).fit
    assert isinstance(fit, MeanFit)
    assert len(calibrate(fit, np.ones(CLASSES, bool)).known) == 600
