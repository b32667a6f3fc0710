"""Names of versions, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from enrolling import enroll_labels
from picture_files import encode
from PIL import Image
from sqlalchemy import select

from api.app import create_app
from core.errors import ExemplarError
from core.settings import Settings
from store import tables as t
from store.store import Store

HERE = "/v1/collections/things/versions"


@pytest.fixture
def local(settings: Settings, things: Store) -> Iterator[httpx.Client]:
    app = create_app(settings, things, needs_key=False)
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://localhost") as client:
        enroll_labels(things, "cat")
        enroll_labels(things, "dog")
        yield client


def test_name_stands_for_its_version(things: Store, local: httpx.Client) -> None:
    version = things.collections.get("things").version
    made = local.put(f"{HERE}/1/name", json={"name": "first"})
    assert (made.status_code, made.json()) == (200, {"version": 1, "name": "first"}), made.text
    assert things.version_names.resolve("things", "first") == 1
    renamed = local.put(f"{HERE}/first/name", json={"name": "one"})
    assert renamed.json() == {"version": 1, "name": "one"}
    local.put(f"{HERE}/{version}/name", json={"name": "last"})
    assert things.version_names.of("things") == {1: "one", version: "last"}
    assert local.delete(f"{HERE}/one/name").status_code == 204
    assert things.version_names.of("things") == {version: "last"}


def test_names_are_unique_in_a_collection(local: httpx.Client, things: Store) -> None:
    last = things.collections.get("things").version
    local.put(f"{HERE}/1/name", json={"name": "first"})
    assert local.put(f"{HERE}/1/name", json={"name": "first"}).status_code == 200, "it is its own"
    taken = local.put(f"{HERE}/{last}/name", json={"name": "first"})
    assert (taken.status_code, taken.json()["code"]) == (409, "version_name_taken")


@pytest.mark.parametrize(
    ("version", "name", "code"),
    [
        ("1", "12", "name_invalid"),
        ("1", "No Slug", "name_invalid"),
        ("999", "later", "version_invalid"),
        ("nothing", "first", "version_not_found"),
        ("9" * 30, "first", "version_invalid"),
    ],
)
def test_what_names_nothing_is_refused(local: httpx.Client, version: str, name: str, code: str) -> None:
    answer = local.put(f"{HERE}/{version}/name", json={"name": name})
    assert answer.status_code >= 400
    assert answer.json()["code"] == code


def test_only_named_versions_lose_their_name(local: httpx.Client, things: Store) -> None:
    assert local.delete(f"{HERE}/1/name").json()["code"] == "version_not_found"
    with pytest.raises(ExemplarError, match="expected the name of a version"):
        things.version_names.resolve("things", "first")


def test_name_is_taken_wherever_a_version_is_expected(local: httpx.Client, things: Store) -> None:
    last = things.collections.get("things").version
    for version, name in ((1, "first"), (last, "last")):
        local.put(f"{HERE}/{version}/name", json={"name": name})
    listed = local.get(HERE).json()["items"]
    assert {one["version"]: one["name"] for one in listed} == {1: "first", last: "last"}
    diff = local.get(f"{HERE}/diff", params={"from": "first", "to": "last"})
    assert diff.json() == local.get(f"{HERE}/diff", params={"from": 1, "to": last}).json()
    picture = encode(Image.new("L", (8, 8), 9))
    headers = {"Content-Type": "image/png"}
    asked = local.post("/v1/collections/things/classify?version=first", content=picture, headers=headers)
    assert asked.status_code == 202, asked.text
    with things.database.read() as connection:
        job = select(t.job.c.options).where(t.job.c.id == asked.json()["id"])
        assert connection.execute(job).scalar() == {"version": 1}
    wrong = local.post("/v1/collections/things/classify?version=none", content=picture, headers=headers)
    assert (wrong.status_code, wrong.json()["code"]) == (404, "version_not_found")
    restored = local.post(f"{HERE}/first/restore")
    assert restored.json()["restored"] == 1
    assert [one.label for one in things.supports.page("things")] == ["cat"]
