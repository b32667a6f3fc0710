"""Keys restricted to some collections: no call reveals anything of another."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st
from PIL import Image
from tiny import DEFAULT
from working import ToyEncoder, tools_with

from api.app import create_app
from core.collections import Rule
from core.settings import Settings
from store.record.keys import Scope
from store.store import Store, open_store
from worker.pipeline import run_pipeline

pytestmark = pytest.mark.processes

ZIP = "application/zip"
TENANTS = {"apple": ("apple-1", "apple-2"), "berry": ("berry-1", "berry-2")}


def grey(level: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(out, "PNG")
    return out.getvalue()


class Service:
    """The API with a worker, and the collections and jobs of each tenant."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.store = store
        self.http = httpx.Client(
            transport=httpx.WSGITransport(app=create_app(settings, store, needs_key=True)),
            base_url="http://localhost",
        )
        scopes = [Scope.CLASSIFY, Scope.ENROLL, Scope.ADMIN]
        self.keys = {
            tenant: store.keys.create(tenant, scopes, collections=names) for tenant, names in TENANTS.items()
        }
        self.jobs: dict[str, list[str]] = {tenant: [] for tenant in TENANTS}
        self.supports: dict[str, list[int]] = {tenant: [] for tenant in TENANTS}
        with tools_with(settings, store, ToyEncoder()) as tools:
            for level, (tenant, names) in zip((10, 200), TENANTS.items(), strict=True):
                for number, name in enumerate(names):
                    store.collections.create(name, DEFAULT, Rule())
                    self._fill(tenant, name, level + 20 * number, tools)

    def _fill(self, tenant: str, name: str, level: int, tools: Any) -> None:
        for what, kind in (("enroll", f"?label={tenant}-label"), ("classify", ""), ("search", "")):
            answer = self.call(
                tenant, "POST", f"/v1/collections/{name}/{what}{kind}",
                content=grey(level), headers={"Content-Type": "image/png"},
            )  # fmt: skip
            assert answer.status_code == 202, answer.text
            self.jobs[tenant].append(answer.json()["id"])
            run_pipeline(tools, DEFAULT)
        result = self.call(tenant, "GET", f"/v1/jobs/{self.jobs[tenant][-3]}/results").json()["items"][0]
        self.supports[tenant].append(result["support_id"])

    def call(self, tenant: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[tenant]}", **more.pop("headers", {})}
        return self.http.request(method, path, headers=headers, **more)


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, redis_url: str
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("tenants")
    shutil.copy(sqlite_template, folder / "record.sqlite")
    settings = Settings(data=folder, redis_url=redis_url)
    store = open_store(settings)
    yield Service(settings, store)
    store.database.close()


