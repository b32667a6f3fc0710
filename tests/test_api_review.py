"""People's reviews of answers: given, given again, undone, counted, filtered and exported."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from enrolling import ask, claim, submit
from test_api_job_outputs import PARQUET, finish

from core.jobs import Item, JobKind, Lane
from store.record.keys import Scope
from store.store import Store


@pytest.fixture
def job(things: Store) -> str:
    """A finished job of 150 items in three chunks, two of them failed."""
    job = ask(things, 150, lane=Lane.BULK)
    for chunk in claim(things, items=1000):
        finish(things, chunk, failing=(3, 140))
    return job


def review(local: httpx.Client, job: str, item: int, **body: Any) -> httpx.Response:
    return local.patch(f"/v1/jobs/{job}/items/{item}", json=body)


def many(local: httpx.Client, job: str, **body: Any) -> int:
    answer = local.post(f"/v1/jobs/{job}/review", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["reviewed"]


def results(local: httpx.Client, job: str, **query: Any) -> list[dict[str, Any]]:
    found, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = local.get(f"/v1/jobs/{job}/results", params={**query, **more}).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def summary(local: httpx.Client, job: str) -> dict[str, Any]:
    return local.get(f"/v1/jobs/{job}/summary").json()


def test_answer_without_a_review_stands(local: httpx.Client, job: str) -> None:
    found = results(local, job)
    assert {one["final_label"] == one["label"] for one in found if one["status"] == "done"} == {True}
    assert [one["reviewed"] for one in found if one["status"] == "done"] == [False] * 148
    assert "final_label" not in found[3] and "review" not in found[4]


@pytest.mark.parametrize(
    ("body", "final"), [({"label": " bmx "}, "bmx"), ({"label": None}, None), ({"accepted": True}, "class 1")]
)
def test_review_is_kept_and_undone(
    local: httpx.Client, store: Store, job: str, body: dict[str, Any], final: str | None
) -> None:
    answer = review(local, job, 70, **body)
    assert answer.status_code == 200
    assert (answer.json()["final_label"], answer.json()["label"]) == (final, "class 1")
    for _ in range(2):  # again is the same
        review(local, job, 70, **body)
        [found] = [one for one in results(local, job) if one.get("reviewed")]
        assert (found["item"], found["final_label"]) == (70, final)
        assert (found["review"]["by"], found["review"]["accepted"]) == ("local", "accepted" in body)
    assert local.delete(f"/v1/jobs/{job}/items/70").status_code == 204
    assert local.delete(f"/v1/jobs/{job}/items/70").status_code == 204
    assert not [one for one in results(local, job) if one.get("reviewed")]
    assert summary(local, job)["final_labels"] == summary(local, job)["labels"]


def test_last_review_counts(local: httpx.Client, job: str) -> None:
    review(local, job, 1, label="bmx")
    review(local, job, 1, accepted=True)
    review(local, job, 1, label="surfing")
    counts = summary(local, job)
    assert counts["reviewed"] == 1
    assert counts["final_labels"] == {"class 0": 49, "class 2": 49, "class 1": 49, "surfing": 1}
    assert counts["labels"] == {"class 0": 49, "class 2": 49, "class 1": 50}


def test_reviewer_is_the_key(local: httpx.Client, store: Store, job: str) -> None:
    key = store.keys.create("Ann", [Scope.CLASSIFY])
    bearer = {"Authorization": f"Bearer {key}"}
    answer = local.patch(f"/v1/jobs/{job}/items/0", json={"accepted": True}, headers=bearer)
    assert answer.json()["review"]["by"] == "Ann"


@pytest.mark.parametrize(
    ("item", "body", "status", "code"),
    [
        (3, {"accepted": True}, 404, "item_not_found"),  # it failed
        (150, {"accepted": True}, 404, "item_not_found"),
        (2**40, {"accepted": True}, 404, "item_not_found"),
        (0, {}, 422, "request_invalid"),
        (0, {"label": "a", "accepted": True}, 422, "request_invalid"),
        (0, {"accepted": False}, 422, "request_invalid"),
        (0, {"label": "a\u202eb"}, 422, "label_invalid"),
        (0, {"label": ""}, 422, "label_missing"),
    ],
)
def test_invalid_review_changes_nothing(
    local: httpx.Client, job: str, item: int, body: dict[str, Any], status: int, code: str
) -> None:
    answer = review(local, job, item, **body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert summary(local, job)["reviewed"] == 0


def test_many_items_are_reviewed_at_once_or_not_at_all(local: httpx.Client, job: str) -> None:
    assert many(local, job, items=[5, 5, 6, 149], label="bmx") == 3
    refused = local.post(f"/v1/jobs/{job}/review", json={"items": [7, 3], "accepted": True})
    assert refused.json()["code"] == "item_not_found"
    assert [one["item"] for one in results(local, job, reviewed="true")] == [5, 6, 149]
    undone = local.post(f"/v1/jobs/{job}/unreview", json={"items": [6, 7]})
    assert undone.json() == {"reviewed": 1}
    assert [one["item"] for one in results(local, job, label="bmx")] == [5, 149]


def test_answers_are_reviewed_by_what_they_say(local: httpx.Client, job: str) -> None:
    assert many(local, job, where={"label": "class 2", "reviewed": False}, label="bmx") == 49
    assert many(local, job, where={"label": "class 2"}, accepted=True) == 0
    assert many(local, job, where={"max_confidence": 0.4}, accepted=True) == 0
    assert many(local, job, where={"min_confidence": 0.5, "reviewed": False}, accepted=True) == 99
    assert summary(local, job)["reviewed"] == 148
    assert results(local, job, reviewed="false", status="done") == []


def test_reviews_are_in_every_form(local: httpx.Client, job: str) -> None:
    review(local, job, 100, label="bmx")

    def get(accept: str) -> httpx.Response:
        return local.get(f"/v1/jobs/{job}/results", headers={"Accept": accept})

    line = json.loads(get("application/x-ndjson").text.splitlines()[100])
    row = list(csv.DictReader(io.StringIO(get("text/csv").text)))[100]
    cell = pq.read_table(io.BytesIO(get(PARQUET).content)).to_pylist()[100]
    assert (line["final_label"], line["reviewed"]) == ("bmx", True)
    assert (row["label"], row["final_label"], row["reviewed"]) == ("class 1", "bmx", "true")
    assert (cell["label"], cell["final_label"], cell["reviewed"]) == ("class 1", "bmx", True)


def test_reviews_go_with_their_job(local: httpx.Client, store: Store, job: str) -> None:
    review(local, job, 0, label="bmx")
    store.jobs.remove([job])
    assert review(local, job, 0, label="bmx").json()["code"] == "job_not_found"
    assert store.reviews.counts(job) == (0, {})


def test_job_without_decisions_has_no_reviews(local: httpx.Client, things: Store) -> None:
    job = submit(things, Item(0, "p0"), kind=JobKind.SEARCH)
    for body in ({"items": [0], "accepted": True}, {"where": {}, "label": "bmx"}):
        answer = local.post(f"/v1/jobs/{job}/review", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "job_state_invalid")
