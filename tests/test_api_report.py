"""The report over HTTP: in the running service, and before a worker has made it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import httpx
import pytest
from calls import ask, enroll
from enrolling import OWNER, claim, enroll_labels
from enrolling import enroll as enroll_in_record

from core.errors import ExemplarError
from core.jobs import Item, JobKind
from core.results import failed_result
from store.store import Store
from store.work.settlement import Settlement

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def reported(http: httpx.Client, recognising: str, digits: Digits) -> str:
    """Three digits of eight pictures, one of them with a wrong label and one in two classes."""
    for digit in (0, 1, 4):
        enroll(http, recognising, f"digit {digit}", *(digits(digit, n) for n in range(8)))
    enroll(http, recognising, "digit 1", digits(0, 20))
    enroll(http, recognising, "digit 4", digits(1, 0))
    enroll(http, recognising, "lonely", digits(7, 0))
    return recognising


def get(http: httpx.Client, collection: str, path: str = "", wait: str = "wait=60") -> httpx.Response:
    return http.get(f"/v1/collections/{collection}/report{path}", headers={"Prefer": wait})


def test_report_finds_what_is_wrong(http: httpx.Client, reported: str) -> None:
    answer = get(http, reported)
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=60"
    report = answer.json()
    version = http.get(f"/v1/collections/{reported}").json()["version"]
    assert (report["version"], report["supports"], report["judged"]) == (version, 27, 26)
    assert (report["rule"], report["rule_used"]) == ("auto", "kernel")
    assert report["accuracy"] > 0.8
    by_label = {line["label"]: line for line in report["classes"]}
    assert by_label["digit 0"]["judgement"] == "fair" and by_label["lonely"]["f1"] is None
    [conflict] = report["duplicates"]["items"]
    assert (conflict["labels"], conflict["conflict"]) == (["digit 1", "digit 4"], True)
    suspects = {one["support_id"]: one["looks_like"] for one in report["suspects"]["items"][:2]}
    supports = http.get(f"/v1/collections/{reported}/supports").json()["items"]
    assert suspects == {supports[24]["id"]: "digit 0", supports[25]["id"]: "digit 1"}
    assert (report["wanted"]["items"][0]["label"], report["wanted"]["items"][0]["more"]) == ("lonely", 7)
    assert sum(map(sum, report["confusion"]["counts"])) == report["judged"]


def test_matrix_is_drawn(http: httpx.Client, reported: str) -> None:
    answer = get(http, reported, "/confusion.svg")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    texts = [element.text for element in ElementTree.fromstring(answer.content).iter()]
    assert "digit 0 taken for digit 0: 8 of 8" in texts


def test_report_is_made_once_per_version(http: httpx.Client, collection: str, digits: Digits) -> None:
    def jobs() -> list[str]:
        found = http.get("/v1/jobs?limit=100").json()["items"]
        return [job["id"] for job in found if (job["collection"], job["kind"]) == (collection, "report")]

    enroll(http, collection, "zero", digits(0, 0), digits(0, 1))
    first = get(http, collection).json()
    assert get(http, collection).json() == first
    get(http, collection, "/confusion.svg")
    assert len(jobs()) == 1
    enroll(http, collection, "one", digits(1, 0))
    assert get(http, collection).json()["version"] == first["version"] + 1
    http.patch(f"/v1/collections/{collection}", json={"rule": {"name": "nearest"}})
    assert get(http, collection).json()["rule_used"] == "nearest"
    assert len(jobs()) == 3
    [result] = http.get(f"/v1/jobs/{jobs()[0]}/results").json()["items"]
    assert result["report"]["rule"] == "nearest"


@pytest.mark.parametrize("rule", ["kernel", "ridge", "prototype", "neighbours", "nearest"])
def test_every_rule_can_be_reported_on(http: httpx.Client, reported: str, rule: str) -> None:
    http.patch(f"/v1/collections/{reported}", json={"rule": {"name": rule}})
    report = get(http, reported).json()
    assert (report["rule_used"], report["judged"]) == (rule, 26)
    assert report["accuracy"] > 0.7


def test_empty_collection_has_an_empty_report(http: httpx.Client, collection: str) -> None:
    report = get(http, collection).json()
    assert (report["supports"], report["accuracy"], report["classes"]) == (0, None, [])
    assert report["notes"] == ["Nothing is enrolled yet."]
    assert "nothing to judge" in get(http, collection, "/confusion.svg").text


def test_one_class_and_one_picture_can_be_reported_on(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    assert get(http, collection).json()["accuracy"] is None
    enroll(http, collection, "zero", digits(0, 1))
    assert get(http, collection).json()["accuracy"] == 1.0


def test_report_leaves_answers_as_they_were(http: httpx.Client, reported: str, digits: Digits) -> None:
    before = ask(http, reported, digits(0, 30))[0]
    get(http, reported)
    after = ask(http, reported, digits(0, 30))[0]
    assert before["candidates"] == after["candidates"]


def test_collection_that_is_not_there_has_no_report(http: httpx.Client) -> None:
    answer = get(http, "nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")


def test_report_that_takes_longer_is_a_job(local: httpx.Client, things: Store) -> None:
    answer = get(local, "things", wait="wait=0")
    assert answer.status_code == 202
    job = answer.json()
    assert (job["kind"], job["lane"], job["state"]) == ("report", "interactive", "queued")
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["retry-after"] == "1"
    again = get(local, "things", "/confusion.svg", wait="wait=0")
    assert (again.status_code, again.json()["id"]) == (202, job["id"])


def test_failed_report_is_made_again(local: httpx.Client, things: Store) -> None:
    first = get(local, "things", wait="wait=0").json()["id"]
    [chunk] = claim(things)
    assert chunk.kind is JobKind.REPORT
    failed = failed_result(chunk.items[0], ExemplarError("work_failed", "the device is on fire"))
    things.chunks.settle(OWNER, [Settlement(chunk, [failed])])
    second = get(local, "things", wait="wait=0")
    assert second.status_code == 202 and second.json()["id"] != first
    things.control.cancel(second.json()["id"])
    assert get(local, "things", wait="wait=0").json()["id"] != second.json()["id"]


def test_failure_while_one_waits_is_a_problem(local: httpx.Client, things: Store) -> None:

    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(get, local, "things")
        chunks = []
        while not chunks:
            chunks = claim(things)
        error = ExemplarError("work_failed", "the device is on fire")
        things.chunks.settle(OWNER, [Settlement(chunks[0], [failed_result(chunks[0].items[0], error)])])
        problem = answer.result()
    assert (problem.status_code, problem.json()["code"]) == (503, "report_failed")
    assert "the device is on fire" in problem.json()["detail"] and problem.json()["retry"]


def test_report_of_a_rule_that_has_changed_meanwhile_is_made_again(
    local: httpx.Client, things: Store
) -> None:
    first = get(local, "things", wait="wait=0").json()["id"]
    [chunk] = claim(things)
    stale = {**EMPTY, "rule": "nearest", "rule_used": "nearest"}
    done = {"item": 0, "custom_id": None, "status": "done", "report": stale, "index_version": 0}
    things.chunks.settle(OWNER, [Settlement(chunk, [done])])
    assert get(local, "things", wait="wait=0").json()["id"] != first


def test_report_is_made_again_when_the_index_is_another(local: httpx.Client, things: Store) -> None:
    enroll_labels(things, "cat", "dog")
    first = get(local, "things", wait="wait=0").headers["Location"]
    assert get(local, "things", wait="wait=0").headers["Location"] == first
    assert (
        local.patch("/v1/collections/things", json={"index": {"name": "ivf", "probes": 8}}).status_code == 200
    )
    second = get(local, "things", wait="wait=0").headers["Location"]
    assert second != first
    local.patch("/v1/collections/things", json={"index": {"name": "flat"}})
    assert get(local, "things", wait="wait=0").headers["Location"] == first


def test_pictures_that_several_supports_show_are_known_to_the_record(things: Store) -> None:
    first, _, twin = enroll_labels(things, "a", "b", "c")
    [other] = enroll_in_record(things, Item(0, "0000", "d"))
    things.supports.delete("things", twin)
    found = things.supports.repeated_pictures(things.collections.get("things").id)
    assert found == {first: "0000", other["support_id"]: "0000"}


NOTHING = {"total": 0, "items": []}
EMPTY = {
    "version": 0,
    "rule": "auto",
    "metric": "cosine",
    "rule_used": "kernel",
    "supports": 0,
    "judged": 0,
    "examined": 0,
    "accuracy": None,
    "classes": [],
    "macro_avg": None,
    "weighted_avg": None,
    "confusion": {"labels": [], "counts": [], "complete": True, "errors": None},
    "confused_pairs": NOTHING,
    "too_small": NOTHING,
    "suspects": NOTHING,
    "duplicates": NOTHING,
    "near_duplicates": NOTHING,
    "wanted": NOTHING,
    "notes": [],
}
