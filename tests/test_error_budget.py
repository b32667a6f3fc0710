"""Error budgets from the rule to the answers, the results, the reviews and the report."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from picture_files import encode
from PIL import Image
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from api.metrics import RecordMetrics
from core.collections import Rule
from core.jobs import JobKind
from core.settings import Settings
from store.store import Store
from worker.pipeline import run_pipeline
from worker.tools import Tools

pytestmark = pytest.mark.slow

BUDGET = {"max_error": 0.2, "error_of": "all"}
ASKED = (57, 58, 120, 182, 183)
"""Two dark pictures, one in between, and two light ones."""


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule(false_reject=0.0, certainty=0.0))
    with tools_with(settings, store, ToyEncoder()) as tools:
        for label, grey in (("dark", 40), ("light", 170)):
            run(tools, JobKind.ENROLL, *range(grey, grey + 30, 3), label=label)
        yield tools


def run(tools: Tools, kind: JobKind, *greys: int, label: str = "cat") -> str:
    pictures = [encode(Image.new("L", (8, 8), grey)) for grey in greys]
    job = submit(tools.store, kind, *pictures, label=label)
    while run_pipeline(tools, DEFAULT):
        pass
    return job


def results(local: httpx.Client, job: str, **query: Any) -> list[dict[str, Any]]:
    return local.get(f"/v1/jobs/{job}/results", params=query).json()["items"]


def change(local: httpx.Client, **rule: Any) -> dict[str, Any]:
    answer = local.patch("/v1/collections/things", json={"rule": rule})
    assert answer.status_code == 200, answer.text
    return answer.json()["rule"]


def test_budget_is_set_changed_and_taken_away(local: httpx.Client, tools: Tools) -> None:
    usual = local.get("/v1/collections/things").json()["rule"]
    assert "max_error" not in usual and "error_of" not in usual
    assert change(local, max_error=0.02) == {**usual, "max_error": 0.02, "error_of": "automatic"}
    assert change(local, error_of="all")["max_error"] == 0.02
    assert change(local, max_error=None) == usual
    for wrong in (0, 0.9, "much"):
        answer = local.patch("/v1/collections/things", json={"rule": {"max_error": wrong}})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


def test_several_labels_have_no_budget(local: httpx.Client) -> None:
    asked = {"name": "many", "labels": "many", "rule": {"max_error": 0.1}}
    answer = local.post("/v1/collections", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "rule_invalid")


def test_answers_say_whether_they_need_a_person(local: httpx.Client, tools: Tools) -> None:
    without = results(local, run(tools, JobKind.CLASSIFY, *ASKED))
    assert all("automatic" not in one for one in without)
    change(local, **BUDGET)
    job = run(tools, JobKind.CLASSIFY, *ASKED)
    found = results(local, job)
    assert [one["automatic"] for one in found] == [True, True, False, True, True]
    for name in ("decision", "label", "confidence"):
        assert [one[name] for one in found] == [one[name] for one in without]
    assert [one["item"] for one in results(local, job, automatic=True)] == [0, 1, 3, 4]
    assert [one["item"] for one in results(local, job, automatic=False, order="confidence")] == [2]
    text = local.get(f"/v1/jobs/{job}/results", headers={"Accept": "text/csv"}).text
    assert [row["automatic"] for row in csv.DictReader(io.StringIO(text))] == [
        "true", "true", "false", "true", "true"
    ]  # fmt: skip
    change(local, error_of="automatic")
    change(local, max_error=0.01)
    assert not any(one["automatic"] for one in results(local, run(tools, JobKind.CLASSIFY, *ASKED)))


def test_reviews_are_counted_against_the_budget(
    local: httpx.Client, tools: Tools, settings: Settings, store: Store
) -> None:
    assert store.reviews.automatic() == []
    change(local, **BUDGET)
    job = run(tools, JobKind.CLASSIFY, *ASKED)
    for item, body in ((0, {"accepted": True}), (1, {"label": "light"}), (2, {"label": "light"})):
        assert local.patch(f"/v1/jobs/{job}/items/{item}", json=body).status_code == 200
    [counted] = store.reviews.automatic()
    assert (counted.collection, counted.answers, counted.wrong) == ("things", 2, 1)
    local.patch(f"/v1/jobs/{job}/items/1", json={"label": None})  # none of the classes is wrong too
    assert store.reviews.automatic("things") == [counted]
    assert store.reviews.automatic("others") == []

    assert local.get("/v1/collections/things/report").status_code == 202
    while run_pipeline(tools, DEFAULT):
        pass
    budget = local.get("/v1/collections/things/report").json()["error_budget"]
    assert (budget["max_error"], budget["error_of"], budget["answers"]) == (0.2, "all", 20)
    assert budget["reviewed"]["answers"] == 2 and budget["reviewed"]["share"] == 0.5
    assert 0.5 < budget["reviewed"]["upper_bound"] < 1

    samples = {
        (sample.labels["collection"], sample.labels["outcome"]): sample.value
        for family in RecordMetrics(settings, store).collect()
        for sample in family.samples
        if sample.name == "exemplar_automatic_answers_reviewed"
    }
    assert samples == {("things", "right"): 1, ("things", "wrong"): 1}
    local.delete(f"/v1/jobs/{job}/items/1")
    assert store.reviews.automatic("things")[0].wrong == 0


def test_report_follows_the_budget(local: httpx.Client, tools: Tools) -> None:
    def report() -> dict[str, Any]:
        local.get("/v1/collections/things/report", headers={"Prefer": "wait=0"})
        while run_pipeline(tools, DEFAULT):
            pass
        return local.get("/v1/collections/things/report").json()

    assert report()["error_budget"] is None
    change(local, max_error=0.01)
    found = report()["error_budget"]
    assert (found["threshold"], found["to_people"], found["fewest"]) == (None, 1.0, 230)
    assert "230 right ones are needed" in found["note"]
    change(local, **BUDGET)
    assert report()["error_budget"]["threshold"] is not None
