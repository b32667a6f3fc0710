"""The audit log: what is done is in it, for good, on both databases."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from picture_files import encode
from PIL import Image
from tiny import DEFAULT
from working import ToyEncoder, tools_with

from api.app import create_app
from core.collections import Rule
from core.settings import Settings
from store.record import audit_log
from store.record.keys import Scope
from store.store import Store
from worker.pipeline import run_pipeline


class Owner:
    """An owner of everything, by key."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.store = store
        self.http = httpx.Client(
            transport=httpx.WSGITransport(app=create_app(settings, store, needs_key=True)),
            base_url="http://localhost",
        )
        self.key = store.keys.create("owner", [Scope.ADMIN])

    def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key or self.key}", "X-Request-Id": "asked", "Prefer": "wait=0"}
        answer = self.http.request(method, path, headers=headers | more.pop("headers", {}), **more)
        assert answer.is_success, (path, answer.text)
        return answer

    def said(self, **query: str) -> list[dict[str, Any]]:
        """Return the log as NDJSON says it."""
        answer = self.call("GET", "/v1/audit", params=query, headers={"Accept": "application/x-ndjson"})
        assert answer.headers["Content-Type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
def owner(settings: Settings, store: Store) -> Iterator[Owner]:
    owner = Owner(settings, store)
    yield owner
    owner.http.close()


def grey(level: int) -> dict[str, Any]:
    content = encode(Image.new("L", (8, 8), level))
    return {"content": content, "headers": {"Content-Type": "image/png"}}


def a_day(owner: Owner, settings: Settings) -> None:
    """Do one of everything that is logged, and delete the collection at the end."""
    store = owner.store
    owner.call("POST", "/v1/collections", json={"name": "animals"})
    with tools_with(settings, store, ToyEncoder()) as tools:
        owner.call("POST", "/v1/collections/animals/enroll?label=dark", **grey(40))
        owner.call("POST", "/v1/collections/animals/enroll?label=light", **grey(200))
        run_pipeline(tools, DEFAULT)
        job = owner.call("POST", "/v1/collections/animals/classify", **grey(41)).json()["id"]
        run_pipeline(tools, DEFAULT)
    owner.call("PATCH", f"/v1/jobs/{job}/items/0", json={"accepted": True})
    owner.call("DELETE", f"/v1/jobs/{job}/items/0")
    owner.call("PATCH", "/v1/collections/animals", json={"rule": {"certainty": 0.4}})
    owner.call("PATCH", "/v1/collections/animals/classes/dark", json={"label": "black"})
    owner.call("PUT", "/v1/collections/animals/versions/1/name", json={"name": "first"})
    owner.call("GET", "/v1/collections/animals/export")
    owner.call("POST", "/v1/collections/animals/erase", json={"external_id": "nobody"})
    owner.call("PATCH", "/v1/collections/animals", json={"name": "beasts"})
    made = owner.call("POST", "/v1/keys", json={"name": "camera", "scopes": ["classify"]}).json()
    owner.call("DELETE", f"/v1/keys/{made['id']}")
    owner.call("DELETE", "/v1/collections/beasts")


KINDS = [
    "key_created",
    "collection_created",
    "enrolled",
    "enrolled",
    "reviewed",
    "review_undone",
    "rule_changed",
    "class_renamed",
    "version_named",
    "exported",
    "erasure_requested",
    "collection_renamed",
    "key_created",
    "key_revoked",
    "collection_deleted",
]


def test_everything_done_is_logged_and_outlives_its_collection(owner: Owner, settings: Settings) -> None:
    a_day(owner, settings)
    said = owner.said()
    assert [entry["kind"] for entry in said] == KINDS
    assert {entry["request_id"] for entry in said[1:]} == {"asked"}
    assert {(entry["actor"], entry["actor_name"]) for entry in said[1:]} == {
        (owner.key.split("_")[1], "owner")
    }
    assert (said[0]["actor"], said[0]["actor_name"]) == (None, "operator")
    enrolled = said[2]
    assert (enrolled["from_version"], enrolled["version"]) == (0, 1)
    assert enrolled["job_id"] is not None
    assert [entry["collection"] for entry in said[-5:]] == ["animals", "beasts", None, None, "beasts"]


def test_pages_and_selections_are_parts_of_the_whole(
    owner: Owner, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log, "AT_ONCE", 4)
    a_day(owner, settings)
    whole = owner.said()
    found, query = [], {"limit": "4"}
    while True:
        page = owner.call("GET", "/v1/audit", params=query).json()
        found += page["items"]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == whole
    assert owner.said(collection="beasts") == [one for one in whole if one["collection"] == "beasts"]
    middle = whole[6]["at"]
    assert owner.said(since=middle) == [one for one in whole if one["at"] >= middle]
    assert owner.said(until=middle) == [one for one in whole if one["at"] < middle]
    assert owner.said(since=datetime.fromtimestamp(time.time() + 60, UTC).isoformat()) == []


def test_admins_of_some_collections_see_these_alone(owner: Owner, settings: Settings) -> None:
    a_day(owner, settings)
    owner.store.collections.create("others", DEFAULT, Rule())
    key = owner.store.keys.create("tenant", [Scope.ADMIN], collections=["others"])
    page = owner.call("GET", "/v1/audit", key=key).json()["items"]
    assert [(entry["kind"], entry["collection"]) for entry in page] == [("collection_created", "others")]
    headers = {"Authorization": f"Bearer {key}"}
    answer = owner.http.get("/v1/audit", params={"collection": "animals"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "collection_not_found")


def test_log_cannot_be_changed(owner: Owner) -> None:
    headers = {"Authorization": f"Bearer {owner.key}"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert owner.http.request(method, "/v1/audit", headers=headers).status_code == 405
