"""The feed of changes: complete, in order, in one snapshot, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from enrolling import claim, enroll_labels, settle, submit
from sqlalchemy import select

from core.changes import Changes, ClassChange
from core.collections import ClassKind
from core.jobs import Item
from store import tables as t
from store.store import Store


def feed(store: Store, version: int = 0) -> Changes:
    changes = store.supports.changes_since(store.collections.find("things").id, version)
    assert changes is not None
    return changes


def test_feed_of_a_new_collection_is_empty(things: Store) -> None:
    changes = feed(things)
    assert (changes.version, list(changes.supports), list(changes.classes)) == (0, [], [])


def test_feed_distinguishes_collections_of_one_id(things: Store) -> None:
    made_at = things.collections.get("things").created_at
    assert feed(things).epoch == pytest.approx(made_at, abs=1) and made_at > 0


def test_feed_holds_only_what_came_after(things: Store) -> None:
    enroll_labels(things, "cat")
    seen = feed(things).version
    [dog] = enroll_labels(things, "dog")
    changes = feed(things, seen)
    assert [support.id for support in changes.supports] == [dog]
    assert [class_.label for class_ in changes.classes] == ["dog"]
    assert list(feed(things, changes.version).supports) == []


def test_class_made_of_its_name_comes_without_supports(things: Store) -> None:
    made = things.classes.add("things", "cat", ClassKind.NEGATIVE)
    changes = feed(things)
    assert list(changes.classes) == [ClassChange(made.id, "cat", ClassKind.NEGATIVE)]
    assert (list(changes.supports), changes.version) == ([], 1)


def test_moved_support_comes_again_with_its_new_class(things: Store) -> None:
    cat, _ = enroll_labels(things, "cat", "dog")
    seen = feed(things).version
    things.supports.move("things", cat, "dog")
    [change] = feed(things, seen).supports
    assert (change.id, change.class_id) == (cat, things.classes.get("things", "dog").id)
    assert change.vector is not None


def test_deleted_support_comes_as_a_tombstone(things: Store) -> None:
    cat, _ = enroll_labels(things, "cat", "dog")
    seen = feed(things).version
    things.supports.delete("things", cat)
    [change] = feed(things, seen).supports
    assert (change.id, change.class_id, change.vector) == (cat, None, None)


def test_deleted_class_comes_with_its_tombstones(things: Store) -> None:
    cats = enroll_labels(things, "cat", "cat")
    seen = feed(things).version
    things.classes.delete("things", "cat")
    changes = feed(things, seen)
    assert [(change.id, change.class_id) for change in changes.supports] == [(cat, None) for cat in cats]
    assert [class_.deleted for class_ in changes.classes] == [True]


def test_merged_supports_keep_their_vectors(things: Store) -> None:
    enroll_labels(things, "cat", "kitty")
    before = {change.id: change.vector for change in feed(things).supports}
    things.classes.merge("things", "cat", ["kitty"])
    after = {change.id: change.vector for change in feed(things).supports}
    assert all((after[id_] == vector).all() for id_, vector in before.items())


def test_renamed_class_and_changed_kind_come_without_supports(things: Store) -> None:
    enroll_labels(things, "cat")
    seen = feed(things).version
    things.classes.change("things", "cat", new_label="felis", kind=ClassKind.NEGATIVE)
    changes = feed(things, seen)
    assert list(changes.supports) == []
    assert ("felis", ClassKind.NEGATIVE, False) in [(c.label, c.kind, c.deleted) for c in changes.classes]


def test_every_support_has_a_seq_of_its_own_after_any_history(things: Store) -> None:
    ids = enroll_labels(things, "a", "b", "c", "a", "b", "c")
    things.supports.delete("things", ids[0])
    things.supports.move("things", ids[1], "c")
    things.classes.merge("things", "b", ["c"])
    things.classes.change("things", "b", new_label="d")
    things.classes.delete("things", "d")
    with things.database.read() as connection:
        seqs = list(connection.execute(select(t.support.c.seq)).scalars())
    assert len(set(seqs)) == len(seqs) == 6
    assert max(seqs) < things.collections.get("things").version


@pytest.mark.slow
def test_reader_misses_no_row_while_many_write(things: Store) -> None:
    per_writer, writers = 12, 4
    for n in range(per_writer * writers):
        submit(things, Item(0, f"{n:04}", f"class {n % 5}"))
    seen: dict[int, int] = {}
    versions: list[int] = []
    done = threading.Event()

    def follow() -> None:
        version = 0
        while True:
            last = done.is_set()
            changes = feed(things, version)
            assert changes.version >= version
            for change in changes.supports:
                seen[change.id] = seen.get(change.id, 0) + 1
            version = changes.version
            versions.append(version)
            if last:
                return

    def write(number: int) -> None:
        owner = f"w:{number}"
        while chunks := claim(things, items=1, owner=owner):
            for chunk in chunks:
                assert settle(things, chunk, owner)

    with ThreadPoolExecutor(writers + 1) as pool:
        reader = pool.submit(follow)
        for writer in [pool.submit(write, number) for number in range(writers)]:
            writer.result()
        done.set()
        reader.result()
    assert versions[-1] == things.collections.get("things").version == per_writer * writers
    assert len(seen) == per_writer * writers
    assert set(seen.values()) == {1}


def test_changes_are_never_read_half(things: Store) -> None:
    ids = enroll_labels(things, *(["cat"] * 20))
    stop = threading.Event()

    def merge_to_and_fro() -> None:
        labels = ["cat", "felis"]
        while not stop.is_set():
            things.supports.move("things", ids[0], labels[1])
            things.classes.merge("things", labels[1], [labels[0]])
            labels.reverse()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(merge_to_and_fro)
        for _ in range(25):
            changes = feed(things)
            active = {class_.id for class_ in changes.classes if not class_.deleted}
            assert sorted(change.id for change in changes.supports) == ids
            assert {change.class_id for change in changes.supports} <= active
        stop.set()
        writer.result()
