"""Invalid requests: each gets a problem object with a stable code."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tiny import DEFAULT

from core.collections import Rule
from store.store import Store

WRONG_PATHS = [
    ("GET", "/nothing", 404, "path_not_found"),
    ("GET", "/v1/nothing", 404, "path_not_found"),
    ("GET", "//v1//collections", 404, "path_not_found"),
    ("DELETE", "/v1/collections", 405, "method_not_allowed"),
    ("BREW", "/v1/collections", 405, "method_not_allowed"),
    ("GET", "/v1/collections/nothing", 404, "collection_not_found"),
    ("GET", "/v1/collections/a%00b", 422, "request_invalid"),
    ("GET", "/v1/collections/..%2f..%2fetc", 404, "path_not_found"),
    ("GET", "/v1/jobs/nothing", 404, "job_not_found"),
    ("POST", "/v1/jobs/nothing/cancel", 404, "job_not_found"),
    ("GET", "/v1/jobs/nothing/results", 404, "job_not_found"),
    ("GET", "/v1/jobs/%00", 422, "request_invalid"),
    ("GET", "/v1/collections?surprise=1", 422, "request_invalid"),
    ("GET", "/v1/collections/things?surprise=1", 422, "request_invalid"),
    ("GET", "/v1/collections?limit=0", 422, "request_invalid"),
    ("GET", "/v1/collections?limit=1001", 422, "request_invalid"),
    ("GET", "/v1/collections?limit=ten", 422, "request_invalid"),
    ("GET", "/v1/collections?limit=1&limit=2", 422, "request_invalid"),
    ("GET", "/v1/collections?cursor=!", 400, "cursor_invalid"),
    ("GET", "/v1/collections?cursor=YWJj", 400, "cursor_invalid"),
    ("GET", "/v1/collections?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5", 400, "cursor_invalid"),
    ("GET", "/v1/collections?cursor=%00", 422, "request_invalid"),
    ("GET", "/v1/jobs?cursor=AAAA", 400, "cursor_invalid"),
    ("GET", "/v1/jobs?cursor=!!!!", 400, "cursor_invalid"),
    ("GET", "/v1/collections/things/supports/1", 404, "support_not_found"),
    ("GET", "/v1/collections/things/supports/99999999999999999999999", 404, "path_not_found"),
    ("GET", "/v1/collections/things/supports/-1", 404, "path_not_found"),
    ("GET", "/v1/collections/things/supports/9223372036854775807", 404, "support_not_found"),
    ("DELETE", "/v1/collections/things/supports/1", 404, "support_not_found"),
    ("GET", "/v1/collections/things/supports/1/thumbnail", 404, "support_not_found"),
    ("GET", "/v1/collections/things/supports?label=%00", 422, "request_invalid"),
    ("GET", "/v1/collections/things/supports?label=", 422, "label_missing"),
    ("GET", "/v1/collections/things/classes/cat", 404, "class_not_found"),
    ("DELETE", "/v1/collections/things/classes/cat", 404, "class_not_found"),
    ("GET", "/v1/collections/things/classes/" + "x" * 129, 422, "label_too_long"),
]
SURROGATE = b'{"name": "a", "encoder": "\\ud800"}'

WRONG_JSON = [
    (b"", 400, "body_unreadable"),
    (b"{", 400, "body_unreadable"),
    (b"null", 400, "body_unreadable"),
    (b"\xff\xfe", 400, "body_unreadable"),
    (b'{"name": NaN}', 400, "body_unreadable"),
    (b'{"name": -Infinity}', 400, "body_unreadable"),
    (b"[" * 100_000, 400, "body_unreadable"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "body_unreadable"),
    (b"1" * 5_000, 400, "body_unreadable"),
    (SURROGATE, 400, "body_unreadable"),
    (b"[]", 422, "request_invalid"),
    (b'"text"', 422, "request_invalid"),
    (b"{}", 422, "request_invalid"),
    (b'{"name": 1}', 422, "request_invalid"),
    (b'{"name": "a", "surprise": 1}', 422, "request_invalid"),
    (b'{"name": "a", "rule": {"name": "guess"}}', 422, "request_invalid"),
    (b'{"name": "a", "rule": {"false_reject": 0.6}}', 422, "request_invalid"),
    (b'{"name": "a", "rule": {"certainty": -0.1}}', 422, "request_invalid"),
    (b'{"name": "a", "rule": {"coverage": 1}}', 422, "request_invalid"),
    (b'{"name": "a", "rule": {"coverage": "0.9"}}', 422, "request_invalid"),
    (b'{"name": "a", "rule": {"certainty": true}}', 422, "request_invalid"),
    (b'{"name": "a", "rule": {"threshold": 0.3}}', 422, "request_invalid"),
    (b'{"name": "a", "views": "many"}', 422, "request_invalid"),
    (b'{"name": "a", "prompts": 7}', 422, "request_invalid"),
    (b'{"name": "a", "prompts": "best8"}', 422, "prompts_invalid"),
    (b'{"name": "a", "prompts": []}', 422, "prompts_invalid"),
    (b'{"name": "a", "prompts": ["a photo"]}', 422, "prompts_invalid"),
    (b'{"name": "a", "prompts": ["{} and {}"]}', 422, "prompts_invalid"),
    (b'{"name": "a", "prompts": "best7"}', 422, "text_side_missing"),
    (b'{"name": "a", "encoder": "timm:nothing"}', 422, "encoder_not_offered"),
    (b'{"name": "Not A Slug"}', 422, "name_invalid"),
    (b'{"name": "a\\u0000"}', 422, "name_invalid"),
    (b'{"name": "\\ud83d\\ude00"}', 422, "name_invalid"),
    (b'{"name": "things"}', 409, "collection_exists"),
]
WRONG_CHANGES: list[tuple[str, str, Any, str]] = [
    ("PATCH", "/v1/collections/things", {}, "request_invalid"),
    ("PATCH", "/v1/collections/things", {"encoder": DEFAULT}, "collection_fixed"),
    ("PATCH", "/v1/collections/things", {"rule": {}, "views": "flip"}, "collection_fixed"),
    ("PATCH", "/v1/collections/things", {"prompts": None}, "collection_fixed"),
    ("PATCH", "/v1/collections/things", {"name": "My Things"}, "name_invalid"),
    ("PATCH", "/v1/collections/things", {"name": ""}, "name_invalid"),
    ("PATCH", "/v1/collections/things", {"rule": {"certainty": 2}}, "request_invalid"),
    ("PATCH", "/v1/collections/things", {"rule": {"name": "guess"}}, "request_invalid"),
    ("PATCH", "/v1/collections/things", {"rule": "auto"}, "request_invalid"),
    ("PATCH", "/v1/collections/things", [], "request_invalid"),
    ("POST", "/v1/collections/things/classes", {}, "request_invalid"),
    ("POST", "/v1/collections/things/classes", {"label": " "}, "label_missing"),
    ("POST", "/v1/collections/things/classes", {"label": "a\nb"}, "label_invalid"),
    ("POST", "/v1/collections/things/classes", {"label": "a", "kind": "evil"}, "request_invalid"),
    ("PATCH", "/v1/collections/things/classes/cat", {"kind": "evil"}, "request_invalid"),
    ("PATCH", "/v1/collections/things/classes/cat", {"label": " "}, "label_missing"),
    ("PATCH", "/v1/collections/things/classes/cat", {"label": "a\nCRITICAL"}, "label_invalid"),
    ("POST", "/v1/collections/things/classes/cat/merge", {"from": []}, "request_invalid"),
    ("POST", "/v1/collections/things/classes/cat/merge", {"from": ["cat"]}, "merge_invalid"),
    ("POST", "/v1/collections/things/classes/cat/merge", {"from": ["x" * 200]}, "label_too_long"),
    ("PATCH", "/v1/collections/things/supports/1", {"label": ""}, "label_missing"),
]


@pytest.fixture
def things(store: Store, local: httpx.Client) -> httpx.Client:
    store.collections.create("things", DEFAULT, Rule())
    return local


JSON = {"Content-Type": "application/json"}


def code_of(response: httpx.Response) -> str:
    problem = response.json()
    assert problem["type"] == f"urn:exemplar:problem:{problem['code']}"
    return problem["code"]


def test_wrong_path_or_query_is_a_problem(things: httpx.Client) -> None:
    answers = [(method, path, things.request(method, path)) for method, path, _, _ in WRONG_PATHS]
    assert [(method, path, r.status_code, code_of(r)) for method, path, r in answers] == WRONG_PATHS


def test_wrong_json_is_a_problem(things: httpx.Client) -> None:
    answers = [
        (body, things.post("/v1/collections", content=body, headers=JSON)) for body, _, _ in WRONG_JSON
    ]
    assert [(body, r.status_code, code_of(r)) for body, r in answers] == WRONG_JSON


def test_wrong_change_is_a_problem(things: httpx.Client) -> None:
    answers = [(case[:3], things.request(*case[:2], json=case[2])) for case in WRONG_CHANGES]
    assert {r.status_code for _, r in answers} == {422}
    assert [(*case, code_of(r)) for case, r in answers] == WRONG_CHANGES


def test_problem_of_many_errors_stays_small(things: httpx.Client) -> None:
    response = things.post("/v1/collections/things/classes/cat/merge", json={"from": [1] * 50_000})
    assert response.status_code == 422
    assert len(response.content) < 5_000


def test_wrong_method_names_the_right_ones(local: httpx.Client) -> None:
    assert {"GET", "POST"} <= set(local.put("/v1/collections").headers["allow"].split(", "))


def test_every_answer_has_a_request_id(local: httpx.Client) -> None:
    ids = {local.get(path).headers["x-request-id"] for path in ("/healthz", "/nothing", "/v1/jobs")}
    assert len(ids) == 3


def test_service_without_its_record_is_not_ready(local: httpx.Client, store: Store) -> None:
    with store.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE tally")
        connection.exec_driver_sql("DROP TABLE chunk")
    response = local.get("/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["record"] != "ok"


def test_mistake_of_ours_is_500_without_details(
    local: httpx.Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("store.work.jobs.Jobs.with_versions", fail)
    local.event_hooks = {}
    response = local.get("/v1/jobs/x")
    assert (response.status_code, code_of(response)) == (500, "internal_error")
    assert "secret" not in response.text


def test_work_that_no_worker_would_do_is_refused(local: httpx.Client, store: Store) -> None:
    store.collections.create("left-over", "timm:resnet50", Rule())
    headers = {"Content-Type": "image/png"}
    answer = local.post("/v1/collections/left-over/classify", content=b"picture", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "encoder_not_offered")
    assert store.jobs.page() == []


def test_supports_of_a_class_that_is_not_there_are_none(things: httpx.Client) -> None:
    assert things.get("/v1/collections/things/supports?label=cat").json()["items"] == []
