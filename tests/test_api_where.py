"""Filters by metadata, changes of metadata and searches by text over HTTP, without a worker."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from archives import make_zip
from calls import files
from enrolling import claim, enroll
from tiny import DEFAULT

from core.collections import Index, IndexName, Rule
from core.jobs import Item, JobKind
from core.settings import Settings
from store.store import Store

CLIP = "open_clip:ViT-B-32/laion2b_s34b_b79k"
SUPPORTS = "/v1/collections/things/supports"
NORTH = json.dumps({"site": "north"})


@pytest.fixture(autouse=True)
def supports(things: Store) -> list[int]:
    items = [Item(n, f"p{n}", "cat", metadata={"site": site}) for n, site in enumerate(("north", "south"))]
    return [result["support_id"] for result in enroll(things, *items)]


def test_supports_are_listed_by_metadata(local: httpx.Client, supports: list[int]) -> None:
    found = local.get(SUPPORTS, params={"where": NORTH, "label": "cat"}).json()
    assert [one["id"] for one in found["items"]] == supports[:1]
    assert local.get(SUPPORTS, params={"where": NORTH, "label": "dog"}).json()["items"] == []


@pytest.mark.parametrize("call", ["classify", "search"])
def test_filter_goes_with_the_job(local: httpx.Client, store: Store, call: str) -> None:
    path = f"/v1/collections/things/{call}"
    answer = local.post(path, params={"where": '{"site": ["north", "south"]}'}, files=files(b"p"))
    assert answer.status_code == 202, answer.text
    [chunk] = claim(store)
    assert chunk.where == {"site": ["north", "south"]}


def test_bulk_jobs_are_filtered_if_they_decide(local: httpx.Client, store: Store) -> None:
    path, body = "/v1/collections/things/bulk", make_zip({"cat/1.jpg": b"one"})
    asked: dict[str, Any] = {"content": body, "headers": {"Content-Type": "application/zip"}}
    answer = local.post(path, params={"kind": "classify", "where": NORTH}, **asked)
    assert answer.status_code == 202, answer.text
    assert store.jobs.get(answer.json()["id"]).where == {"site": ["north"]}
    answer = local.post(path, params={"kind": "enroll", "where": NORTH}, **asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "where_invalid")


@pytest.mark.parametrize("where", ["", "north", "[]", '{"site": null}'])
def test_what_is_no_filter_is_refused(local: httpx.Client, where: str) -> None:
    answers = [
        local.get(SUPPORTS, params={"where": where}),
        local.post("/v1/collections/things/classify", params={"where": where}, files=files(b"p")),
    ]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(422, "where_invalid")] * 2


def test_milvus_cannot_filter(local: httpx.Client, store: Store) -> None:
    store.collections.create("far", DEFAULT, Rule(), index=Index(IndexName.MILVUS))
    answer = local.post("/v1/collections/far/classify", params={"where": NORTH}, files=files(b"p"))
    assert (answer.status_code, answer.json()["code"]) == (422, "where_invalid")
    assert "milvus" in answer.json()["detail"]


def test_key_of_another_filter_is_another_request(local: httpx.Client) -> None:
    def post(**query: str) -> int:
        path, headers = "/v1/collections/things/classify", {"Idempotency-Key": "k"}
        return local.post(path, params=query, files=files(b"p"), headers=headers).status_code

    assert [post(), post(), post(where=NORTH)] == [202, 202, 422]


def test_metadata_and_external_id_are_changed(local: httpx.Client, supports: list[int]) -> None:
    path = f"{SUPPORTS}/{supports[0]}"
    changed = local.patch(path, json={"metadata": {"site": None, "year": 2026}, "external_id": "x"}).json()
    assert (changed["metadata"], changed["external_id"]) == ({"year": 2026}, "x")
    assert local.patch(path, json={"external_id": None}).json()["external_id"] is None
    assert local.get(path).json()["metadata"] == {"year": 2026}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "request_invalid"),
        ({"metadata": None}, "request_invalid"),
        ({"metadata": {"a": 1}, "label": "dog"}, "request_invalid"),
        ({"external_id": "\n"}, "request_invalid"),
        ({"external_id": "x" * 257}, "request_invalid"),
        ({"metadata": {"a": "x" * 5000}}, "item_invalid"),
    ],
)
def test_change_that_is_none_or_too_large_is_refused(
    local: httpx.Client, supports: list[int], body: dict[str, Any], code: str
) -> None:
    answer = local.patch(f"{SUPPORTS}/{supports[0]}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.fixture
def reading(store: Store, settings: Settings) -> str:
    """A collection whose encoder has a text side."""
    store.collections.create("reading", CLIP, Rule())
    return "reading"


@pytest.mark.parametrize(
    "body", [{"text": "a red car"}, {"items": [{"text": "a red car", "custom_id": "q"}]}]
)
def test_text_is_an_item_of_a_search(
    local: httpx.Client, store: Store, reading: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.submit.check_offered", lambda _: None)
    answer = local.post("/v1/collections/reading/search", json=body)
    assert answer.status_code == 202, answer.text
    [chunk] = store.chunks.claim("w:1", CLIP, ["interactive"], 4)
    assert (chunk.kind, chunk.items[0].text) == (JobKind.SEARCH, "a red car")


def test_text_is_only_for_searches_of_encoders_that_read(local: httpx.Client) -> None:
    answer = local.post("/v1/collections/things/search", json={"text": "a red car"})
    assert (answer.status_code, answer.json()["code"]) == (422, "text_side_missing")
    answer = local.post("/v1/collections/things/classify", json={"text": "a red car"})
    assert (answer.status_code, answer.json()["code"]) == (400, "body_unreadable")
    both = {"text": "x", "image": {"base64": "eA=="}}
    answer = local.post("/v1/collections/things/search", json={"items": [both]})
    assert (answer.status_code, answer.json()["code"]) == (422, "item_invalid")