READS = [
    "/v1/collections",
    "/v1/jobs",
    "/v1/collections/{collection}",
    "/v1/collections/{collection}/classes",
    "/v1/collections/{collection}/classes/{label}",
    "/v1/collections/{collection}/supports",
    "/v1/collections/{collection}/supports/{support}",
    "/v1/collections/{collection}/supports/{support}/thumbnail",
    "/v1/collections/{collection}/report",
    "/v1/collections/{collection}/report/confusion.svg",
    "/v1/collections/{collection}/drift",
    "/v1/collections/{collection}/versions",
    "/v1/collections/{collection}/versions/diff?from=0&to=1",
    "/v1/jobs/{job}",
    "/v1/jobs/{job}/results",
    "/v1/jobs/{job}/summary",
    "/v1/jobs/{job}/events",
    "/v1/jobs/{job}/deliveries",
    "/v1/jobs/{job}/items/0/thumbnail",
    "/v1/collections/{collection}/export",
    "/v1/collections/{collection}/quarantine",
    "/v1/collections/{collection}/quarantine/effect",
]
ABSENT = [
    "/v1/collections/{collection}/reindex",
    "/v1/collections/{collection}/reindex/comparison",
    "/v1/collections/{collection}/reindex/comparison/labels",
    "/v1/collections/{collection}/report/labels",
    "/v1/collections/{collection}/quarantine/1/thumbnail",
]
"""Reads of things that belong to no collection here."""
WRITES = [
    ("POST", "/v1/collections", {"name": "{collection}"}),
    ("PATCH", "/v1/collections/{collection}", {"rule": {"certainty": 0.4}}),
    ("DELETE", "/v1/collections/{collection}", None),
    ("POST", "/v1/collections/{collection}/classes", {"label": "new"}),
    ("PATCH", "/v1/collections/{collection}/classes/{label}", {"kind": "negative"}),
    ("DELETE", "/v1/collections/{collection}/classes/{label}", None),
    ("POST", "/v1/collections/{collection}/classes/{label}/merge", {"from": ["x"]}),
    ("PATCH", "/v1/collections/{collection}/supports/{support}", {"label": "x"}),
    ("DELETE", "/v1/collections/{collection}/supports/{support}", None),
    ("POST", "/v1/collections/{collection}/classify", {"items": []}),
    ("POST", "/v1/collections/{collection}/search", {"items": []}),
    ("POST", "/v1/collections/{collection}/enroll", {"items": []}),
    ("POST", "/v1/collections/{collection}/versions/1/restore", None),
    ("POST", "/v1/collections/{collection}/bulk?kind=classify", {"urls": ["https://a.b/1"]}),
    ("POST", "/v1/jobs/{job}/cancel", None),
    ("POST", "/v1/jobs/{job}/pause", None),
    ("POST", "/v1/jobs/{job}/resume", None),
    ("POST", "/v1/jobs/{job}/retry", None),
    ("PATCH", "/v1/jobs/{job}/items/0", {"accepted": True}),
    ("DELETE", "/v1/jobs/{job}/items/0", None),
    ("POST", "/v1/jobs/{job}/review", {"items": [0], "accepted": True}),
    ("POST", "/v1/jobs/{job}/unreview", {"items": [0]}),
    ("POST", "/v1/jobs/{job}/redecide", {"dry_run": True}),
    ("POST", "/v1/jobs/{job}/groups", {"max_groups": 9}),
    ("POST", "/v1/jobs/{job}/effect", None),
    ("POST", "/v1/collections/{collection}/reindex", {"encoder": DEFAULT}),
    ("DELETE", "/v1/collections/{collection}/reindex", None),
    ("POST", "/v1/collections/{collection}/reindex/switch", {}),
    ("POST", "/v1/collections/{collection}/reindex/back", {}),
    ("POST", "/v1/collections/{collection}/erase", {"external_id": "x"}),
    ("POST", "/v1/collections/{collection}/quarantine/accept", {}),
    ("POST", "/v1/collections/{collection}/quarantine/refuse", {}),
    ("PUT", "/v1/collections/{collection}/versions/1/name", {"name": "first"}),
    ("DELETE", "/v1/collections/{collection}/versions/1/name", None),
]
# they name a collection elsewhere, or none: see the tests at the end
APART = {
    "/v1/embeddings",
    "/v1/import",
    "/v1/keys",
    "/v1/keys/{key_id}",
    "/v1/erase",
    "/v1/erasures",
    "/v1/erasures/{erasure_id}",
    "/v1/audit",
}
ANYBODYS = {"/healthz", "/readyz", "/metrics", "/v1/collections", "/v1/jobs", "/v1/models"}


def test_every_call_is_tried_here(service: Service) -> None:
    """A new call must be in one of the lists above, or in an exception here."""
    names = {"collection": "{collection}", "job_id": "{job}", "support_id": "{support}", "label": "{label}"}
    names |= {"contribution_id": "1", "version": "1"}
    paths = service.http.get("/openapi.json").json()["paths"]
    there = {path.format(**names, item=0) for path in paths.keys() - APART} - ANYBODYS
    listed = [*READS, *ABSENT, *(path for _, path, _ in WRITES)]
    tried = {path.partition("?")[0] for path in listed} - ANYBODYS
    assert there == tried


def foreign(service: Service, tenant: str, text: str) -> list[str]:
    """Return everything in a text that belongs to the other tenant."""
    [other] = TENANTS.keys() - {tenant}
    said = [other, *TENANTS[other], *service.jobs[other]]
    return [secret for secret in said if secret in text]


