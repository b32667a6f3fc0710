"""One contract for every index type: after any history a search finds what brute force finds."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from test_index_replica import HISTORY, QUERIES, VECTORS, Record

from core.changes import Changes, ClassChange, SupportChange
from core.collections import Index, IndexName, Rule, RuleName
from core.errors import ExemplarError
from index import replicas as replicas_module
from index import training
from index.decide import classify, search
from index.milvus import Milvus
from index.replicas import AnyReplica, Replicas
from index.vector_store import VectorStoreReplica

DIM = 4
ENGINES = [*IndexName, pytest.param("milvus server", marks=pytest.mark.processes)]
numbers = iter(range(1, 1_000_000))


class History:
    """A record with its complete feed, as the store gives it: the last change of each support, in pages."""

    def __init__(self, *, page: int = 1_000) -> None:
        self.truth = Record()
        self.id = next(numbers)
        self.epoch = float(self.id)
        self.page = page
        self.gone = False
        self._supports: dict[int, tuple[int, SupportChange]] = {}
        self._classes: dict[int, tuple[int, ClassChange]] = {}

    def change(self, *change: object) -> None:
        before = self.truth.version
        self.truth.change(*change)
        read = self.truth.read()
        for number, support in enumerate(read.supports):
            self._supports.pop(support.id, None)
            self._supports[support.id] = before + 1 + number, support
        self.truth.version = max(self.truth.version, before + len(read.supports))
        self._classes.update({one.id: (self.truth.version, one) for one in read.classes})

    def feed(self, collection_id: int, version: int) -> Changes | None:
        assert collection_id == self.id
        if self.gone:
            return None
        later = [pair for pair in self._supports.values() if pair[0] > version]
        some = sorted(later, key=lambda pair: pair[0])[: self.page]
        upto = some[-1][0] if len(later) > self.page else self.truth.version
        classes = [one for seq, one in self._classes.values() if version < seq <= upto]
        more = upto < self.truth.version
        return Changes(upto, classes, [one for _, one in some], self.epoch, more=more)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Milvus that several workers share."""
    folder = tmp_path_factory.mktemp("server")
    code = (
        "import sys, time; from milvus_lite.adapter.grpc.server import start_server_in_thread as start;"
        "kept = start(sys.argv[1]); print(kept[2], flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder / "shared.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Milvus:
    return Milvus("", "", tmp_path_factory.mktemp("milvus"))


@pytest.fixture(params=ENGINES, ids=str)
def workers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workers:
    """Creates workers with one index type; an approximate one probes all lists and trains immediately."""
    monkeypatch.setattr(training, "TRAIN_FROM", 4)
    monkeypatch.setattr(training, "POINTS_PER_LIST", 1)
    shared = request.param == "milvus server"
    name = IndexName.MILVUS if shared else IndexName(request.param)
    probes = 64 if name in (IndexName.IVF, IndexName.RABITQ) else None
    index = Index(name, probes, None if probes is None else 100)
    milvus = None
    if shared:
        milvus = Milvus(request.getfixturevalue("server"), "", tmp_path)
    elif name is IndexName.MILVUS:
        milvus = request.getfixturevalue("embedded")
    if milvus is not None:
        from pymilvus.client import grpc_handler

        # it looks every half second whether a new collection has its index
        clock = SimpleNamespace(**{**vars(time), "sleep": lambda _: time.sleep(0.01)})
        monkeypatch.setattr(grpc_handler, "time", clock)
    return Workers(index, milvus, tmp_path)


class Workers:
    def __init__(self, index: Index, milvus: Milvus | None, folder: Path) -> None:
        self.index, self.milvus, self.folder = index, milvus, folder

    def start(self, history: History, folder: Path | None = None) -> Worker:
        replicas = Replicas(
            history.feed,
            folder or self.folder / "own",
            gpu=False,
            milvus=self.milvus,
            run=lambda work: work(),
        )
        return Worker(replicas, history, self.index)


class Worker:
    def __init__(self, replicas: Replicas, history: History, index: Index) -> None:
        self.replicas, self.history, self.index = replicas, history, index

    def replica(self) -> AnyReplica:
        found = self.replicas.current(self.history.id, DIM, self.index)
        assert found is not None
        return found

    def check(self, k: int = 7) -> None:
        """Compare a search with brute force over the truth."""
        truth, replica = self.history.truth, self.replica()
        assert (len(replica), replica.version) == (len(truth.supports), truth.version)
        assert dict(replica.classes) == truth.classes
        vectors = np.array([vector for _, vector in truth.supports.values()]).reshape(-1, DIM)
        nearest = -np.sort(-(QUERIES.astype(np.float64) @ vectors.T), axis=1)[:, :k]
        for line, near in enumerate(replica.near(QUERIES, k)):
            np.testing.assert_allclose(near.similarities, nearest[line], atol=1e-6)
            assert len(set(near.ids.tolist())) == len(near.ids)
            for id_, class_id, cosine in zip(near.ids, near.class_ids, near.similarities, strict=True):
                right_class, vector = truth.supports[int(id_)]
                assert class_id == right_class
                assert cosine == pytest.approx(float(QUERIES[line] @ vector), abs=1e-6)


def grown(count: int = 30, **options: int) -> History:
    history = History(**options)
    for n in range(count):
        history.change("add", n % 4 + 1, n % len(VECTORS))
    return history


@given(history=HISTORY)
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_search_equals_brute_force_after_any_history(workers: Workers, history: list) -> None:
    record = History(page=3)
    worker = workers.start(record)
    for batch in history:
        for change in batch:
            record.change(*change)
        worker.check()
    workers.start(record).check()  # a new worker, on what the other left


def test_change_of_one_worker_is_seen_by_the_next_search_of_every_other(
    workers: Workers, tmp_path: Path
) -> None:
    record = grown()
    first, second = workers.start(record), workers.start(record, tmp_path / "second")
    for change in (("add", 2, 1), ("move", 3, 4), ("remove", 5, 0), ("rename", 1, 7), ("delete class", 2, 0)):
        record.change(*change)
        first.check()
        second.check()


def test_worker_that_slept_passes_over_what_others_wrote_and_removed(
    workers: Workers, tmp_path: Path
) -> None:
    record = grown()
    slow, quick = workers.start(record), workers.start(record, tmp_path / "second")
    asleep = slow.replica()
    for n in range(40):
        record.change("add", 1, n % len(VECTORS))
    for _ in range(10):
        record.change("remove", 0, 0)
    quick.check()
    [near] = asleep.near(QUERIES[:1], 5)  # at its own version, without catching up
    assert max(near.ids) <= 30 and set(near.class_ids) <= {1, 2, 3, 4}
    slow.check()


def test_catching_up_resumes_after_a_crash_at_any_page(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = grown(20, page=4)
    for crash_at in range(1, 6):
        worker = workers.start(record)
        applied = 0
        kind = VectorStoreReplica if workers.index.name is IndexName.MILVUS else replicas_module.Replica
        with monkeypatch.context() as patch:
            original = kind.apply

            def dying(self: object, changes: Changes, original=original) -> None:
                nonlocal applied
                original(self, changes)
                applied += 1
                if applied == crash_at:  # noqa: B023
                    raise KeyboardInterrupt

            patch.setattr(kind, "apply", dying)
            with pytest.raises(KeyboardInterrupt):
                worker.replica()
        worker.check()
        workers.start(record).check()
        record.change("remove", 2, 0)


def test_rules_answer_the_same_on_every_index_while_the_collection_is_small(workers: Workers) -> None:
    record = grown()
    flat = Replicas(record.feed, workers.folder / "flat", gpu=False).current(record.id, DIM)
    other = workers.start(record).replica()
    assert flat is not None
    for name in RuleName:
        for right, found in zip(
            classify(flat, Rule(name), QUERIES, top=3),
            classify(other, Rule(name), QUERIES, top=3),
            strict=True,
        ):
            assert (found.rule, found.decision, found.label) == (right.rule, right.decision, right.label)
            assert found.confidence == pytest.approx(right.confidence, abs=1e-5)
            assert [one.similarity for one in found.neighbours] == pytest.approx(
                [one.similarity for one in right.neighbours], abs=1e-6
            )
            assert [one.share for one in found.explanation.supports] == pytest.approx(
                [one.share for one in right.explanation.supports], abs=1e-5
            )
            assert found.novelty == pytest.approx(right.novelty) if right.novelty is None else found.novelty


def test_empty_collection_has_nothing_to_find(workers: Workers) -> None:
    replica = workers.start(History()).replica()
    assert search(replica, QUERIES, top=3) == ([(), (), ()], 0)


@pytest.mark.slow
def test_index_can_be_changed_at_any_time(workers: Workers, embedded: Milvus) -> None:
    record = grown()
    worker = workers.start(record)
    if workers.milvus is None:
        worker.replicas._milvus = embedded
    for name in (*IndexName, workers.index.name):
        worker.index = Index(name, *((64, 100) if name in (IndexName.IVF, IndexName.RABITQ) else ()))
        worker.check()
        record.change("add", 3, 2)
        worker.check()


def test_collection_that_is_gone_has_no_replica(workers: Workers) -> None:
    record = grown()
    worker = workers.start(record)
    worker.check()
    record.gone = True
    assert worker.replicas.current(record.id, DIM, workers.index) is None


def test_record_of_another_epoch_is_read_from_the_start(workers: Workers) -> None:
    record = grown()
    worker = workers.start(record)
    worker.check()
    other = grown(12)
    other.id = record.id
    worker.history, worker.replicas._feed = other, other.feed
    worker.check()


@pytest.mark.slow
def test_milvus_that_lost_everything_is_filled_again(embedded: Milvus, tmp_path: Path) -> None:
    record = grown(20, page=6)
    worker = Workers(Index(IndexName.MILVUS), embedded, tmp_path).start(record)
    worker.check()
    replica = worker.replica()
    assert isinstance(replica, VectorStoreReplica)
    replica._store.drop()
    with pytest.raises(ExemplarError, match="Milvus failed") as caught:
        replica.near(QUERIES, 3)
    assert (caught.value.code, caught.value.retry) == ("index_unavailable", True)
    worker.check()
    replica._store.drop()
    embedded.open(f"exemplar_{record.id}_{int(record.epoch * 1000)}", DIM)
    record.change("add", 1, 2)
    worker.check()


def test_milvus_that_is_away_makes_work_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Milvus("http://127.0.0.1:9", "", tmp_path)
    monkeypatch.setattr("index.milvus.TIMEOUT_S", 1.0)
    worker = Workers(Index(IndexName.MILVUS), away, tmp_path).start(grown(3))
    with pytest.raises(ExemplarError) as caught:
        worker.replica()
    assert (caught.value.code, caught.value.retry) == ("index_unavailable", True)


def test_two_processes_never_share_a_file_of_milvus_lite(tmp_path: Path) -> None:
    first, second = Milvus("", "", tmp_path), Milvus("", "", tmp_path)
    assert [first._own_file().name, second._own_file().name] == ["0.db", "1.db"]
