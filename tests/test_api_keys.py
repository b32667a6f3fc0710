"""Keys and scopes, and the refusal to listen beyond loopback without keys."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from enrolling import ask, submit
from tiny import DEFAULT
from waiting import until

from api.app import create_app
from core.collections import Rule
from core.jobs import Item, JobState
from core.settings import Settings
from runtime.ports import free_port
from store.migrate import ensure_schema
from store.record.keys import Scope
from store.store import Store, open_store


@pytest.fixture
def things(store: Store, local: httpx.Client) -> httpx.Client:
    store.collections.create("things", DEFAULT, Rule())
    return local


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("code", "")


def test_loopback_needs_no_key_as_long_as_there_is_none(things: httpx.Client, store: Store) -> None:
    assert things.get("/v1/collections").status_code == 200
    store.keys.create("first", [Scope.ADMIN])
    response = things.get("/v1/collections")
    assert outcome(response) == (401, "key_missing")
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_world_needs_a_key_even_where_there_is_none(settings: Settings, store: Store) -> None:
    app = create_app(settings, store, needs_key=True)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        assert outcome(client.get("/v1/collections")) == (401, "key_missing")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic abc", "Bearer x", "Bearer ex_a_b", "Bearer ex__", "Bearer _"],
)
def test_key_that_is_none_is_refused(things: httpx.Client, store: Store, header: str) -> None:
    store.keys.create("first", [Scope.ADMIN])
    response = things.get("/v1/collections", headers={"Authorization": header})
    assert response.status_code == 401


def test_key_with_another_secret_is_unknown(things: httpx.Client, store: Store) -> None:
    key = store.keys.create("first", [Scope.ADMIN])
    assert outcome(things.get("/v1/collections", headers=bearer(key + "x"))) == (401, "key_unknown")


def test_revoked_key_is_refused_at_once(things: httpx.Client, store: Store) -> None:
    store.keys.create("other", [Scope.ADMIN])
    key = store.keys.create("first", [Scope.ADMIN])
    assert things.get("/v1/collections", headers=bearer(key)).status_code == 200
    store.keys.revoke(key.split("_")[1])
    assert outcome(things.get("/v1/collections", headers=bearer(key))) == (401, "key_unknown")


def test_key_allows_what_its_scope_says(things: httpx.Client, store: Store) -> None:
    reader = bearer(store.keys.create("reader", [Scope.CLASSIFY]))
    writer = bearer(store.keys.create("writer", [Scope.ENROLL]))
    admin = bearer(store.keys.create("admin", [Scope.ADMIN]))
    calls = {
        "read": ("GET", "/v1/collections/things"),
        "write": ("DELETE", "/v1/collections/things/classes/cat"),
        "rule": ("DELETE", "/v1/collections/nothing"),
    }
    allowed = {
        (who, what): things.request(*call, headers=headers).status_code != 403
        for who, headers in {"reader": reader, "writer": writer, "admin": admin}.items()
        for what, call in calls.items()
    }
    assert {pair for pair, yes in allowed.items() if yes} == {
        ("reader", "read"),
        ("writer", "write"),
        ("admin", "read"),
        ("admin", "write"),
        ("admin", "rule"),
    }


@pytest.mark.parametrize("how", ["cancel", "pause", "resume", "retry"])
def test_key_that_may_only_ask_does_not_control_enrolment(
    things: httpx.Client, store: Store, how: str
) -> None:
    asks = bearer(store.keys.create("asks", [Scope.CLASSIFY]))
    both = bearer(store.keys.create("both", [Scope.CLASSIFY, Scope.ENROLL]))
    enrols, asked = submit(store, Item(0, "aa", "cat")), ask(store, 1)

    def post(job: str, headers: dict[str, str]) -> tuple[int, str]:
        return outcome(things.post(f"/v1/jobs/{job}/{how}", headers=headers))

    allowed = (409, "job_state_invalid") if how == "retry" else (200, "")
    assert post(enrols, asks) == (403, "key_scope_missing")
    assert store.jobs.get(enrols).state is JobState.QUEUED
    assert (post(enrols, both), post(asked, asks)) == (allowed, allowed)
    assert post("nothing", asks) == (404, "job_not_found")


def test_health_needs_no_key(things: httpx.Client, store: Store) -> None:
    store.keys.create("first", [Scope.ADMIN])
    assert things.get("/healthz").status_code == 200
    assert things.get("/openapi.json").status_code == 200


def test_idempotency_keys_of_two_callers_are_two(things: httpx.Client, store: Store) -> None:
    keys = [store.keys.create(name, [Scope.CLASSIFY]) for name in ("a", "b")]
    path = "/v1/collections/things/classify"
    headers = {"Idempotency-Key": "same", "Content-Type": "image/png"}
    jobs = [things.post(path, content=b"x", headers={**headers, **bearer(key)}).json() for key in keys]
    assert jobs[0]["id"] != jobs[1]["id"]


def start_api(data: Path, port: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "EXEMPLAR_DATA": str(data), "EXEMPLAR_REDIS_URL": f"unix://{data}/none"}
    command = [sys.executable, "-m", "exemplar_service", "api", "--host", "0.0.0.0", "--port", str(port)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


@pytest.mark.processes
def test_api_does_not_listen_to_the_world_without_a_key(tmp_path: Path) -> None:
    process = start_api(tmp_path, 0)
    _, log = process.communicate(timeout=100)
    assert process.returncode == 2
    line = log.decode().splitlines()[-1]
    assert "exemplar keys create" in line and "(key_missing)" in line
    assert "Traceback" not in log.decode()


@pytest.mark.processes
def test_api_listens_to_the_world_with_a_key_and_ends_on_sigterm(tmp_path: Path) -> None:
    store = open_store(Settings(data=tmp_path))
    ensure_schema(store.database)
    store.keys.create("first", [Scope.ADMIN])
    port = free_port()
    process = start_api(tmp_path, port)

    def answer() -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/v1/collections", timeout=90)
        except httpx.ConnectError:
            return None

    try:
        found = until(lambda: [one for one in [answer()] if one is not None])
        assert [outcome(one) for one in found] == [(401, "key_missing")]
    finally:
        process.terminate()
        _, log = process.communicate(timeout=100)
    assert process.returncode == 0, log.decode()


def test_admin_makes_lists_and_revokes_keys(things: httpx.Client, store: Store) -> None:
    admin = bearer(store.keys.create("admin", [Scope.ADMIN]))
    asked = {"name": "gate", "scopes": ["classify"], "collections": ["things"], "days": 2}
    made = things.post("/v1/keys", json=asked, headers=admin)
    assert made.status_code == 201
    camera = bearer(made.json()["key"])
    assert things.get("/v1/collections/things", headers=camera).status_code == 200
    assert outcome(things.get("/v1/keys", headers=camera)) == (403, "key_scope_missing")
    found = things.get("/v1/keys", headers=admin)
    assert made.json()["key"].split("_", 2)[2] not in found.text
    mine, other = found.json()["items"]
    assert (mine["yours"], other["yours"]) == (True, False)
    assert {name: other[name] for name in ("id", "name", "scopes", "collections", "revoked")} == {
        "id": made.json()["id"], "name": "gate", "scopes": ["classify"], "collections": ["things"],
        "revoked": False,
    }  # fmt: skip
    assert outcome(things.delete(f"/v1/keys/{mine['id']}", headers=admin)) == (409, "key_in_use")
    assert things.delete(f"/v1/keys/{other['id']}", headers=admin).status_code == 204
    assert outcome(things.get("/v1/collections", headers=camera)) == (401, "key_unknown")
    assert outcome(things.delete(f"/v1/keys/{other['id']}", headers=admin)) == (404, "key_not_found")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"name": ""}, "request_invalid"),
        ({"name": "a", "scopes": ["all"]}, "request_invalid"),
        ({"name": "a", "days": 0}, "request_invalid"),
        ({"name": "a", "collections": []}, "request_invalid"),
        ({"name": "a", "collections": ["My Things"]}, "name_invalid"),
    ],
)
def test_key_that_makes_no_sense_is_refused(
    things: httpx.Client, store: Store, asked: dict[str, object], code: str
) -> None:
    admin = bearer(store.keys.create("admin", [Scope.ADMIN]))
    assert outcome(things.post("/v1/keys", json=asked, headers=admin)) == (422, code)
    assert len(store.keys.page()) == 1


@pytest.mark.parametrize("more", [{}, {"collections": ["things"]}])
def test_key_without_scopes_is_an_admin_unless_it_is_restricted(
    things: httpx.Client, store: Store, more: dict[str, object]
) -> None:
    admin = bearer(store.keys.create("admin", [Scope.ADMIN]))
    made = things.post("/v1/keys", json={"name": "a", **more}, headers=admin).json()["key"]
    found = store.keys.active(made)
    assert found is not None
    assert found.scopes == ({Scope.CLASSIFY, Scope.ENROLL} if more else {Scope.ADMIN})


def test_first_key_is_made_where_the_service_runs(things: httpx.Client, store: Store) -> None:
    for headers in ({}, bearer("made-up")):
        assert outcome(things.post("/v1/keys", json={"name": "a"}, headers=headers)) == (
            403,
            "key_scope_missing",
        )
    assert store.keys.page() == []
