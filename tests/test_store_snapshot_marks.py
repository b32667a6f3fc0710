"""A record that was restored from a backup does not take snapshots of the history that it lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from enrolling import enroll_labels
from sqlalchemy import delete, update

from core.errors import ExemplarError
from index.replicas import Feed, Replicas
from store import tables as t
from store.record.snapshot_marks import KEPT
from store.store import Store


def replicas_of(store: Store, folder: Path, feed: Feed | None = None) -> Replicas:
    feed, marks = feed or store.supports.changes_since, store.snapshot_marks
    return Replicas(feed, folder, gpu=False, new_mark=marks.create, knows=marks.has)


def labels(store: Store, folder: Path) -> list[str]:
    """The labels of the supports that a new worker sees."""
    id_ = store.collections.get("things").id
    dim = len(store.supports.changes_since(id_, 0).supports[0].vector)
    replica = replicas_of(store, folder).current(id_, dim)
    assert replica is not None
    return sorted(replica.classes[int(one)].label for one in replica.content().class_ids)


def test_snapshot_of_this_history_is_read(things: Store, tmp_path: Path) -> None:
    enroll_labels(things, "cat", "dog")
    id_ = things.collections.get("things").id
    dim = len(things.supports.changes_since(id_, 0).supports[0].vector)
    first = replicas_of(things, tmp_path / "snapshots")
    first.current(id_, dim)
    first.save_all()
    assert len(list((tmp_path / "snapshots").iterdir())) == 1
    asked: list[int] = []

    def feed(collection_id: int, version: int) -> object:
        asked.append(version)
        return things.supports.changes_since(collection_id, version)

    replicas_of(things, tmp_path / "snapshots", feed).current(id_, dim)  # type: ignore[arg-type]
    assert asked[0] == things.collections.get("things").version


def test_snapshot_of_a_lost_history_is_not_read(things: Store, tmp_path: Path) -> None:
    """The backup is at two supports, the snapshot at four; the restored record then grows to five others."""
    enroll_labels(things, "cat", "dog")
    id_ = things.collections.get("things").id
    at_backup = things.collections.get("things").version
    lost = enroll_labels(things, "cat", "dog")
    dim = len(things.supports.changes_since(id_, 0).supports[0].vector)
    replicas = replicas_of(things, tmp_path / "snapshots")
    replicas.current(id_, dim)
    replicas.save_all()
    with things.database.write() as connection:  # what restoring the backup leaves
        connection.execute(delete(t.snapshot_mark))
        connection.execute(delete(t.change).where(t.change.c.version > at_backup))
        connection.execute(delete(t.support).where(t.support.c.id.in_(lost)))
        connection.execute(update(t.collection).values(version=at_backup))
    enroll_labels(things, "cat", "cat", "cat")
    assert things.collections.get("things").version > at_backup + 2
    assert labels(things, tmp_path / "snapshots") == ["cat", "cat", "cat", "cat", "dog"]


def test_few_marks_are_kept(things: Store) -> None:
    id_ = things.collections.get("things").id
    marks = [things.snapshot_marks.create(id_) for _ in range(KEPT + 5)]
    known = [things.snapshot_marks.has(id_, mark) for mark in marks]
    assert known.count(True) == KEPT
    assert known[-1]
    assert not things.snapshot_marks.has(id_ + 1, marks[-1])
    things.collections.delete("things")
    assert not things.snapshot_marks.has(id_, marks[-1])
    with pytest.raises(ExemplarError, match="deleted"):
        things.snapshot_marks.create(id_)
