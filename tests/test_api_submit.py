"""Submitting work to the running service: every form of every call, waiting, and idempotency."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest
from calls import WAIT, as_json, ask, codes, enroll, files
from tiny import DEFAULT, LITE0
from waiting import until

from api.app import create_app
from core.collections import Rule
from core.settings import Settings
from runtime import precedence
from runtime.precedence import Precedence
from store.store import Store

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


def test_classify_names_what_was_enrolled(http: httpx.Client, recognising: str, digits: Digits) -> None:
    for digit in (0, 1):
        enroll(http, recognising, f"digit {digit}", *(digits(digit, n) for n in range(5)))
    results = ask(http, recognising, digits(0, 30), digits(1, 30))
    assert [result["candidates"][0]["label"] for result in results] == ["digit 0", "digit 1"]
    assert results[0]["index_version"] == 10
    assert results[0]["encoder"] == LITE0
    assert set(results[0]["timing_ms"]) == {"decode", "embed", "search"}


def test_three_forms_of_classify_agree(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    path = f"/v1/collections/{collection}/classify"
    picture = digits(0, 1)
    answers = [
        http.post(path, files=files(picture), headers=WAIT),
        http.post(path, content=picture, headers={**WAIT, "Content-Type": "image/png"}),
        http.post(path, json=as_json(picture), headers=WAIT),
    ]
    found = [answer.json()["results"][0] for answer in answers]
    assert len({(one["label"], one["confidence"], one["neighbours"][0]["similarity"]) for one in found}) == 1


def test_three_forms_of_enroll_make_one_support(http: httpx.Client, collection: str, digits: Digits) -> None:
    path = f"/v1/collections/{collection}/enroll"
    picture = digits(0, 0)
    answers = [
        http.post(path, files=files(picture), data={"label": "zero"}, headers=WAIT),
        http.post(
            path, params={"label": "zero"}, content=picture, headers={**WAIT, "Content-Type": "image/png"}
        ),
        http.post(path, json=as_json(picture, label="zero"), headers=WAIT),
    ]
    results = [answer.json()["results"][0] for answer in answers]
    assert len({result["support_id"] for result in results}) == 1
    first = results[0]["support_id"]
    assert [result["duplicate_of"] for result in results] == [None, first, first]


def test_search_finds_neighbours_and_decides_nothing(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    [support] = enroll(http, collection, "zero", digits(0, 0))
    [result] = ask(http, collection, digits(0, 0), call="search")
    [neighbour] = result["neighbours"]
    assert neighbour["support_id"] == support["support_id"]
    assert neighbour["similarity"] == pytest.approx(1, abs=1e-3)
    assert "decision" not in result and "label" not in result
    assert http.get(neighbour["thumbnail"]).headers["content-type"] == "image/jpeg"


def test_top_limits_candidates_and_neighbours(http: httpx.Client, collection: str, digits: Digits) -> None:
    for digit in range(3):
        enroll(http, collection, str(digit), digits(digit, 0), digits(digit, 1))
    path = f"/v1/collections/{collection}/classify?top=2"
    [result] = http.post(path, files=files(digits(0, 5)), headers=WAIT).json()["results"]
    assert len(result["candidates"]) == len(result["neighbours"]) == 2


def test_submitting_answers_202_with_the_place_of_the_job(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    response = http.post(f"/v1/collections/{collection}/classify", files=files(digits(0, 0)))
    job = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == job["links"]["self"] == f"/v1/jobs/{job['id']}"
    assert int(response.headers["retry-after"]) >= 1
    assert http.get(response.headers["location"]).json()["id"] == job["id"]


def test_wait_that_is_over_answers_202(local: httpx.Client, digits: Digits) -> None:
    local.post("/v1/collections", json={"name": "things"})
    response = local.post(
        "/v1/collections/things/classify", files=files(digits(0, 0)), headers={"Prefer": "wait=1"}
    )
    assert (response.status_code, response.json()["state"]) == (202, "queued")
    assert "preference-applied" not in response.headers


def test_bulk_work_holds_still_while_a_caller_waits(
    local: httpx.Client, settings: Settings, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precedence, "MOST_S", 60.0)
    local.post("/v1/collections", json={"name": "things"})
    bulk = Precedence(settings.data)

    def held() -> bool:
        return bulk.left_s(time.monotonic()) > 0

    def submit(prefer: str) -> httpx.Response:
        path = "/v1/collections/things/classify"
        return local.post(path, files=files(digits(0, 0)), headers={"Prefer": prefer})

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(submit, "wait=2")
        until(lambda: held() or answer.done())
        assert not answer.done()
        assert answer.result().status_code == 202
    assert not held()


def test_met_preference_is_named(http: httpx.Client, collection: str, digits: Digits) -> None:
    response = http.post(f"/v1/collections/{collection}/classify", files=files(digits(0, 0)), headers=WAIT)
    assert (response.status_code, response.headers["preference-applied"]) == (200, "wait=60")


def test_custom_ids_and_metadata_come_back(http: httpx.Client, collection: str, digits: Digits) -> None:
    body = as_json(
        digits(0, 0), label="zero", custom_id="c=1", external_id="päth/x 1", metadata={"a": [1, None, "é"]}
    )
    response = http.post(f"/v1/collections/{collection}/enroll", json=body, headers=WAIT)
    [result] = response.json()["results"]
    support = http.get(f"/v1/collections/{collection}/supports/{result['support_id']}").json()
    assert result["custom_id"] == "c=1"
    assert (support["external_id"], support["metadata"]) == ("päth/x 1", {"a": [1, None, "é"]})


BAD_ITEMS = [
    ({}, "label_missing"),
    (1, "item_invalid"),
    ({"label": "a"}, "item_invalid"),
    ({"image": {"base64": "AA=="}}, "label_missing"),
    ({"label": "x" * 10_000, "image": {"base64": "AA=="}}, "label_too_long"),
    ({"label": "a\u202eb", "image": {"base64": "AA=="}}, "label_invalid"),
    ({"label": "a", "image": {}}, "picture_missing"),
    ({"label": "a", "image": {"base64": ""}}, "picture_empty"),
    ({"label": "a", "image": {"base64": "not base64!"}}, "item_invalid"),
    ({"label": "a", "image": {"base64": "é"}}, "item_invalid"),
    ({"label": "a", "image": {"url": "http://169.254.169.254/"}}, "url_fetch_off"),
    ({"label": "a", "image": {"url": "https://a.b/", "base64": "AA=="}}, "item_invalid"),
    ({"label": "a", "image": {"base64": "AA=="}, "=cmd()": 1}, "item_invalid"),
    ({"label": "a", "image": {"base64": "AA=="}, "custom_id": "a\x00b"}, "item_invalid"),
    ({"label": "a", "image": {"base64": "AA=="}, "external_id": "a\nb"}, "item_invalid"),
    ({"label": "a", "image": {"base64": "AA=="}, "metadata": {"a": "x" * 5000}}, "item_invalid"),
    ({"label": "a", "image": {"base64": "AA=="}, "metadata": {"a": [[[[[[[[[1]]]]]]]]]}}, "item_invalid"),
    ({"label": "a", "image": {"base64": "AA=="}, "metadata": []}, "item_invalid"),
]


def test_bad_item_fails_alone_with_its_own_code(http: httpx.Client, collection: str, digits: Digits) -> None:
    good = as_json(digits(0, 0), label="zero")["items"]
    body = {"items": [*good, *(item for item, _ in BAD_ITEMS), *good]}
    job = http.post(f"/v1/collections/{collection}/enroll", json=body, headers=WAIT).json()
    assert job["state"] == "partial"
    assert codes(job["results"]) == ["", *(code for _, code in BAD_ITEMS), ""]


def test_request_of_bad_items_alone_is_refused_at_once(local: httpx.Client) -> None:
    local.post("/v1/collections", json={"name": "things"})
    response = local.post("/v1/collections/things/enroll", json={"items": [BAD_ITEMS[3][0]]})
    assert (response.status_code, response.json()["code"]) == (422, "label_missing")
    assert local.get("/v1/jobs").json()["items"] == []


def test_number_too_large_for_json_is_refused(local: httpx.Client) -> None:
    local.post("/v1/collections", json={"name": "things"})
    body = b'{"items": [{"label": "a", "image": {"base64": "AA=="}, "metadata": {"a": 1e999}}]}'
    response = local.post(
        "/v1/collections/things/enroll", content=body, headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (422, "item_invalid")


WRONG_FORMS = [
    ({"files": files(b"x") * 300}, 413, "body_too_large"),
    ({"files": files(b"x"), "data": {"label": "x" * 2_000_000}}, 413, "body_too_large"),
    ({"files": files(b"x"), "data": {"label": "x" * 10_000}}, 422, "label_too_long"),
    ({"files": files(b"x")}, 422, "label_missing"),
    ({"files": files(b""), "data": {"label": "a"}}, 422, "picture_empty"),
    ({"files": [("photo", b"x")], "data": {"label": "a"}}, 422, "request_invalid"),
    ({"files": files(b"x"), "data": {"label": ["a", "b"]}}, 422, "request_invalid"),
    ({"files": files(b"x"), "data": {"label": "a", "lable": "b"}}, 422, "request_invalid"),
    ({"content": b"", "headers": {"Content-Type": "image/png"}}, 400, "body_empty"),
    ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "media_type_invalid"),
    ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "body_unreadable"),
    ({"json": {"items": []}}, 422, "picture_missing"),
    ({"json": {"items": {}}}, 400, "body_unreadable"),
    ({"json": {"items": [], "more": 1}}, 400, "body_unreadable"),
    ({"json": {"items": [{}] * 257}}, 413, "items_too_many"),
]


def test_wrong_form_of_submission_is_a_problem(http: httpx.Client, collection: str) -> None:
    path = f"/v1/collections/{collection}/enroll"
    answers = [http.post(path, **options) for options, _, _ in WRONG_FORMS]
    assert [(r.status_code, r.json()["code"]) for r in answers] == [case[1:] for case in WRONG_FORMS]


def test_unknown_collection_is_refused_before_the_body_is_read(http: httpx.Client) -> None:
    response = http.post("/v1/collections/nothing/classify", content=b"", headers=WAIT)
    assert (response.status_code, response.json()["code"]) == (404, "collection_not_found")


def test_version_that_is_not_there_yet_is_refused(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    path = f"/v1/collections/{collection}/classify"
    enroll(http, collection, "zero", digits(0, 0))
    ahead = http.post(path, params={"min_version": 2}, files=files(digits(0, 1)))
    there = http.post(path, params={"min_version": 1}, files=files(digits(0, 1)), headers=WAIT)
    assert (ahead.status_code, ahead.json()["code"]) == (409, "min_version_ahead")
    assert there.json()["results"][0]["index_version"] >= 1


def test_full_queue_is_429_with_retry_after(local: httpx.Client, digits: Digits) -> None:
    local.post("/v1/collections", json={"name": "things"})
    jobs = local._transport.app.extensions["exemplar"].store.jobs
    jobs._limits = replace(jobs._limits, max_queued_items=2)
    pictures = files(digits(0, 0), digits(0, 1))
    first = local.post("/v1/collections/things/classify", files=pictures)
    second = local.post("/v1/collections/things/classify", files=pictures)
    assert (first.status_code, second.status_code) == (202, 429)
    assert int(second.headers["retry-after"]) >= 1


def test_same_key_and_form_give_the_same_job_although_the_boundary_differs(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    path = f"/v1/collections/{collection}/enroll"
    answers = [
        http.post(
            path, data={"label": "zero"}, files=files(digits(0, 0)), headers={"Idempotency-Key": collection}
        )
        for _ in range(2)
    ]
    boundaries = {answer.request.headers["content-type"] for answer in answers}
    assert len(boundaries) == 2
    assert len({answer.json()["id"] for answer in answers}) == 1


def test_same_key_for_another_request_is_refused(http: httpx.Client, collection: str, digits: Digits) -> None:
    path = f"/v1/collections/{collection}/classify"
    key = {"Idempotency-Key": collection}
    http.post(path, files=files(digits(0, 0)), headers=key)
    for options in ({"files": files(digits(0, 1))}, {"files": files(digits(0, 0)), "params": {"top": 7}}):
        response = http.post(path, headers=key, **options)
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_conflict")


def test_twenty_requests_at_once_with_one_key_are_one_job(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    path = f"/v1/collections/{collection}/enroll"
    picture = digits(0, 0)

    def submit(_: int) -> httpx.Response:
        return http.post(
            path,
            data={"label": "zero"},
            files=files(picture),
            headers={**WAIT, "Idempotency-Key": collection},
        )

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(submit, range(20)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert http.get(f"/v1/collections/{collection}").json()["version"] == 1


@pytest.mark.parametrize("named", [b'; name="image"; filename="1.png"', b'; name="label"', b""])
def test_part_without_a_name_is_refused(local: httpx.Client, named: bytes) -> None:
    local.post("/v1/collections", json={"name": "things"})
    part = b"--b\r\nContent-Disposition: form-data%s\r\n\r\nx\r\n"
    body = part % named + part % b"" + part % b'; filename="x"' + b"--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = local.post("/v1/collections/things/classify", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


def test_items_are_counted_before_they_are_looked_at(local: httpx.Client) -> None:
    local.post("/v1/collections", json={"name": "things"})
    answer = local.post("/v1/collections/things/enroll", json={"items": [0] * 100_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "items_too_many")


def test_two_urls_under_one_idempotency_key_are_a_conflict(settings: Settings, store: Store) -> None:
    allowed = settings.model_copy(update={"fetch_hosts": ("*",)})
    store.collections.create("things", DEFAULT, Rule())
    app = create_app(allowed, store, needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        answers = [
            client.post(
                "/v1/collections/things/classify",
                json={"items": [{"image": {"url": url}}]},
                headers={"Idempotency-Key": "k"},
            )
            for url in (
                "https://a.example/1",
                "https://a.example/1",
                "https://a.example/2",
                "https://10.0.0.1/",
            )
        ]
    assert [answer.status_code for answer in answers] == [202, 202, 422, 422]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert [answer.json()["code"] for answer in answers[2:]] == ["idempotency_conflict", "url_refused"]
