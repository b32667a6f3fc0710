"""Guarantees of enrolment, on both databases."""

from __future__ import annotations

import numpy as np
import pytest
from enrolling import claim, enroll, settle, submit, vector

from core.errors import ExemplarError
from core.jobs import Item, JobState, Lane
from store.store import Store


def test_enrolled_picture_becomes_a_support_of_its_class(things: Store) -> None:
    [result] = enroll(things, Item(0, "aa", "cat", external_id="x1"))
    assert result["status"] == "done"
    support = things.supports.get("things", result["support_id"])
    assert (support.label, support.external_id) == ("cat", "x1")
    assert things.collections.get("things").version == result["index_version"] == 1


def test_same_picture_of_the_same_class_is_kept_once(things: Store) -> None:
    [first] = enroll(things, Item(0, "aa", "cat"))
    [second] = enroll(things, Item(0, "aa", "cat"))
    assert second["duplicate_of"] == second["support_id"] == first["support_id"]
    assert things.collections.get("things").supports == 1


def test_class_deleted_after_submission_does_not_come_back(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    job = submit(things, Item(0, "bbb", "cat"))
    things.classes.delete("things", "cat")
    [chunk] = claim(things)
    assert settle(things, chunk)
    [result] = things.jobs.results(job).results
    assert result["error"]["code"] == "class_deleted"
    assert things.collections.get("things").supports == 0


def test_class_merged_after_submission_is_followed(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"), Item(1, "bbb", "felis"))
    job = submit(things, Item(0, "cccc", "cat"))
    things.classes.merge("things", "felis", ["cat"])
    [chunk] = claim(things)
    assert settle(things, chunk)
    [result] = things.jobs.results(job).results
    assert result["label"] == "felis"


def test_settled_chunk_is_not_settled_again(things: Store) -> None:
    job = submit(things, Item(0, "aa", "cat"))
    [chunk] = claim(things)
    assert settle(things, chunk)
    assert not settle(things, chunk)
    assert things.collections.get("things").supports == 1
    assert things.jobs.get(job).state is JobState.SUCCEEDED


def test_worker_that_lost_its_lease_cannot_settle(things: Store) -> None:
    submit(things, Item(0, "aa", "cat"))
    [chunk] = claim(things, owner="zombie:1")
    things.chunks.expire_leases("zombie")
    assert things.chunks.sweep() == 1
    [again] = claim(things)
    assert not settle(things, chunk, "zombie:1")
    assert settle(things, again)
    assert things.collections.get("things").supports == 1


def test_unknown_collection_is_refused(store: Store) -> None:
    with pytest.raises(ExemplarError, match="no collection named 'nothing'") as caught:
        submit(store, Item(0, "aa", "cat"), collection="nothing")
    assert caught.value.code == "collection_not_found"


def test_class_renamed_after_submission_is_followed(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    job = submit(things, Item(0, "bbb", "cat"))
    things.classes.change("things", "cat", new_label="felis")
    [chunk] = claim(things)
    assert settle(things, chunk)
    [result] = things.jobs.results(job).results
    assert result["label"] == "felis"
    assert [class_.label for class_ in things.classes.page("things")] == ["felis"]


def test_name_of_a_renamed_class_is_free_for_later_work(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    things.classes.change("things", "cat", new_label="felis")
    [result] = enroll(things, Item(0, "bbb", "cat"))
    assert result["label"] == "cat"


def test_class_renamed_and_then_deleted_does_not_come_back(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    job = submit(things, Item(0, "bbb", "cat"))
    things.classes.change("things", "cat", new_label="felis")
    things.classes.delete("things", "felis")
    [chunk] = claim(things)
    assert settle(things, chunk)
    [result] = things.jobs.results(job).results
    assert result["error"]["code"] == "class_deleted"


def test_recreated_class_does_not_take_work_of_the_old_one(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"), Item(1, "bbb", "dog"))
    meant_for_cat = submit(things, Item(0, "cccc", "cat"))
    meant_for_dog = submit(things, Item(0, "dddd", "dog"))
    chunks = claim(things)
    things.classes.delete("things", "cat")
    things.classes.change("things", "dog", new_label="canis")
    enroll(things, Item(0, "eeeee", "cat"), Item(1, "fffff", "dog"))
    assert all(settle(things, chunk) for chunk in chunks)
    assert things.jobs.results(meant_for_cat).results[0]["error"]["code"] == "class_deleted"
    assert things.jobs.results(meant_for_dog).results[0]["label"] == "canis"


def test_label_of_a_deleted_class_can_be_enrolled_again(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"))
    things.classes.delete("things", "cat")
    [result] = enroll(things, Item(0, "aa", "cat"))
    assert result["status"] == "done"
    assert result["duplicate_of"] is None


def test_same_picture_twice_in_one_chunk_is_kept_once(things: Store) -> None:
    job = submit(things, Item(0, "aa", "cat"), Item(1, "aa", "cat"), lane=Lane.BULK)
    [chunk] = claim(things)
    assert settle(things, chunk)
    first, second = things.jobs.results(job).results
    assert second["duplicate_of"] == second["support_id"] == first["support_id"]


def test_same_picture_of_another_class_is_kept_and_reported(things: Store) -> None:
    [first] = enroll(things, Item(0, "aa", "cat"))
    [second] = enroll(things, Item(0, "aa", "dog"))
    assert second["support_id"] != first["support_id"]
    assert second["duplicate_of"] == first["support_id"]


def test_collection_deleted_after_submission_fails_the_items(things: Store) -> None:
    job = submit(things, Item(0, "aa", "cat"))
    [chunk] = claim(things)
    things.collections.delete("things")
    assert settle(things, chunk)
    [result] = things.jobs.results(job).results
    assert result["error"]["code"] == "collection_not_found"
    assert things.jobs.get(job).state is JobState.FAILED
    assert things.jobs.get(job).collection == "things"


def test_enrolment_keeps_vector_metadata_and_external_id(things: Store) -> None:
    [result] = enroll(things, Item(0, "aa", "cat", external_id="x", metadata={"by": "Zoë"}))
    support = things.supports.get("things", result["support_id"])
    assert (support.external_id, support.metadata, support.thumbnail) == ("x", {"by": "Zoë"}, "thumb")
    changes = things.supports.changes_since(things.collections.get("things").id, 0)
    assert changes is not None
    assert np.array_equal(changes.supports[0].vector, vector(sum(b"aa")))