@with_settings(
    max_examples=400,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_nothing_foreign_is_read(service: Service, data: st.DataObject) -> None:
    caller, owner = data.draw(st.sampled_from(list(TENANTS))), data.draw(st.sampled_from(list(TENANTS)))
    number = data.draw(st.integers(0, 1))
    named = {
        "collection": TENANTS[owner][number],
        "job": data.draw(st.sampled_from(service.jobs[owner])),
        "support": service.supports[owner][number],
        "label": f"{owner}-label",
    }
    path = data.draw(st.sampled_from(READS))
    limit = data.draw(st.sampled_from([1, 2, 100]))
    paged = {"/v1/collections", "/v1/jobs"}
    answer = service.call(
        caller, "GET", path.format(**named), params={"limit": limit} if path in paged else None,
        headers={"Prefer": "wait=0"},
    )  # fmt: skip
    asked_for = answer.text
    if caller != owner and path not in paged:
        assert answer.status_code == 404, (path, answer.text)
        # what the caller sent itself may be repeated
        for word in named.values():
            asked_for = asked_for.replace(str(word), "")
    else:
        assert answer.status_code in (200, 202, 204), (path, answer.text)
    assert not foreign(service, caller, asked_for), (path, answer.text)


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_nothing_foreign_is_changed(service: Service, method: str, path: str, body: Any) -> None:
    named = {
        "collection": "berry-1",
        "job": service.jobs["berry"][0],
        "support": service.supports["berry"][0],
        "label": "berry-label",
    }
    before = service.call("berry", "GET", "/v1/collections/berry-1").json()
    sent = {"json": {"name": "berry-1"} if body == {"name": "{collection}"} else body} if body else {}
    answer = service.call("apple", method, path.format(**named), **sent)
    assert answer.status_code == (403 if path == "/v1/collections" else 404), answer.text
    missing = service.call(
        "apple", method, path.format(**{**named, "collection": "none", "job": "0" * 32}), **sent
    )
    assert answer.status_code == missing.status_code
    assert answer.json()["code"] == missing.json()["code"], "what is foreign looks like what is not there"
    assert service.call("berry", "GET", "/v1/collections/berry-1").json() == before


def test_lists_are_of_ones_own_page_by_page(service: Service) -> None:
    for tenant in TENANTS:
        for path, expected in (("/v1/collections", TENANTS[tenant]), ("/v1/jobs", service.jobs[tenant])):
            found: list[str] = []
            cursor: dict[str, str] = {}
            while True:
                page = service.call(tenant, "GET", path, params={"limit": "1", **cursor}).json()
                found += [item.get("name", item.get("id")) for item in page["items"]]
                if page["next_cursor"] is None:
                    break
                cursor = {"cursor": page["next_cursor"]}
            # reports are jobs too, owned by the caller who requested one
            assert set(expected) <= set(found)
            for name in found:
                owner = name if path == "/v1/collections" else service.store.jobs.get(name).collection
                assert owner in TENANTS[tenant]


def test_key_of_a_name_makes_that_collection_and_no_other(service: Service) -> None:
    store = service.store
    service.keys["cherry"] = store.keys.create("cherry", [Scope.ADMIN], collections=["cherry"])
    made = service.call("cherry", "POST", "/v1/collections", json={"name": "cherry"})
    other = service.call("cherry", "POST", "/v1/collections", json={"name": "cherry-2"})
    taken = service.call("cherry", "POST", "/v1/collections", json={"name": "apple-1"})
    assert made.status_code == 201
    assert (other.status_code, other.json()["code"]) == (403, "key_collection_missing")
    assert other.json()["detail"] == taken.json()["detail"]


@pytest.mark.parametrize("path", ABSENT)
def test_what_is_foreign_is_as_absent_as_what_is_not_there(service: Service, path: str) -> None:
    foreign_, none = (
        service.call("apple", "GET", path.format(collection=name)) for name in ("berry-1", "none")
    )
    assert (foreign_.status_code, foreign_.json()["code"]) == (404, "collection_not_found")
    assert none.json()["code"] == "collection_not_found"


def test_foreign_collection_is_no_model_of_embeddings(service: Service) -> None:
    asked = {"input": "a"}
    foreign_, none = (
        service.call("apple", "POST", "/v1/embeddings", json={"model": name, **asked})
        for name in ("berry-1", "none")
    )
    assert (foreign_.status_code, foreign_.json()["code"]) == (none.status_code, none.json()["code"])
    assert foreign_.json()["code"] == "encoder_not_offered"


def test_collection_is_imported_under_names_of_the_key_alone(service: Service) -> None:
    file = service.call("apple", "GET", "/v1/collections/apple-1/export").content
    answers = [
        service.call("apple", "POST", f"/v1/import?name={name}", content=file, headers={"Content-Type": ZIP})
        for name in ("berry-1", "nobodys")
    ]
    assert {(one.status_code, one.json()["code"]) for one in answers} == {(403, "key_collection_missing")}
    taken = service.call(
        "apple", "POST", "/v1/import?name=apple-2", content=file, headers={"Content-Type": ZIP}
    )
    assert taken.json()["code"] == "collection_exists"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/abc")]
)
def test_admin_of_some_collections_manages_no_keys(service: Service, method: str, path: str) -> None:
    json_ = {"name": "more", "scopes": ["admin"]} if method == "POST" else None
    service.keys["some"] = service.store.keys.create("some", [Scope.ADMIN], collections=["apple-1"])
    before = service.store.keys.page()
    answer = service.call("some", method, path, json=json_)
    assert (answer.status_code, answer.json()["code"]) == (403, "key_collection_missing")
    assert service.store.keys.page() == before


def test_erasures_and_log_are_of_ones_own(service: Service) -> None:
    made = service.call(
        "berry", "POST", "/v1/erase", json={"external_id": "nothing"}, headers={"Prefer": "wait=0"}
    )
    assert made.json()["collections"] == list(TENANTS["berry"])
    receipt = f"/v1/erasures/{made.json()['id']}"
    assert service.call("berry", "GET", receipt).status_code == 200
    foreign_, none = (service.call("apple", "GET", path) for path in (receipt, "/v1/erasures/none"))
    assert (foreign_.status_code, foreign_.json()["code"]) == (none.status_code, none.json()["code"])
    for path in ("/v1/erasures", "/v1/audit"):
        assert not foreign(service, "apple", service.call("apple", "GET", path).text)
    both = (service.call("apple", "GET", f"/v1/audit?collection={name}") for name in ("berry-1", "none"))
    assert {(one.status_code, one.json()["code"]) for one in both} == {(404, "collection_not_found")}
