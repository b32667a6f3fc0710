"""Results in the order of value, confidence and name: page by page, filtered, while people review."""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pytest
from enrolling import ask, claim
from test_api_job_outputs import answer
from test_api_review import many, results, review

from core.jobs import Chunk, Lane
from core.vectors import Vectors
from store.store import Store
from store.work.item_vectors import PackedVectors, pack_half
from store.work.settlement import Settlement

ITEMS = 150
FAILED = (3, 140)


def made(index: int) -> dict[str, Any]:
    """Return an answer; those of greater number are less certain, every tenth is unknown."""
    found = answer(index, index in FAILED)
    if index in FAILED:
        return found
    confidence = 1 - index / 1000
    candidates = [{"label": found["label"], "probability": confidence}]
    unknown = {"decision": "unknown", "label": None, "confidence": 0.0} if index % 10 == 0 else {}
    name = f"Birds/{'wren' if index % 2 else 'Robin'} {index}.jpg"
    return {**found, "custom_id": name, "confidence": confidence, "candidates": candidates, **unknown}


def finish(store: Store, chunks: list[Chunk]) -> None:
    for chunk in chunks:
        settled = Settlement(chunk, [made(item.index) for item in chunk.items])
        assert store.chunks.settle("w:1", [settled]) == [True]


@pytest.fixture
def job(things: Store) -> str:
    """A finished job in three chunks; two items failed."""
    job = ask(things, ITEMS, lane=Lane.BULK)
    finish(things, claim(things, items=1000))
    return job


ANSWERED = [n for n in range(ITEMS) if n not in FAILED]
UNKNOWN = [n for n in ANSWERED if n % 10 == 0]
BY_VALUE = [*UNKNOWN, *(n for n in reversed(ANSWERED) if n % 10), *FAILED]
BY_CONFIDENCE = BY_VALUE


def items(found: list[dict[str, Any]]) -> list[int]:
    return [one["item"] for one in found]


@pytest.mark.parametrize("limit", [7, 75, 150, 1000])
def test_orders_are_read_page_by_page(local: httpx.Client, job: str, limit: int) -> None:
    assert items(results(local, job, order="value", limit=limit)) == BY_VALUE
    assert items(results(local, job, order="confidence", limit=limit)) == BY_CONFIDENCE
    by_name = items(results(local, job, order="name", limit=limit))
    even, odd = ([n for n in ANSWERED if n % 2 == rest] for rest in (0, 1))
    assert by_name == [*even, *odd, *FAILED]
    assert items(results(local, job, order="item", limit=limit)) == list(range(ITEMS))


def test_results_in_an_order_are_whole(local: httpx.Client, job: str) -> None:
    review(local, job, 77, label="bmx")
    as_submitted = {one["item"]: one for one in results(local, job)}
    assert all(one == as_submitted[one["item"]] for one in results(local, job, order="name", limit=10))


def test_orders_are_filtered(local: httpx.Client, job: str) -> None:
    many(local, job, items=[1, 2, 4], label="class 0")
    wrens = results(local, job, order="value", path="WREN", limit=5, reviewed="false")
    assert items(wrens) == [n for n in BY_VALUE if n % 2 and n not in (*FAILED, 1)]
    both = {"label": "class 0", "path": "robin", "min_confidence": 0.9}
    expected = [n for n in ANSWERED if n % 2 == 0 and n <= 100 and n % 10 and (n % 3 == 0 or n in (2, 4))]
    assert items(results(local, job, order="name", limit=3, **both)) == expected
    assert items(results(local, job, **both)) == expected
    assert items(results(local, job, order="confidence", status="failed")) == list(FAILED)
    assert items(results(local, job, order="value", decision="unknown")) == UNKNOWN


def test_reviewed_answers_come_last_by_value(local: httpx.Client, job: str) -> None:
    many(local, job, items=[0, 149, 1], accepted=True)
    expected = [n for n in BY_VALUE if n not in (0, 149, 1)]
    assert items(results(local, job, order="value", limit=10)) == [*expected, 0, 149, 1]
    assert items(results(local, job, order="confidence", limit=10)) == BY_CONFIDENCE


