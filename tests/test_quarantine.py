"""Contributors: what they enrol waits until its owner accepts it, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from picture_files import encode
from PIL import Image
from tiny import DEFAULT
from working import ToyEncoder, tools_with

from api.app import create_app
from core.collections import Labels, Rule
from core.settings import Settings
from store.blobs import PICTURES, THUMBNAILS, digest_of
from store.checks.blobs import examine_blobs
from store.record.keys import Scope
from store.store import Store
from worker.pipeline import run_pipeline
from worker.tools import Tools

HERE = "/v1/collections/things/quarantine"


class Callers:
    """An owner and two contributors of one service."""

    def __init__(self, settings: Settings, tools: Tools) -> None:
        self.tools, store = tools, tools.store
        self.http = httpx.Client(
            transport=httpx.WSGITransport(app=create_app(settings, store, needs_key=True)),
            base_url="http://localhost",
        )
        scopes = {"owner": [Scope.ADMIN], "ann": [Scope.CONTRIBUTE], "ben": [Scope.CONTRIBUTE]}
        self.keys = {name: store.keys.create(name, some) for name, some in scopes.items()}

    def call(self, who: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[who]}", "Prefer": "wait=0", **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)

    def enrol(self, who: str, label: str, *greys: int) -> str:
        """Enrol pictures and return the job."""
        files = [("image", (f"{grey}.png", picture(grey), "image/png")) for grey in greys]
        answer = self.call(who, "POST", "/v1/collections/things/enroll", files=files, data={"label": label})
        assert answer.status_code == 202, answer.text
        self.work()
        return str(answer.json()["id"])

    def work(self) -> None:
        while run_pipeline(self.tools, DEFAULT):
            pass

    def waiting(self, who: str, **query: str) -> list[dict[str, Any]]:
        """Return what waits, as somebody sees it."""
        answer = self.call(who, "GET", HERE, params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    def decide(self, how: str, who: str = "owner", **body: Any) -> dict[str, Any]:
        """Accept or refuse."""
        answer = self.call(who, "POST", f"{HERE}/{how}", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def effect(self, **query: str) -> dict[str, Any]:
        """Return the effect of what waits."""
        assert self.call("owner", "GET", f"{HERE}/effect", params=query).status_code == 202
        self.work()
        answer = self.call("owner", "GET", f"{HERE}/effect", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def picture(grey: int) -> bytes:
    return encode(Image.new("L", (8, 8), grey))


@pytest.fixture
def callers(settings: Settings, store: Store) -> Iterator[Callers]:
    store.collections.create("things", DEFAULT, Rule())
    with tools_with(settings, store, ToyEncoder()) as tools:
        callers = Callers(settings, tools)
        callers.enrol("owner", "dark", 40, 45, 50, 55)
        callers.enrol("owner", "light", 200, 205, 210, 215)
        yield callers


def labels_of(callers: Callers) -> list[str | None]:
    return [one.label for one in callers.tools.store.supports.page("things")]


def test_what_a_contributor_enrols_no_answer_sees(callers: Callers) -> None:
    before = callers.tools.store.collections.get("things")
    job = callers.enrol("ann", "middling", 120, 125)
    assert callers.tools.store.collections.get("things") == before
    [first, second] = callers.tools.store.jobs.results(job).results
    assert (first["label"], first["status"], "support_id" in first) == ("middling", "done", False)
    assert [one["id"] for one in callers.waiting("owner")] == [
        first["quarantine_id"], second["quarantine_id"]
    ]  # fmt: skip
    shown = callers.waiting("owner")[0]
    assert (shown["state"], shown["label"], shown["key_name"]) == ("waiting", "middling", "ann")
    assert "too_small" in {finding["code"] for finding in shown["findings"]}
    assert [one["code"] for one in shown["findings"]] == [one["code"] for one in first["findings"]]
    assert callers.call("owner", "GET", shown["thumbnail"]).headers["Content-Type"] == "image/jpeg"
    assert list(examine_blobs(callers.tools.store)) == []


def test_accepted_ones_are_supports_by_one_change(callers: Callers) -> None:
    callers.enrol("ann", "middling", 120, 125, 130)
    ids = [one["id"] for one in callers.waiting("owner")]
    made = callers.decide("accept", ids=ids[:2])
    assert (made["decided"], made["waiting"], len(made["support_ids"])) == (2, 0, 2)
    assert labels_of(callers).count("middling") == 2
    assert [one["id"] for one in callers.waiting("owner")] == ids[2:]
    mine = callers.waiting("ann", state="all")
    assert [one["state"] for one in mine] == ["accepted", "accepted", "waiting"]
    assert [one["support_id"] for one in mine] == [*made["support_ids"], None]
    assert callers.decide("accept")["decided"] == 1
    assert callers.decide("accept") == {"decided": 0, "waiting": 0, "support_ids": []}


def test_refused_ones_are_gone_with_their_pictures(callers: Callers) -> None:
    callers.enrol("ann", "middling", 120)
    callers.enrol("ben", "dark", 40, 130)
    store = callers.tools.store
    assert callers.decide("refuse")["decided"] == 3
    assert callers.waiting("owner") == []
    [mine] = callers.waiting("ann", state="all")
    assert (mine["state"], mine["thumbnail"], mine["decided_by"] is None) == ("refused", None, False)
    left = {file.name for folder in (PICTURES, THUMBNAILS) for file in store.blobs.files(folder)}
    assert digest_of(picture(120)) not in left and digest_of(picture(130)) not in left
    assert digest_of(picture(40)) in left, "a support has it"
    assert list(examine_blobs(store)) == []


def test_selections_by_key_and_label(callers: Callers) -> None:
    callers.enrol("ann", "middling", 120, 125)
    callers.enrol("ann", "dark", 60)
    callers.enrol("ben", "middling", 130)
    key = callers.keys["ann"].split("_")[1]
    assert len(callers.waiting("owner", key=key)) == 3
    assert len(callers.waiting("owner", label="middling")) == 3
    assert callers.decide("refuse", key=key, label="middling")["decided"] == 2
    assert {(one["key_name"], one["label"]) for one in callers.waiting("owner")} == {
        ("ann", "dark"), ("ben", "middling")
    }  # fmt: skip


def test_contributors_see_their_own_alone_and_decide_nothing(callers: Callers) -> None:
    callers.enrol("ann", "middling", 120)
    callers.enrol("ben", "middling", 130)
    [mine], [other] = callers.waiting("ann"), callers.waiting("ben")
    assert mine["key_name"] == "ann"
    assert callers.call("ann", "GET", other["thumbnail"]).status_code == 404
    assert callers.call("ann", "GET", HERE, params={"key": other["key"]}).status_code == 403
    for path in ("accept", "refuse"):
        assert callers.call("ann", "POST", f"{HERE}/{path}", json={}).status_code == 403
    for method, path in (("GET", f"{HERE}/effect"), ("GET", "/v1/collections/things/supports")):
        assert callers.call("ann", method, path).status_code == 403
    assert labels_of(callers).count("middling") == 0


def test_contributors_follow_their_own_jobs_also_of_archives(callers: Callers) -> None:
    job = f"/v1/jobs/{callers.enrol('ann', 'middling', 120)}"
    for path in ("", "/results", "/summary"):
        assert callers.call("ann", "GET", job + path).status_code == 200
        other = callers.call("ben", "GET", job + path)
        assert (other.status_code, other.json()["code"]) == (404, "job_not_found")
    manifest = json.dumps({"url": "https://a.b/c.png", "label": "x"})
    headers = {"Content-Type": "application/x-ndjson"}
    bulk = "/v1/collections/things/bulk?kind="
    sent = callers.call("ann", "POST", f"{bulk}enroll&dry_run=true", content=manifest, headers=headers)
    assert sent.status_code == 200, sent.text
    asked = callers.call("ann", "POST", f"{bulk}classify&dry_run=true", content=manifest, headers=headers)
    assert (asked.status_code, asked.json()["code"]) == (403, "key_scope_missing")
    assert callers.call("ann", "POST", f"{job}/cancel").status_code == 403


def test_same_picture_waits_once(callers: Callers) -> None:
    callers.enrol("ann", "middling", 120)
    callers.enrol("ann", "middling", 120)
    callers.enrol("ann", "other", 120)
    assert [one["label"] for one in callers.waiting("owner")] == ["middling", "other"]


def test_full_quarantine_takes_nothing_more(settings: Settings, callers: Callers) -> None:
    callers.enrol("ann", "middling", 120, 125)
    small = settings.model_copy(update={"quarantine_max_items": 2})
    app = create_app(small, callers.tools.store, needs_key=True)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as http:
        answers = {
            who: http.post(
                "/v1/collections/things/enroll?label=middling",
                content=picture(130),
                headers={"Authorization": f"Bearer {callers.keys[who]}", "Content-Type": "image/png"},
            )
            for who in ("ann", "owner")
        }
    assert (answers["ann"].status_code, answers["ann"].json()["code"]) == (409, "quarantine_full")
    assert answers["owner"].status_code == 202


def test_effect_tells_good_from_poisoned(callers: Callers) -> None:
    callers.enrol("ann", "dark", 42, 47, 52)
    callers.enrol("ben", "light", *range(41, 56, 2))
    good = callers.effect(key=callers.keys["ann"].split("_")[1])
    bad = callers.effect(key=callers.keys["ben"].split("_")[1])
    assert (good["added"], bad["added"]) == (3, 8)
    assert (good["judged"], good["before"], good["after"]) == (8, 1.0, 1.0)
    assert good["suspects"]["items"] == []
    assert bad["added_accuracy"] < 1.0
    assert {(one["label"], one["looks_like"]) for one in bad["suspects"]["items"]} == {("light", "dark")}
    callers.decide("refuse", key=callers.keys["ben"].split("_")[1])
    assert callers.effect()["added"] == 3, "what was decided meanwhile counts"


def test_label_sets_are_contributed(settings: Settings, store: Store) -> None:
    store.collections.create("things", DEFAULT, Rule(), labels=Labels.MANY)
    with tools_with(settings, store, ToyEncoder()) as tools:
        callers = Callers(settings, tools)
        files = [("image", ("a.png", picture(40), "image/png"))]
        answer = callers.call(
            "ann", "POST", "/v1/collections/things/enroll", files=files, data={"label": ["a", "b"]}
        )
        assert answer.status_code == 202, answer.text
        callers.work()
        [one] = callers.waiting("owner")
        assert (one["label"], one["labels"]) == (None, ["a", "b"])
        callers.decide("accept")
        [support] = store.supports.page("things")
        assert support.labels is not None and set(support.labels.labels) == {"a", "b"}


def test_decisions_are_in_the_audit_log(callers: Callers) -> None:
    callers.enrol("ann", "middling", 120, 125)
    [first, _] = callers.waiting("owner")
    callers.decide("accept", ids=[first["id"]])
    callers.decide("refuse")
    lines = callers.call(
        "owner", "GET", "/v1/audit", headers={"Accept": "application/x-ndjson"}
    ).text.splitlines()
    said = [entry for entry in map(json.loads, lines) if entry["kind"].startswith("quarantine")]
    assert [entry["kind"] for entry in said] == ["quarantine_accepted", "quarantine_refused"]
    assert [entry["actor_name"] for entry in said] == ["owner", "owner"]
