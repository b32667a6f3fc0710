"""Results with several labels a picture: counted, filtered, ordered, exported and reviewed."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from enrolling import ask, claim
from test_api_review import many, results, review
from tiny import DEFAULT

from core.jobs import Lane
from store.store import Store
from store.work.settlement import Settlement

CHOSEN = [["beach", "dog"], ["dog"], [], ["beach"], ["beach", "dog"], []]
EXPLAINED = {"margin": None, "supports": [{"support_id": 7, "label": "dog", "similarity": 0.5, "share": 1.0}]}
PARQUET = "application/vnd.apache.parquet"


def answer(index: int, labels: list[str], custom_id: str | None = None) -> dict[str, Any]:
    given = [
        {"label": label, "probability": 0.9, "decision": "yes", "explanation": EXPLAINED} for label in labels
    ]
    unsure = {"label": "ball", "probability": 0.3, "decision": "unsure", "explanation": EXPLAINED}
    return {
        "item": index,
        "custom_id": custom_id or f"{index}.jpg",
        "status": "done",
        "decision": "known" if labels else "none",
        "labels": [*given, unsure] if labels else [],
        "confidence": 0.9 if labels else 0.0,
        "candidates": [{"label": "dog", "probability": 0.4}, {"label": "ball", "probability": 0.3}],
        "neighbours": [{"support_id": 7, "labels": ["dog"], "complete": False, "similarity": 0.25}],
        "rule": "kernel",
        "novelty": None,
        "index_version": 3,
        "encoder": DEFAULT,
    }


@pytest.fixture
def job(things: Store) -> str:
    """A finished job of six answers."""
    job = ask(things, len(CHOSEN), lane=Lane.BULK)
    for chunk in claim(things, items=1000):
        made = [answer(item.index, CHOSEN[item.index]) for item in chunk.items]
        assert things.chunks.settle("w:1", [Settlement(chunk, made)]) == [True]
    return job


def summary(local: httpx.Client, job: str) -> dict[str, Any]:
    found: dict[str, Any] = local.get(f"/v1/jobs/{job}/summary").json()
    return found


def final(local: httpx.Client, job: str) -> list[list[str]]:
    return [one["final_labels"] for one in results(local, job)]


def test_each_label_is_counted(local: httpx.Client, job: str) -> None:
    assert summary(local, job)["labels"] == {"beach": 3, "dog": 3}
    assert summary(local, job)["final_labels"] == {"beach": 3, "dog": 3}
    assert summary(local, job)["decisions"] == {"known": 4, "none": 2}


def test_result_has_its_labels_with_their_examples(local: httpx.Client, job: str) -> None:
    found = results(local, job)
    assert final(local, job) == CHOSEN
    assert [one["label"] for one in found[0]["labels"]] == ["beach", "dog", "ball"]
    supports = found[0]["labels"][0]["explanation"]["supports"]
    assert supports[0]["thumbnail"] == "/v1/collections/things/supports/7/thumbnail"
    assert found[0]["neighbours"][0]["labels"] == ["dog"]
    assert "label" not in found[0]
    assert "final_label" not in found[0]


@pytest.mark.parametrize("order", ["item", "value", "confidence", "name"])
def test_answers_are_found_by_one_of_their_labels(local: httpx.Client, job: str, order: str) -> None:
    review(local, job, 1, labels=["beach"])
    found = results(local, job, label="beach", order=order)
    assert {one["item"] for one in found} == {0, 1, 3, 4}
    assert {one["item"] for one in results(local, job, label="dog", order=order)} == {0, 4}
    assert results(local, job, label="ball", order=order) == []


def test_exports_have_all_labels(local: httpx.Client, job: str) -> None:
    review(local, job, 2, labels=["cat", "ball"])

    def get(accept: str) -> httpx.Response:
        return local.get(f"/v1/jobs/{job}/results", headers={"Accept": accept})

    rows = list(csv.DictReader(io.StringIO(get("text/csv").text)))
    assert [(row["labels"], row["final_labels"]) for row in rows[:3]] == [
        ("beach;dog", "beach;dog"), ("dog", "dog"), ("", "ball;cat"),
    ]  # fmt: skip
    table = pq.read_table(io.BytesIO(get(PARQUET).content)).to_pylist()
    assert [row["final_labels"] for row in table[:3]] == [["beach", "dog"], ["dog"], ["ball", "cat"]]
    assert table[0]["labels"][2] == {"label": "ball", "probability": 0.3, "decision": "unsure"}
    assert table[0]["neighbours"][0]["labels"] == ["dog"]
    lines = [json.loads(line) for line in get("application/x-ndjson").text.splitlines()]
    assert [line["final_labels"] for line in lines] == final(local, job)


def test_review_gives_all_labels_and_is_undone(local: httpx.Client, job: str) -> None:
    changed = review(local, job, 0, labels=["dog", "cat", "cat"]).json()
    assert changed["final_labels"] == ["cat", "dog"]
    assert (changed["reviewed"], changed["review"]["labels"]) == (True, ["cat", "dog"])
    assert summary(local, job)["final_labels"] == {"dog": 3, "beach": 2, "cat": 1}
    assert review(local, job, 4, accepted=True).json()["final_labels"] == ["beach", "dog"]
    assert review(local, job, 1, labels=[]).json()["final_labels"] == []
    assert review(local, job, 3, label="cat").json()["final_labels"] == ["cat"]
    assert review(local, job, 3, label=None).json()["final_labels"] == []
    assert summary(local, job)["reviewed"] == 4
    assert local.post(f"/v1/jobs/{job}/unreview", json={"items": [0, 1, 3, 4]}).json()["reviewed"] == 4
    assert final(local, job) == CHOSEN
    assert summary(local, job)["final_labels"] == {"beach": 3, "dog": 3}


def test_labels_are_added_and_removed_one_by_one(local: httpx.Client, job: str) -> None:
    assert many(local, job, where={"label": "dog"}, add=["animal"]) == 3
    assert final(local, job)[:2] == [["animal", "beach", "dog"], ["animal", "dog"]]
    assert many(local, job, items=[0, 2], add=["sand"], remove=["dog", "none of it"]) == 2
    assert final(local, job)[:3] == [["animal", "beach", "sand"], ["animal", "dog"], ["sand"]]
    counts = {"beach": 3, "animal": 3, "dog": 2, "sand": 2}
    assert summary(local, job)["final_labels"] == counts


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"labels": ["a"], "label": "a"}, "request_invalid"),
        ({"labels": ["a"], "add": ["b"]}, "request_invalid"),
        ({"accepted": True, "remove": ["b"]}, "request_invalid"),
        ({"add": []}, "request_invalid"),
        ({"labels": ["a\u0000"]}, "label_invalid"),
        ({"labels": ["a", ""]}, "label_missing"),
    ],
)
def test_review_that_makes_no_sense_is_refused(
    local: httpx.Client, job: str, body: dict[str, Any], code: str
) -> None:
    refused = review(local, job, 0, **body)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert summary(local, job)["reviewed"] == 0


@pytest.mark.parametrize("body", [{"labels": ["a", "b"]}, {"add": ["a"]}, {"remove": ["a"]}])
def test_answers_of_one_label_take_no_several(
    local: httpx.Client, things: Store, body: dict[str, Any]
) -> None:
    job = ask(things, 1)
    for chunk in claim(things):
        one = {"item": 0, "custom_id": None, "status": "done", "decision": "known", "label": "dog"}
        settled = Settlement(chunk, [{**one, "confidence": 0.5}])
        assert things.chunks.settle("w:1", [settled]) == [True]
    refused = review(local, job, 0, **body)
    assert (refused.status_code, refused.json()["code"]) == (422, "labels_invalid")
    assert review(local, job, 0, labels=["cat"]).json()["final_label"] == "cat"
    assert review(local, job, 0, labels=[]).json()["final_label"] is None