@pytest.mark.slow
def test_pages_stay_as_they_are_while_others_review(local: httpx.Client, job: str) -> None:
    many(local, job, items=[20, 148], accepted=True)
    seen: list[int] = []
    cursor: str | None = None
    for turn in range(ITEMS):
        query = {"order": "value", "limit": 9} | ({} if cursor is None else {"cursor": cursor})
        page = local.get(f"/v1/jobs/{job}/results", params=query).json()
        seen += items(page["items"])
        for n in (*seen[-2:], 20, BY_VALUE[-3 - turn]):  # seen, reviewed before, and not seen yet
            if n not in FAILED:
                review(local, job, n, label="bmx" if turn % 2 else None)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [*(n for n in BY_VALUE if n not in (20, 148)), 20, 148]


def test_undone_review_is_at_its_place_again(local: httpx.Client, job: str) -> None:
    many(local, job, where={"path": "wren"}, label="bmx")
    undone = local.post(f"/v1/jobs/{job}/unreview", json={"where": {"path": "wren 1", "label": "bmx"}})
    assert undone.json() == {"reviewed": len([n for n in ANSWERED if n % 2 and str(n).startswith("1")])}
    local.post(f"/v1/jobs/{job}/unreview", json={"where": {}})
    assert items(results(local, job, order="value")) == BY_VALUE


def test_running_job_is_ordered_as_far_as_it_is(local: httpx.Client, things: Store) -> None:
    job = ask(things, ITEMS, lane=Lane.BULK)
    chunks = claim(things, items=1000)
    finish(things, [chunks[1]])
    assert set(items(results(local, job, order="value"))) == set(range(64, 128))
    finish(things, [chunks[0], chunks[2]])
    assert items(results(local, job, order="value")) == BY_VALUE


def test_retried_items_are_in_the_order(local: httpx.Client, things: Store, job: str) -> None:
    assert items(results(local, job, order="value"))[-2:] == list(FAILED)
    local.post(f"/v1/jobs/{job}/retry")
    for chunk in claim(things):
        settled = [{**made(4), "item": item.index, "custom_id": "Birds/0.jpg"} for item in chunk.items]
        assert things.chunks.settle("w:1", [Settlement(chunk, settled)]) == [True]
    assert items(results(local, job, order="name"))[:2] == list(FAILED)


@pytest.mark.parametrize("cursor", ["MTA=", "bzFyMmkz", "!", "bzE="])
def test_cursor_of_another_order_is_refused(local: httpx.Client, job: str, cursor: str) -> None:
    answer = local.get(f"/v1/jobs/{job}/results", params={"order": "value", "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "cursor_invalid")


def test_few_jobs_are_kept_in_memory(
    local: httpx.Client, things: Store, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.work.orders.MOST_KEPT", ITEMS)
    for _ in range(2):
        for order in ("value", "name"):
            assert len(results(local, job, order=order)) == ITEMS
        assert len(things.orders._kept) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_answer_that_a_near_twin_contradicts_is_reviewed_first(
    local: httpx.Client, things: Store, kept: bool
) -> None:
    job = ask(things, 60, lane=Lane.BULK)
    vectors = pairs_of_twins(60)
    for chunk in claim(things, items=1000):
        labels = ["wren" if item.index == 7 else f"bird {item.index % 30}" for item in chunk.items]
        given = {"confidence": 0.9, "candidates": [{"label": "wren", "probability": 0.9}]}
        answers = [
            {**answer(item.index, failing=False), "label": label, **given}
            for item, label in zip(chunk.items, labels, strict=True)
        ]
        wholes = pack_half([vectors[item.index] for item in chunk.items])
        packed = PackedVectors(wholes, None) if kept and wholes is not None else None
        assert things.chunks.settle("w:1", [Settlement(chunk, answers, vectors=packed)]) == [True]
    found = items(results(local, job, order="value"))
    assert set(found[:2]) == ({7, 37} if kept else {0, 1})


def pairs_of_twins(number: int) -> Vectors:
    """Return unit vectors; half a turn of the list apart are pictures of one thing, some more alike."""
    random = np.random.default_rng(4)
    one = random.standard_normal((number // 2, 48))
    noise = random.standard_normal(one.shape) * np.where(np.arange(number // 2) % 3 == 1, 0.05, 0.4)[:, None]
    vectors = np.concatenate([one, one + noise])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
