"""Label sets: supports with several labels, on both databases."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from enrolling import OWNER, claim, enroll, settle, submit, vector
from sqlalchemy import func, select
from tiny import DEFAULT

from core.changes import Changes
from core.errors import ExemplarError
from core.label_sets import LabelChange, LabelSet
from core.types import ClassKind, Item, Labels, Rule, RuleName
from store import tables as t
from store.record.enrolment import Enrolment
from store.store import Store
from store.work.settlement import Settlement

NAME = "photos"


@pytest.fixture
def photos(store: Store) -> Store:
    """A store with an empty collection whose pictures may have several labels."""
    store.collections.create(NAME, DEFAULT, Rule(), labels=Labels.MANY)
    return store


def item(picture: str, *labels: str, complete: bool = False, index: int = 0) -> Item:
    return Item(index, picture, labels=labels, complete=complete)


def put(store: Store, picture: str, *labels: str, complete: bool = False) -> dict[str, object]:
    """Enrol one picture and return its result."""
    [result] = enroll(store, item(picture, *labels, complete=complete), collection=NAME)
    return result


def labels_of(store: Store) -> dict[str, LabelSet]:
    """Return the label set of each picture."""
    return {one.picture: one.labels for one in store.supports.page(NAME) if one.labels is not None}


def counts(store: Store) -> dict[str, int]:
    return {one.label: one.supports for one in store.classes.page(NAME)}


def version(store: Store) -> int:
    return store.collections.get(NAME).version


def partial(*labels: str) -> LabelSet:
    return LabelSet(labels)


def complete(*labels: str) -> LabelSet:
    return LabelSet(labels, complete=True)


def code_of(call: object, *arguments: object, **named: object) -> str:
    with pytest.raises(ExemplarError) as caught:
        call(*arguments, **named)  # type: ignore[operator]
    return caught.value.code


def followed(store: Store, since: int = 0) -> dict[int, tuple[tuple[str, ...], bool]]:
    """Return what a replica knows of each support: its labels and whether these are all."""
    changes = store.supports.changes_since(store.collections.get(NAME).id, since)
    assert changes is not None
    classes = {one.id: one for one in changes.classes if not one.deleted}
    found = {}
    for one in changes.supports:
        if one.class_id is not None:
            set_ = classes[one.class_id]
            assert set_.kind is ClassKind.SET
            assert list(set_.members) == sorted(set_.members)
            found[one.id] = tuple(sorted(classes[id_].label for id_ in set_.members)), set_.complete
    return found


def check(store: Store) -> None:
    """The feed and the page agree, every set is there once, and no set has a deleted label."""
    page = {
        one.id: (one.labels.labels, one.labels.complete) for one in store.supports.page(NAME) if one.labels
    }
    assert followed(store) == page
    class_, member = t.class_.c, t.class_member.c
    label = t.class_.alias("label")
    with store.database.read() as connection:
        sets = connection.execute(
            select(class_.id, class_.complete).where(class_.kind == ClassKind.SET, ~class_.deleted)
        ).all()
        members = [
            (
                one.complete,
                *sorted(connection.execute(select(member.label_id).where(member.set_id == one.id)).scalars()),
            )
            for one in sets
        ]
        dead = select(func.count()).select_from(t.class_member).join(label, label.c.id == member.label_id)
        assert connection.execute(dead.where(label.c.deleted)).scalar() == 0
    assert len(set(members)) == len(members)
    assert (False,) not in members


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


def test_renamed_label_is_renamed_with_all_below_it(photos: Store) -> None:
    put(photos, "aa", "animal/dog", "beach")
    put(photos, "bb", "animal", complete=True)
    renamed = photos.classes.change(NAME, "animal", new_label="creature")
    assert (renamed.label, renamed.supports) == ("creature", 2)
    assert labels_of(photos) == {
        "aa": partial("beach", "creature", "creature/dog"),
        "bb": complete("creature"),
    }
    assert counts(photos) == {"creature": 2, "creature/dog": 1, "beach": 1}
    check(photos)


def test_label_renamed_below_another_implies_that_one(photos: Store) -> None:
    put(photos, "aa", "dog")
    put(photos, "bb", "dog", "animal")
    photos.classes.change(NAME, "dog", new_label="animal/dog")
    assert labels_of(photos) == {one: partial("animal", "animal/dog") for one in ("aa", "bb")}
    assert counts(photos) == {"animal": 2, "animal/dog": 2}
    check(photos)


def test_label_is_not_renamed_to_a_taken_name_or_below_itself(photos: Store) -> None:
    put(photos, "aa", "dog", "cat")
    before = version(photos)
    assert code_of(photos.classes.change, NAME, "dog", new_label="cat") == "class_exists"
    assert code_of(photos.classes.change, NAME, "dog", new_label="dog/poodle") == "label_invalid"
    assert code_of(photos.classes.change, NAME, "bird", new_label="cat/x") == "class_not_found"
    assert photos.classes.change(NAME, "dog", new_label="dog").label == "dog"
    assert version(photos) == before


def test_merged_labels_become_one_in_every_set(photos: Store) -> None:
    put(photos, "aa", "dog", "beach")
    put(photos, "bb", "hound", "beach")
    put(photos, "cc", "hound/poodle", "dog", complete=True)
    merged = photos.classes.merge(NAME, "dog", ["hound"])
    assert (merged.label, merged.supports) == ("dog", 3)
    assert labels_of(photos) == {
        "aa": partial("beach", "dog"),
        "bb": partial("beach", "dog"),
        "cc": complete("dog", "dog/poodle"),
    }
    assert counts(photos) == {"dog": 3, "beach": 2, "dog/poodle": 1}
    check(photos)


def test_label_is_merged_into_the_one_above_it(photos: Store) -> None:
    put(photos, "aa", "animal/dog/poodle")
    put(photos, "bb", "animal")
    photos.classes.merge(NAME, "animal", ["animal/dog"])
    assert labels_of(photos) == {"aa": partial("animal", "animal/poodle"), "bb": partial("animal")}
    check(photos)


def test_unusable_merge_changes_nothing(photos: Store) -> None:
    put(photos, "aa", "animal/dog", "cat")
    before = version(photos)
    assert code_of(photos.classes.merge, NAME, "animal/dog", ["animal"]) == "merge_invalid"
    assert code_of(photos.classes.merge, NAME, "cat", ["animal/dog", "bird"]) == "class_not_found"
    assert code_of(photos.classes.merge, NAME, "cat", []) == "merge_invalid"
    assert version(photos) == before
    check(photos)


def test_deleted_label_leaves_every_set(photos: Store) -> None:
    put(photos, "aa", "animal/dog", "beach")
    put(photos, "bb", "animal")
    put(photos, "cc", "animal", complete=True)
    put(photos, "dd", "beach")
    photos.classes.delete(NAME, "animal")
    assert labels_of(photos) == {"aa": partial("beach"), "cc": complete(), "dd": partial("beach")}
    assert counts(photos) == {"beach": 2}
    assert photos.collections.get(NAME).supports == 3
    check(photos)


def test_deleted_label_may_be_made_again(photos: Store) -> None:
    put(photos, "aa", "animal/dog", "beach")
    photos.classes.delete(NAME, "animal/dog")
    put(photos, "bb", "animal/dog")
    assert labels_of(photos) == {"aa": partial("animal", "beach"), "bb": partial("animal", "animal/dog")}
    check(photos)


def settle_late(store: Store, change: object, *labels: str, whole: bool = False) -> dict[str, object]:
    """Submit a picture, change the labels, settle it and return its result."""
    job = submit(store, item("late", *labels, complete=whole), collection=NAME)
    [chunk] = claim(store)
    change()  # type: ignore[operator]
    assert settle(store, chunk)
    check(store)
    return dict(store.jobs.results(job).results[0])


def test_work_accepted_before_a_rename_follows_it(photos: Store) -> None:
    put(photos, "aa", "animal")
    result = settle_late(
        photos, lambda: photos.classes.change(NAME, "animal", new_label="creature"), "animal/dog"
    )
    assert result["labels"] == ["creature", "creature/dog"]


def test_work_accepted_before_a_merge_follows_it(photos: Store) -> None:
    put(photos, "aa", "dog", "hound")
    result = settle_late(photos, lambda: photos.classes.merge(NAME, "dog", ["hound"]), "hound", "dog")
    assert result["labels"] == ["dog"]


def test_work_accepted_before_a_deletion_lacks_that_label(photos: Store) -> None:
    put(photos, "aa", "dog", "beach")
    result = settle_late(photos, lambda: photos.classes.delete(NAME, "dog"), "dog/poodle", "ball")
    assert result["labels"] == ["ball"]


def test_work_whose_only_label_was_deleted_fails(photos: Store) -> None:
    put(photos, "aa", "dog", "beach")
    result = settle_late(photos, lambda: photos.classes.delete(NAME, "dog"), "dog")
    assert result["error"]["code"] == "class_deleted"  # type: ignore[index]


def test_complete_work_whose_only_label_was_deleted_has_none(photos: Store) -> None:
    put(photos, "aa", "dog", "beach")
    result = settle_late(photos, lambda: photos.classes.delete(NAME, "dog"), "dog", whole=True)
    assert (result["labels"], result["complete"]) == ([], True)


def test_settling_after_the_lease_was_lost_writes_nothing(photos: Store) -> None:
    submit(photos, item("aa", "dog", "beach"), collection=NAME)
    [chunk] = claim(photos)
    outcome = Enrolment(chunk.items[0], vector(1), "thumb")
    assert photos.chunks.settle("other", [Settlement(chunk, [outcome])]) == [False]
    assert (labels_of(photos), counts(photos), version(photos)) == ({}, {}, 0)
    assert photos.chunks.settle(OWNER, [Settlement(chunk, [outcome])]) == [True]
    assert photos.chunks.settle(OWNER, [Settlement(chunk, [outcome])]) == [False]
    assert (labels_of(photos), version(photos)) == ({"aa": partial("beach", "dog")}, 1)


def test_feed_sends_a_set_again_when_its_labels_change(photos: Store) -> None:
    put(photos, "aa", "dog", "beach")
    before = version(photos)
    photos.classes.delete(NAME, "beach")
    changes = photos.supports.changes_since(photos.collections.get(NAME).id, before)
    assert isinstance(changes, Changes)
    assert list(changes.supports) == []  # the support stays in its set
    [set_] = [one for one in changes.classes if one.kind is ClassKind.SET]
    assert (set_.members, set_.complete) == ((photos.classes.get(NAME, "dog").id,), False)
    assert [one.label for one in changes.classes if one.deleted] == ["beach"]


def test_deleted_collection_takes_its_sets_along(photos: Store) -> None:
    put(photos, "aa", "animal/dog", "beach")
    photos.collections.delete(NAME)
    with photos.database.read() as connection:
        for table in (t.class_member, t.class_, t.support):
            assert connection.execute(select(func.count()).select_from(table)).scalar() == 0
