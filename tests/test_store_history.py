"""The history of collections: who made a version, and what they were at one, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from enrolling import claim, enroll, enroll_labels, settle, submit, vector
from tiny import DEFAULT

from core.actor import Actor, acting
from core.collections import ChangeKind, ClassKind, Labels, Rule, RuleName
from core.errors import ExemplarError
from core.jobs import Item, Lane, Origin
from store.record.keys import Scope
from store.store import Store


def kinds(store: Store, name: str = "things") -> list[str]:
    """Return the kinds of all changes, oldest first."""
    return [one.kind.value for one in reversed(store.history.page(name))]


def state(store: Store, version: int | None = None) -> dict[str, list[int]]:
    """Return the supports of each label, as of a version."""
    collection = store.collections.find("things")
    past = store.history.past(collection.id, collection.version if version is None else version)
    labels = {one.id: one.label for one in past.classes}
    found: dict[str, list[int]] = {label: [] for label in labels.values()}
    for support_id, class_id in past.supports.items():
        found[labels[class_id]].append(support_id)
    return found


def version(store: Store) -> int:
    return store.collections.find("things").version


def code_of(version: int, store: Store) -> str:
    with pytest.raises(ExemplarError) as raised:
        store.history.at("things", version)
    return raised.value.code


def test_every_change_is_logged_once_and_without_gaps(things: Store) -> None:
    cat, dog = enroll_labels(things, "cat", "dog")
    things.supports.move("things", cat, "dog")
    things.classes.add("things", "fox", ClassKind.NEGATIVE)
    things.classes.change("things", "fox", kind=ClassKind.NORMAL)
    things.classes.change("things", "fox", new_label="wolf")
    things.classes.merge("things", "wolf", ["dog"])
    things.supports.delete("things", dog)
    things.classes.delete("things", "wolf")
    things.collections.change("things", {"name": RuleName.RIDGE})
    assert kinds(things) == [
        "enrolled", "enrolled", "moved", "class_added", "class_changed", "class_renamed", "class_merged",
        "deleted", "class_deleted", "rule_changed",
    ]  # fmt: skip
    log = list(reversed(things.history.page("things")))
    assert log[0].from_version == 0 and log[-1].version == version(things)
    assert [one.from_version for one in log[1:]] == [one.version for one in log[:-1]]
    assert log[0].details == {"added": 1} and log[2].details == {"support": cat, "label": "dog"}
    assert log[-1].details == {"name": ["auto", "ridge"]}


def test_change_that_changes_nothing_makes_no_version(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    before = version(things)
    enroll(things, Item(0, "aa", "cat"))
    things.collections.change("things", {"name": RuleName.AUTO})
    assert version(things) == before and kinds(things) == ["enrolled"]


def test_changes_of_an_enrolment_are_its_submitters(things: Store) -> None:
    made = things.keys.create("anna", [Scope.ENROLL])
    key = things.keys.active(made)
    assert key is not None
    enroll(things, Item(0, "aa", "cat"), origin=Origin("r1", key.id))
    with acting(Actor(key.id, key.name, "r2")):
        things.classes.add("things", "dog")
    things.classes.add("things", "fox")
    fox, dog, cat = things.history.page("things")
    assert (cat.key_id, cat.actor, cat.request_id) == (key.id, "anna", "r1") and cat.job_id is not None
    assert (dog.key_id, dog.actor, dog.request_id, dog.job_id) == (key.id, "anna", "r2", None)
    assert (fox.key_id, fox.actor, fox.request_id) == (None, "operator", None)


def test_past_is_what_the_collection_was(things: Store) -> None:
    cat, dog = enroll_labels(things, "cat", "dog")
    first = version(things)
    things.supports.move("things", cat, "dog")
    moved = version(things)
    things.classes.change("things", "dog", new_label="hound")
    things.supports.delete("things", dog)
    assert state(things) == {"cat": [], "hound": [cat]}
    assert state(things, moved) == {"cat": [], "dog": [cat, dog]}
    assert state(things, first) == {"cat": [cat], "dog": [dog]}
    assert state(things, 0) == {}
    collection = things.collections.find("things")
    assert set(things.history.vectors(collection.id, [cat, dog])) == {cat, dog}


def test_version_within_a_change_is_the_one_before_it(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"), Item(1, "bb", "dog"), lane=Lane.BULK)
    assert things.history.at("things", 1).version == 0
    assert things.history.at("things", 2).version == 2


def test_rule_is_that_of_the_version(things: Store) -> None:
    enroll_labels(things, "cat")
    before = version(things)
    things.collections.change("things", {"name": RuleName.RIDGE})
    things.collections.change("things", {"certainty": 0.7})
    assert things.history.at("things", before).rule == Rule()
    assert things.history.at("things", before + 1).rule == Rule(RuleName.RIDGE)
    assert things.history.at("things", before + 2).rule == Rule(RuleName.RIDGE, certainty=0.7)


def test_versions_to_come_and_gone_are_refused(things: Store) -> None:
    enroll_labels(things, "cat")
    assert code_of(2, things) == "version_invalid"
    [*things.retention.erase_older(0.0)]
    assert code_of(0, things) == "version_gone"
    assert things.history.at("things", 1).version == 1
    assert [one.kept for one in things.history.page("things")] == [True]


def test_replicas_see_a_deleted_support_as_a_tombstone_while_it_is_kept(things: Store) -> None:
    [cat] = enroll_labels(things, "cat")
    things.supports.delete("things", cat)
    changes = things.supports.changes_since(things.collections.find("things").id, 1)
    assert changes is not None
    assert [(one.id, one.class_id, one.vector) for one in changes.supports] == [(cat, None, None)]


def test_retention_erases_what_was_replaced_and_names_unused_files(things: Store) -> None:
    cat, _ = enroll_labels(things, "cat", "dog")
    picture = things.supports.get("things", cat).picture
    things.supports.delete("things", cat)
    assert [*things.retention.erase_older(60.0)] == []
    [(pictures, thumbnails)] = things.retention.erase_older(0.0)
    assert (pictures, thumbnails) == ({picture}, {"thumb"})
    assert things.retention.unused(sorted(pictures), sorted(thumbnails)) == ({picture}, set())
    collection = things.collections.find("things")
    assert things.history.vectors(collection.id, [cat]) == {}
    assert [*things.retention.erase_older(0.0)] == []


def test_restored_collection_is_what_it_was_and_restoring_is_undone(things: Store) -> None:
    cat, dog = enroll_labels(things, "cat", "dog")
    first, was = version(things), state(things)
    things.classes.change("things", "cat", new_label="lion")
    things.classes.change("things", "dog", new_label="cat")
    things.supports.move("things", dog, "lion")
    things.supports.delete("things", cat)
    enroll_labels(things, "fox")
    things.collections.change("things", {"name": RuleName.RIDGE})
    last, now = version(things), state(things)
    restored = things.history.restore("things", first)
    assert state(things) == was and things.collections.find("things").rule == Rule()
    assert restored == version(things) and kinds(things)[-1] == "restored"
    assert state(things, last) == now and state(things, first) == was
    things.history.restore("things", last)
    assert state(things) == now and things.collections.find("things").rule == Rule(RuleName.RIDGE)
    things.history.restore("things", restored)
    assert state(things) == was


def test_restoring_the_current_state_changes_nothing(things: Store) -> None:
    enroll_labels(things, "cat")
    assert things.history.restore("things", version(things)) == version(things) == 1


def test_work_follows_a_class_whose_name_restoring_took(things: Store) -> None:
    enroll_labels(things, "cat")
    first = version(things)
    things.classes.change("things", "cat", new_label="lion")
    submit(things, Item(0, "new", "lion"))
    things.history.restore("things", first)
    for chunk in claim(things):
        assert settle(things, chunk)
    assert {label: len(ids) for label, ids in state(things).items()} == {"cat": 2}


def test_difference_names_classes_and_supports(things: Store) -> None:
    cat, dog, fox = enroll_labels(things, "cat", "dog", "fox")
    first = version(things)
    things.classes.change("things", "cat", new_label="lion")
    things.supports.move("things", dog, "lion")
    things.classes.delete("things", "fox")
    [owl] = enroll_labels(things, "owl")
    things.collections.change("things", {"certainty": 0.7})
    found = things.differences.between("things", first, version(things))
    assert (found.added, found.removed, found.renamed) == (["owl"], ["fox"], [("cat", "lion")])
    assert {one.label: (one.added, one.removed, one.moved_in, one.moved_out) for one in found.counts} == {
        "dog": (0, 0, 0, 1), "fox": (0, 1, 0, 0), "lion": (0, 0, 1, 0), "owl": (1, 0, 0, 0),
    }  # fmt: skip
    assert [(one.id, one.before, one.after) for one in found.supports] == [
        (dog, ("dog",), ("lion",)), (fox, ("fox",), None), (owl, None, ("owl",)),
    ]  # fmt: skip
    assert found.rule == {"certainty": (0.5, 0.7)} and found.total == 3
    back = things.differences.between("things", version(things), first, after=dog)
    assert (back.added, back.removed) == (["fox"], ["owl"]) and [one.id for one in back.supports] == [
        fox,
        owl,
    ]
    assert cat not in {one.id for one in found.supports}


def test_without_history_nothing_is_kept(things: Store) -> None:
    things.database._history = False
    [cat] = enroll_labels(things, "cat")
    things.supports.delete("things", cat)
    collection = things.collections.find("things")
    assert things.history.vectors(collection.id, [cat]) == {}
    assert code_of(1, things) == "version_gone" and things.history.at("things", 2).version == 2
    assert kinds(things) == ["enrolled", "deleted"]


def test_label_sets_have_a_past_too(store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule(), labels=Labels.MANY)
    enroll(store, Item(0, "aa", labels=("dog", "beach")), Item(1, "bb", labels=("dog",)))
    first = version(store)
    names, was = sets(store, first), store.history.past(1, first)
    store.classes.change("things", "dog", new_label="hound")
    store.classes.delete("things", "beach")
    last = sets(store, version(store))
    assert names == [("beach", "dog"), ("dog",)] and last == [("hound",), ("hound",)]
    assert sets(store, first) == names
    store.history.restore("things", first)
    assert sets(store, version(store)) == names
    assert {one.id: one for one in store.history.past(1, version(store)).classes} == {
        one.id: one for one in was.classes
    }


def sets(store: Store, version: int) -> list[tuple[str, ...]]:
    past = store.history.past(store.collections.find("things").id, version)
    classes = {one.id: one for one in past.classes}
    return [
        tuple(sorted(classes[label].label for label in classes[class_id].members))
        for class_id in past.supports.values()
    ]


def test_vectors_of_a_version_are_those_that_were_enrolled(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    [support] = things.supports.page("things")
    things.supports.delete("things", support.id)
    found = things.history.vectors(things.collections.find("things").id, [support.id])
    assert found[support.id].tolist() == vector(sum(b"aa")).tolist()


def test_kinds_of_changes_are_named_in_the_docs() -> None:
    text = (Path(__file__).parents[1] / "docs" / "history.md").read_text()
    assert [kind.value for kind in ChangeKind if f"`{kind.value}`" not in text] == []
