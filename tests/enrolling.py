"""Helpers of the store's tests: jobs submitted, claimed and settled without an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tiny import DEFAULT

from core.jobs import Chunk, Item, JobKind, JobRequest, Lane
from store.record.enrolment import Enrolment
from store.store import Store
from store.work.jobs import new_job_id
from store.work.settlement import Settlement

OWNER = "w:1"


def vector(seed: int) -> np.ndarray:
    """Return a unit vector of 8 components."""
    raw = np.random.default_rng(seed).normal(size=8)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


def submit(
    store: Store,
    *items: Item,
    collection: str = "things",
    kind: JobKind = JobKind.ENROLL,
    lane: Lane = Lane.INTERACTIVE,
    **more: Any,
) -> str:
    """Submit a job and return its id."""
    request = JobRequest(collection, kind, lane, items, **more)
    return store.jobs.submit(new_job_id(), request).job.id


def ask(store: Store, count: int, **more: Any) -> str:
    """Submit a classify job of so many pictures and return its id."""
    return submit(store, *(Item(n, f"p{n}") for n in range(count)), kind=JobKind.CLASSIFY, **more)


def claim(
    store: Store, items: int = 64, owner: str = OWNER, lanes: Sequence[Lane] = tuple(Lane)
) -> list[Chunk]:
    """Claim queued chunks."""
    return store.chunks.claim(owner, DEFAULT, lanes, items)


def settle(store: Store, chunk: Chunk, owner: str = OWNER, failing: Sequence[int] = ()) -> bool:
    """Settle a chunk: its pictures are enrolled or answered, and some of them fail."""

    def outcome(item: Item) -> Any:
        if item.index in failing:
            return {"item": item.index, "status": "failed", "error": {"code": "picture_unreadable"}}
        if chunk.kind is JobKind.ENROLL:
            return Enrolment(item, vector(sum((item.picture or "").encode())), "thumb")
        return {"item": item.index, "status": "done"}

    return store.chunks.settle(owner, [Settlement(chunk, [outcome(item) for item in chunk.items])])[0]


def enroll(store: Store, *items: Item, collection: str = "things", **more: Any) -> list[dict[str, Any]]:
    """Enrol pictures and return the results."""
    job = submit(store, *items, collection=collection, **more)
    for chunk in claim(store):
        assert settle(store, chunk)
    return [dict(result) for result in store.jobs.results(job).results]


def enroll_labels(store: Store, *labels: str, collection: str = "things") -> list[int]:
    """Enrol one picture for each label and return the ids of the supports."""
    start = store.collections.get(collection).version
    items = [Item(n, f"{start + n:04}", label) for n, label in enumerate(labels)]
    return [result["support_id"] for result in enroll(store, *items, collection=collection)]


def items_of(store: Store, job_id: str) -> list[int]:
    """Return the numbers of the items on the job's first page of results."""
    return [result["item"] for result in store.jobs.results(job_id, limit=10_000).results]
