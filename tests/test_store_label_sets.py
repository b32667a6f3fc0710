"""Label sets: supports with several labels, on both databases."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from enrolling import enroll
from label_records import (
    NAME,
    check,
    code_of,
    complete,
    counts,
    item,
    labels_of,
    partial,
    put,
    version,
)
from tiny import DEFAULT

from core.collections import ClassKind, Labels, Rule, RuleName
from core.jobs import Item
from core.label_sets import LabelChange, LabelSet
from store.store import Store


@pytest.fixture
def photos(store: Store) -> Store:
    """A store with an empty collection whose pictures may have several labels."""
    store.collections.create(NAME, DEFAULT, Rule(), labels=Labels.MANY)
    return store


def test_collection_says_how_many_labels_a_picture_has(photos: Store) -> None:
    photos.collections.create("things", DEFAULT, Rule())
    assert photos.collections.get("things").labels is Labels.ONE
    assert photos.collections.find(NAME).labels is Labels.MANY
    assert [one.labels for one in photos.collections.page()] == [Labels.MANY, Labels.ONE]


def test_prompts_and_rules_without_several_labels_are_refused(store: Store) -> None:
    create = store.collections.create
    assert code_of(create, "a", DEFAULT, Rule(), prompts="best7", labels=Labels.MANY) == "labels_unsupported"
    assert code_of(create, "a", DEFAULT, Rule(RuleName.NEAREST), labels=Labels.MANY) == "rule_invalid"
    create("a", DEFAULT, Rule(RuleName.RIDGE), labels=Labels.MANY)
    assert code_of(store.collections.change, "a", {"name": RuleName.NEIGHBOURS}) == "rule_invalid"


def test_support_bears_all_its_labels(photos: Store) -> None:
    result = put(photos, "aa", "dog", "beach", "ball")
    assert result["labels"] == ["ball", "beach", "dog"]
    assert (result["complete"], result["duplicate_of"], result["index_version"]) == (False, None, 1)
    [support] = photos.supports.page(NAME)
    assert (support.id, support.label) == (result["support_id"], None)
    assert support.labels == partial("ball", "beach", "dog")
    assert photos.supports.get(NAME, support.id) == support
    check(photos)


def test_one_label_is_a_set_of_one(photos: Store) -> None:
    enroll(photos, Item(0, "aa", "dog"), collection=NAME)
    assert labels_of(photos) == {"aa": partial("dog")}


def test_same_picture_again_stays_one_support_and_grows(photos: Store) -> None:
    first = put(photos, "aa", "dog")
    again = put(photos, "aa", "beach")
    assert (again["support_id"], again["duplicate_of"]) == (first["support_id"], first["support_id"])
    assert again["labels"] == ["beach", "dog"]
    assert labels_of(photos) == {"aa": partial("beach", "dog")}
    before = version(photos)
    assert put(photos, "aa", "dog")["labels"] == ["beach", "dog"]
    assert version(photos) == before
    check(photos)


def test_complete_set_stays_complete_as_it_grows(photos: Store) -> None:
    put(photos, "aa", "dog", complete=True)
    put(photos, "aa", "beach")
    put(photos, "bb", "dog")
    put(photos, "bb", "dog", complete=True)
    assert labels_of(photos) == {"aa": complete("beach", "dog"), "bb": complete("dog")}
    check(photos)


def test_picture_twice_in_one_chunk_is_one_support(photos: Store) -> None:
    items = [item("aa", "dog"), item("aa", "ball", index=1), item("aa", complete=True, index=2)]
    results = enroll(photos, *items, collection=NAME)
    assert len({result["support_id"] for result in results}) == 1
    assert labels_of(photos) == {"aa": complete("ball", "dog")}
    check(photos)


def test_empty_set_says_that_there_is_none_of_the_labels(photos: Store) -> None:
    assert put(photos, "aa", complete=True)["labels"] == []
    assert labels_of(photos) == {"aa": complete()}
    assert counts(photos) == {}
    check(photos)


def test_label_implies_its_parents(photos: Store) -> None:
    put(photos, "aa", "animal/dog/poodle")
    put(photos, "bb", "animal")
    assert labels_of(photos)["aa"] == partial("animal", "animal/dog", "animal/dog/poodle")
    assert counts(photos) == {"animal": 2, "animal/dog": 1, "animal/dog/poodle": 1}
    assert [one.picture for one in photos.supports.page(NAME, label="animal/dog")] == ["aa"]
    check(photos)


def test_classes_are_labels_with_the_supports_that_bear_them(photos: Store) -> None:
    ids = [put(photos, f"p{n}", "dog", *(["ball"] if n % 2 else []))["support_id"] for n in range(6)]
    assert counts(photos) == {"dog": 6, "ball": 3}
    dog, ball = photos.classes.get(NAME, "dog"), photos.classes.get(NAME, "ball")
    assert (list(dog.first), list(ball.first)) == (ids[:4], ids[1::2])
    assert photos.classes.page(NAME, after=dog.id) == [ball]
    found = photos.collections.get(NAME)
    assert (found.classes, found.supports) == (2, 6)
    photos.supports.delete(NAME, ids[0])
    assert counts(photos) == {"dog": 5, "ball": 3}


def test_supports_are_listed_by_one_of_their_labels(photos: Store) -> None:
    ids = [put(photos, f"p{n}", "dog", *(["ball"] if n % 2 else []))["support_id"] for n in range(6)]
    first = photos.supports.page(NAME, label="ball", limit=2)
    rest = photos.supports.page(NAME, label="ball", after=first[-1].id)
    assert [one.id for one in (*first, *rest)] == ids[1::2]
    assert photos.supports.page(NAME, label="cat") == []


def test_class_is_made_with_what_it_implies(photos: Store) -> None:
    made = photos.classes.add(NAME, "animal / dog")
    assert (made.label, made.supports) == ("animal/dog", 0)
    assert counts(photos) == {"animal": 0, "animal/dog": 0}
    assert code_of(photos.classes.add, NAME, "animal") == "class_exists"
    assert code_of(photos.classes.add, NAME, "animal//cat") == "label_invalid"


def test_negative_classes_are_refused(photos: Store) -> None:
    put(photos, "aa", "dog")
    assert code_of(photos.classes.add, NAME, "noise", ClassKind.NEGATIVE) == "labels_unsupported"
    assert code_of(photos.classes.change, NAME, "dog", kind=ClassKind.NEGATIVE) == "labels_unsupported"


CHANGES: Sequence[tuple[LabelChange, LabelSet]] = [
    (LabelChange(labels=("cat",)), partial("cat")),
    (LabelChange(labels=("animal/cat", "ball"), complete=True), complete("animal", "animal/cat", "ball")),
    (LabelChange(labels=()), complete()),
    (LabelChange(add=("ball",)), partial("animal", "animal/dog", "ball", "beach")),
    (LabelChange(remove=("beach", "nothing")), partial("animal", "animal/dog")),
    (LabelChange(remove=("animal",)), partial("beach")),
    (LabelChange(remove=("animal/dog",)), partial("animal", "beach")),
    (LabelChange(add=("animal/cat",), remove=("animal",)), partial("animal", "animal/cat", "beach")),
    (LabelChange(complete=True), complete("animal", "animal/dog", "beach")),
    (LabelChange(remove=("animal", "beach"), complete=True), complete()),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_labels_of_a_support_are_changed(photos: Store, change: LabelChange, expected: LabelSet) -> None:
    support = put(photos, "aa", "animal/dog", "beach")["support_id"]
    put(photos, "bb", "animal/dog", "beach")
    before = version(photos)
    changed = photos.supports.change_labels(NAME, support, change)  # type: ignore[arg-type]
    assert (changed.id, changed.labels) == (support, expected)
    assert version(photos) == before + 1
    assert labels_of(photos)["bb"] == partial("animal", "animal/dog", "beach")
    check(photos)


def test_change_to_the_same_labels_changes_nothing(photos: Store) -> None:
    support = put(photos, "aa", "animal/dog")["support_id"]
    before = version(photos)
    change = LabelChange(labels=("animal", "animal/dog"))
    assert photos.supports.change_labels(NAME, support, change).labels == partial("animal", "animal/dog")  # type: ignore[arg-type]
    assert version(photos) == before


def test_changes_that_say_nothing_are_refused(photos: Store) -> None:
    support = put(photos, "aa", "dog")["support_id"]
    change, before = photos.supports.change_labels, version(photos)
    assert code_of(change, NAME, support, LabelChange(remove=("dog",))) == "labels_invalid"
    assert code_of(change, NAME, support, LabelChange(labels=(), complete=False)) == "labels_invalid"
    assert code_of(change, NAME, support, LabelChange(add=("a",), remove=("a",))) == "labels_invalid"
    assert code_of(change, NAME, 999_999, LabelChange(add=("a",))) == "support_not_found"
    assert code_of(photos.supports.move, NAME, support, "cat") == "labels_invalid"
    assert (labels_of(photos), version(photos)) == ({"aa": partial("dog")}, before)


def test_support_with_one_label_takes_exactly_one(things: Store) -> None:
    [result] = enroll(things, Item(0, "aa", "dog"))
    change = things.supports.change_labels
    assert change("things", result["support_id"], LabelChange(labels=("cat",))).label == "cat"
    for wrong in (LabelChange(labels=("a", "b")), LabelChange(labels=()), LabelChange(add=("a",))):
        assert code_of(change, "things", result["support_id"], wrong) == "labels_invalid"


def test_enrolment_of_several_labels_fails_where_there_is_one(things: Store) -> None:
    results = enroll(things, item("aa", "dog"), item("bb", "dog", "cat", index=1), item("cc", index=2))
    assert [result["status"] for result in results] == ["done", "failed", "failed"]
    assert {result["error"]["code"] for result in results[1:]} == {"labels_invalid"}
    assert [one.label for one in things.supports.page("things")] == ["dog"]
