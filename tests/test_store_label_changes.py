"""Labels that are renamed, merged and deleted where a picture may have several, on both databases."""

from __future__ import annotations

import pytest
from enrolling import OWNER, claim, enroll, settle, submit, vector
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
from sqlalchemy import event, func, select
from tiny import DEFAULT

from core.changes import Changes
from core.collections import ClassKind, Labels, Rule
from store import tables as t
from store.record.enrolment import Enrolment
from store.store import Store
from store.work.settlement import Settlement


@pytest.fixture
def photos(store: Store) -> Store:
    """A store with an empty collection whose pictures may have several labels."""
    store.collections.create(NAME, DEFAULT, Rule(), labels=Labels.MANY)
    return store


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


def test_settlement_that_breaks_off_leaves_nothing(photos: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(photos, "aa", "dog")
    submit(photos, item("aa", "animal/cat", "beach"), collection=NAME)
    [chunk] = claim(photos)

    def break_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr("store.work.chunks.close", break_off)
        settle(photos, chunk)
    assert (labels_of(photos), counts(photos), version(photos)) == ({"aa": partial("dog")}, {"dog": 1}, 1)
    assert settle(photos, chunk)
    assert labels_of(photos) == {"aa": partial("animal", "animal/cat", "beach", "dog")}
    check(photos)


@pytest.mark.slow
def test_label_of_60_sets_is_deleted_in_few_statements(photos: Store) -> None:
    for start in range(0, 60, 20):
        both = [item(f"b{n}", "dog", f"l{n}", index=n - start) for n in range(start, start + 20)]
        rest = [item(f"r{n}", f"l{n}", index=20 + n - start) for n in range(start, start + 10)]
        enroll(photos, *both, *rest, collection=NAME)
    said: list[str] = []

    @event.listens_for(photos.database.engine, "before_cursor_execute")
    def _note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    before = version(photos)
    photos.classes.delete(NAME, "dog")
    event.remove(photos.database.engine, "before_cursor_execute", _note)
    assert 0 < len(said) < 40
    assert version(photos) == before + 2 + 30  # supports move only where a set equals another one
    assert {one.labels for one in photos.supports.page(NAME, label="l7")} == {partial("l7")}
    check(photos)


def test_supports_without_a_vector_of_a_reindex_are_named_with_their_labels(photos: Store) -> None:
    put(photos, "aa", "dog", "ball")
    photos.reindexes.start(NAME, "other")
    assert [one.label for one in photos.reindexes.get(NAME).missing] == ["ball;dog"]
