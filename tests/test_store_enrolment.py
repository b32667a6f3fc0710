"""What enrolment promises, on both databases."""

from __future__ import annotations

import numpy as np
import pytest

from core.errors import ExemplarError
from core.types import Chunk, Item, JobKind, JobRequest, JobState, Lane, Rule
from store.chunks import Settlement
from store.enrolment import Enrolment
from store.jobs import new_job_id
from store.store import Store


def vector(seed: int) -> np.ndarray:
    raw = np.random.default_rng(seed).normal(size=8)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def submit(store: Store, *items: Item, collection: str = "things") -> str:
    request = JobRequest(collection, JobKind.ENROLL, Lane.INTERACTIVE, items)
    return store.jobs.submit(new_job_id(), request).job.id


def settle(store: Store, chunk: Chunk, owner: str = "w:1") -> bool:
    outcomes = [Enrolment(item, vector(len(item.picture or "")), "thumb") for item in chunk.items]
    return store.chunks.settle(owner, [Settlement(chunk, outcomes)])[0]


def enroll(store: Store, *items: Item) -> list[dict]:
    job = submit(store, *items)
    for chunk in store.chunks.claim("w:1", "compact", list(Lane), 64):
        assert settle(store, chunk)
    return list(store.jobs.results(job).results)


@pytest.fixture
def things(store: Store) -> Store:
    store.collections.create("things", "compact", Rule())
    return store


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
    [chunk] = things.chunks.claim("w:1", "compact", list(Lane), 64)
    assert settle(things, chunk)
    [result] = things.jobs.results(job).results
    assert result["error"]["code"] == "class_deleted"
    assert things.collections.get("things").supports == 0


def test_class_merged_after_submission_is_followed(things: Store) -> None:
    enroll(things, Item(0, "aa", "cat"), Item(1, "bbb", "felis"))
    job = submit(things, Item(0, "cccc", "cat"))
    things.classes.merge("things", "felis", ["cat"])
    [chunk] = things.chunks.claim("w:1", "compact", list(Lane), 64)
    assert settle(things, chunk)
    [result] = things.jobs.results(job).results
    assert result["label"] == "felis"


def test_settled_chunk_is_not_settled_again(things: Store) -> None:
    job = submit(things, Item(0, "aa", "cat"))
    [chunk] = things.chunks.claim("w:1", "compact", list(Lane), 64)
    assert settle(things, chunk)
    assert not settle(things, chunk)
    assert things.collections.get("things").supports == 1
    assert things.jobs.get(job).state is JobState.SUCCEEDED


def test_worker_that_lost_its_lease_cannot_settle(things: Store) -> None:
    submit(things, Item(0, "aa", "cat"))
    [chunk] = things.chunks.claim("zombie:1", "compact", list(Lane), 64)
    things.chunks.expire("zombie")
    assert things.chunks.sweep() == 1
    [again] = things.chunks.claim("w:1", "compact", list(Lane), 64)
    assert not settle(things, chunk, "zombie:1")
    assert settle(things, again)
    assert things.collections.get("things").supports == 1


def test_unknown_collection_is_refused(store: Store) -> None:
    with pytest.raises(ExemplarError, match="no collection named 'nothing'") as caught:
        submit(store, Item(0, "aa", "cat"), collection="nothing")
    assert caught.value.code == "collection_not_found"
