"""Snapshots and replicas: a start from disk, with the record as the source of truth."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from supporting import DIM, named, replica_of, units

from core.changes import Changes, ClassChange, SupportChange
from core.collections import ClassKind
from index import replicas as replicas_module
from index import snapshot
from index.replica import Replica
from index.replicas import Replicas

VECTORS = units(200)


class Record:
    """A record of collection 1 that grows by one support with each version; it counts its reads."""

    def __init__(self, version: int = 0, *, epoch: float = 1.5) -> None:
        self.version = version
        self.epoch = epoch
        self.deleted = False
        self.reads: list[int] = []

    def feed(self, collection_id: int, after: int) -> Changes | None:
        self.reads.append(after)
        if self.deleted or collection_id != 1:
            return None
        supports = [SupportChange(n, 1, VECTORS[n]) for n in range(after + 1, self.version + 1)]
        classes: list[ClassChange] = named({1: "c1"}) if supports else []
        return Changes(self.version, classes, supports, self.epoch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snapshots"


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def assert_same(replica: Replica, other: Replica | None) -> None:
    assert other is not None
    one, two = replica.content(), other.content()
    assert (one.version, one.epoch, one.classes) == (two.version, two.epoch, two.classes)
    assert np.array_equal(one.ids, two.ids)
    assert np.array_equal(one.class_ids, two.class_ids)
    assert np.array_equal(one.vectors, two.vectors)
    np.testing.assert_allclose(replica.supports().sums, other.supports().sums, atol=1e-12)


def test_snapshot_comes_back_as_it_was(folder: Path) -> None:
    replica = replica_of(VECTORS, [n % 3 + 1 for n in range(200)], negative=[2], version=7)
    snapshot.save(replica, folder, 1)
    assert_same(replica, snapshot.load(folder, 1, DIM))


def test_label_sets_come_back_as_they_were(folder: Path) -> None:
    replica = Replica(DIM)
    sets = [
        ClassChange(3, "one", ClassKind.SET, members=(1, 2)),
        ClassChange(4, "two", ClassKind.SET, members=(), complete=True),
    ]
    supports = [SupportChange(n + 1, 3 + n % 2, VECTORS[n]) for n in range(10)]
    replica.apply(Changes(5, [*named({1: "dog", 2: "ball"}), *sets], supports, 1.5))
    snapshot.save(replica, folder, 1)
    loaded = snapshot.load(folder, 1, DIM)
    assert_same(replica, loaded)
    assert loaded is not None and [loaded.classes[3], loaded.classes[4]] == sets


def test_empty_replica_comes_back_empty(folder: Path) -> None:
    snapshot.save(Replica(DIM), folder, 1)
    assert_same(Replica(DIM), snapshot.load(folder, 1, DIM))


def test_newer_snapshot_takes_the_place_of_the_older(folder: Path) -> None:
    snapshot.save(replica_of(VECTORS[:2], [1, 1], version=2), folder, 1)
    snapshot.save(replica_of(VECTORS[:3], [1, 1, 1], version=3), folder, 1)
    snapshot.save(replica_of(VECTORS[:9], [1] * 9, version=9), folder, 12)
    assert [name[:5] for name in files(folder)] == ["c1-v3", "c12-v"]


@pytest.mark.parametrize("damage", ["one bit", "cut off", "empty"])
def test_damaged_snapshot_is_refused_and_removed(folder: Path, damage: str) -> None:
    path = snapshot.save(replica_of(VECTORS, [1] * 200), folder, 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"one bit": bytes(content), "cut off": bytes(content[:-1]), "empty": b""}[damage])
    assert snapshot.load(folder, 1, DIM) is None
    assert files(folder) == []


def test_missing_folder_means_no_snapshot(folder: Path) -> None:
    assert snapshot.load(folder, 1, DIM) is None


def test_snapshot_of_another_dim_is_left_alone(folder: Path) -> None:
    snapshot.save(replica_of(VECTORS, [1] * 200), folder, 1)
    assert snapshot.load(folder, 1, DIM + 1) is None


def test_file_that_cannot_be_read_is_passed_over(folder: Path) -> None:
    path = snapshot.save(replica_of(VECTORS, [1] * 200), folder, 1)
    path.unlink()
    path.mkdir()
    assert snapshot.load(folder, 1, DIM) is None


def test_what_another_version_of_the_program_wrote_is_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_pack", lambda *_: b"something else")
    snapshot.save(replica_of(VECTORS, [1] * 200), folder, 1)
    assert snapshot.load(folder, 1, DIM) is None


def test_draft_of_a_killed_worker_is_removed_in_time(folder: Path) -> None:
    folder.mkdir()
    for name, age_s in (("c1-v1-old.7.part", 2 * snapshot.DRAFT_TTL_S), ("c1-v1-new.8.part", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age_s,) * 2)
    snapshot.save(replica_of(VECTORS[:1], [1]), folder, 1)
    assert [name for name in files(folder) if name.endswith(".part")] == ["c1-v1-new.8.part"]


def test_replica_catches_up_before_each_search(folder: Path) -> None:
    record = Record(3)
    replicas = Replicas(record.feed, folder, gpu=False)
    assert len(replicas.current(1, DIM) or ()) == 3
    record.version = 5
    replica = replicas.current(1, DIM)
    assert replica is not None
    assert (len(replica), replica.version) == (5, 5)
    assert record.reads == [0, 3]


def test_deleted_collection_is_dropped_with_its_snapshots(folder: Path) -> None:
    record = Record(3)
    replicas = Replicas(record.feed, folder, gpu=False)
    replicas.current(1, DIM)
    replicas.save_all()
    record.deleted = True
    assert replicas.current(1, DIM) is None
    assert files(folder) == []
    replicas.save_all()
    assert files(folder) == []


def test_emptied_replica_stays_open(folder: Path) -> None:
    record = Record(0)
    replicas = Replicas(record.feed, folder, gpu=False)
    assert replicas.current(1, DIM) is replicas.current(1, DIM)


def test_start_from_a_snapshot_reads_only_what_came_after(folder: Path) -> None:
    record = Record(5)
    first = Replicas(record.feed, folder, gpu=False)
    first.current(1, DIM)
    first.save_all()
    record.version = 6
    record.reads.clear()
    replica = Replicas(record.feed, folder, gpu=False).current(1, DIM)
    assert record.reads == [5]
    assert replica is not None and len(replica) == 6


def test_record_that_is_older_than_the_replica_is_right(folder: Path) -> None:
    record = Record(9)
    replicas = Replicas(record.feed, folder, gpu=False)
    replicas.current(1, DIM)
    replicas.save_all()
    record.version = 4
    assert len(replicas.current(1, DIM) or ()) == 4
    assert files(folder) == []  # it would look valid once the record has grown past it
    replicas.save_all()
    assert files(folder)[0].startswith("c1-v4-")


@pytest.mark.parametrize("restarted", [True, False])
def test_snapshot_of_another_record_is_never_used(folder: Path, restarted: bool) -> None:
    old = Record(5, epoch=1.0)
    replicas = Replicas(old.feed, folder, gpu=False)
    replicas.current(1, DIM)
    replicas.save_all()
    new = Record(8, epoch=2.0)
    if restarted:
        replicas = Replicas(new.feed, folder, gpu=False)
    else:
        replicas._feed = new.feed
    assert len(replicas.current(1, DIM) or ()) == 8
    assert new.reads == [5, 0]
    assert files(folder) == []


def test_replica_is_saved_after_so_many_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas_module, "SAVE_AFTER", 4)
    record = Record(3)
    replicas = Replicas(record.feed, folder, gpu=False)
    saved = []
    for version in (3, 4, 7, 8, 9):
        record.version = version
        replicas.current(1, DIM)
        saved.append([name.split("-")[1] for name in files(folder)])
    assert saved == [[], ["v4"], ["v4"], ["v8"], ["v8"]]


def test_large_replica_is_saved_after_a_tenth_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicas_module, "SAVE_AFTER", 4)
    record = Record(100)
    replicas = Replicas(record.feed, folder, gpu=False)
    for version in (100, 105, 111):
        record.version = version
        replicas.current(1, DIM)
        assert len(files(folder)) == 1
    assert files(folder)[0].startswith("c1-v111-")
    record.version = 116
    replicas.current(1, DIM)
    assert files(folder)[0].startswith("c1-v111-")


def test_nothing_is_saved_twice(folder: Path) -> None:
    replicas = Replicas(Record(3).feed, folder, gpu=False)
    replicas.current(1, DIM)
    replicas.save_all()
    [name] = files(folder)
    (folder / name).unlink()
    replicas.save_all()
    assert files(folder) == []


def test_full_disk_costs_no_answer_and_leaves_no_draft(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(replicas_module, "SAVE_AFTER", 1)
    replicas = Replicas(Record(3).feed, folder, gpu=False)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        assert len(replicas.current(1, DIM) or ()) == 3
        replicas.save_all()
        assert files(folder) == []
    replicas.save_all()
    assert len(files(folder)) == 1


def test_snapshot_by_another_encoder_identity_is_not_read(folder: Path) -> None:
    record = Record(5)
    first = Replicas(record.feed, folder, gpu=False)
    first.current(1, DIM, identity="lite openvino fp32")
    first.save_all()
    record.reads.clear()
    assert (
        len(Replicas(record.feed, folder, gpu=False).current(1, DIM, identity="lite openvino fp32") or ())
        == 5
    )
    assert record.reads == [5]
    record.reads.clear()
    assert (
        len(Replicas(record.feed, folder, gpu=False).current(1, DIM, identity="lite torch bf16") or ()) == 5
    )
    assert record.reads == [0]
