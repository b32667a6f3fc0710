"""Answers as of a version, what differs between two, and the return to one, by the API and a worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from picture_files import encode
from PIL import Image
from tiny import DEFAULT
from working import ToyEncoder, submit, tools_with

from core.collections import Labels, Rule
from core.jobs import JobKind
from core.settings import Settings
from store.store import Store
from worker.pipeline import run_pipeline
from worker.sweep import erase_history
from worker.tools import Tools

THINGS = "/v1/collections/things"


@pytest.fixture
def tools(settings: Settings, store: Store) -> Iterator[Tools]:
    store.collections.create("things", DEFAULT, Rule(false_reject=0.0))
    with tools_with(settings, store, ToyEncoder()) as tools:
        yield tools


def picture(grey: int) -> bytes:
    return encode(Image.new("L", (8, 8), grey))


def work(tools: Tools) -> None:
    while run_pipeline(tools, DEFAULT):
        pass


def enrol(tools: Tools, label: str, *greys: int) -> int:
    """Enrol pictures of one grey each, and return the version then."""
    submit(tools.store, JobKind.ENROLL, *map(picture, greys), label=label)
    work(tools)
    return tools.store.collections.find("things").version


def answers(local: httpx.Client, tools: Tools, grey: int, call: str = "classify", **query: Any) -> list[Any]:
    """Ask about a picture and return the results, without their times."""
    answer = local.post(
        f"{THINGS}/{call}", params=query, content=picture(grey), headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 202, answer.text
    work(tools)
    items = local.get(f"/v1/jobs/{answer.json()['id']}/results").json()["items"]
    return [{name: value for name, value in one.items() if name != "timing_ms"} for one in items]


def test_answers_as_of_a_version_are_those_that_were_given(local: httpx.Client, tools: Tools) -> None:
    first = enrol(tools, "dark", 50, 60, 70)
    then = answers(local, tools, 200), answers(local, tools, 200, "search")
    enrol(tools, "light", 190, 200, 210)
    support = tools.store.supports.page("things")[0]
    tools.store.supports.delete("things", support.id)
    tools.store.classes.change("things", "dark", new_label="black")
    tools.store.collections.change("things", {"certainty": 0.9})
    [now] = answers(local, tools, 200)
    assert now["label"] == "light"
    assert (
        answers(local, tools, 200, version=first),
        answers(local, tools, 200, "search", version=first),
    ) == then
    assert then[0][0]["index_version"] == first and then[0][0]["label"] == "dark"
    [empty] = answers(local, tools, 200, version=0)
    assert (empty["decision"], empty["index_version"]) == ("unknown", 0)


def test_version_that_cannot_be_answered_is_refused(local: httpx.Client, tools: Tools) -> None:
    version = enrol(tools, "dark", 50, 60)
    erase_history(tools.store, 0.0)
    for asked, status, code in ((version + 1, 422, "version_invalid"), (0, 410, "version_gone")):
        for path in (
            f"classify?version={asked}",
            f"search?version={asked}",
            f"report?version={asked}",
            f"versions/diff?from={asked}&to=2",
        ):
            asks = path.startswith(("classify", "search"))
            answer = local.request(
                "POST" if asks else "GET",
                f"{THINGS}/{path}",
                content=picture(1) if asks else None,
                headers={"Content-Type": "image/png"} if asks else {},
            )
            assert (answer.status_code, answer.json()["code"]) == (status, code), path
    answer = local.post(f"{THINGS}/versions/0/restore")
    assert (answer.status_code, answer.json()["code"]) == (410, "version_gone")


def test_work_whose_version_is_erased_meanwhile_says_so(local: httpx.Client, tools: Tools) -> None:
    first = enrol(tools, "dark", 50, 60)
    enrol(tools, "light", 190)
    answer = local.post(
        f"{THINGS}/classify?version={first}", content=picture(1), headers={"Content-Type": "image/png"}
    )
    erase_history(tools.store, 0.0)
    work(tools)
    [result] = local.get(f"/v1/jobs/{answer.json()['id']}/results").json()["items"]
    assert result["error"]["code"] == "version_gone"


def test_erased_history_takes_pictures_that_nothing_needs(
    local: httpx.Client, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.checks.blobs.SAFE_S", -1.0)
    enrol(tools, "dark", 50, 60)
    first, second = tools.store.supports.page("things")
    job = local.get("/v1/jobs").json()["items"][0]["id"]
    tools.store.supports.delete("things", first.id)
    tools.store.jobs.remove([job])
    assert erase_history(tools.store, 3600.0) == 0
    assert erase_history(tools.store, 0.0) == 2
    names = {file.name for file in tools.store.blobs.files("pictures")}
    assert names == {second.picture}


def report(local: httpx.Client, tools: Tools, path: str = "report", **query: Any) -> Any:
    """Return the report, as soon as the worker has made it."""
    asked = local.get(f"{THINGS}/{path}", params=query, headers={"Prefer": "wait=0"})
    work(tools)
    answer = local.get(f"{THINGS}/{path}", params=query)
    assert (asked.status_code, answer.status_code) == (202, 200), answer.text
    return answer.json()


def test_report_as_of_a_version_is_the_one_made_then(local: httpx.Client, tools: Tools) -> None:
    enrol(tools, "dark", 50, 60, 70, 190)
    first = enrol(tools, "light", 180, 190, 200)
    then = report(local, tools)
    tools.store.supports.delete("things", tools.store.supports.page("things")[3].id)
    tools.store.classes.merge("things", "dark", ["light"])
    assert report(local, tools)["accuracy"] == 1.0
    assert report(local, tools, version=first) == then
    assert then["duplicates"]["total"] == 1
    drawn = local.get(f"{THINGS}/report/confusion.svg", params={"version": first})
    assert f"version {first}" in drawn.text


def test_redeciding_as_of_a_version_gives_its_answers(local: httpx.Client, tools: Tools) -> None:
    enrol(tools, "dark", 50, 60)
    first = enrol(tools, "light", 190, 200)
    job = submit(tools.store, JobKind.CLASSIFY, picture(200), picture(50))
    work(tools)
    tools.store.classes.change("things", "light", new_label="white")
    for body, label in (({}, "white"), ({"version": first}, "light")):
        again = local.post(f"/v1/jobs/{job}/redecide", json=body)
        assert again.status_code == 202, again.text
        work(tools)
        results = local.get(f"/v1/jobs/{job}/results").json()["items"]
        assert [one["label"] for one in results] == [label, "dark"]
    shown = local.get(f"/v1/jobs/{job}").json()["versions"]
    assert [one["index_version"] for one in shown] == [first, first + 1, first]


def test_versions_say_who_changed_what(local: httpx.Client, tools: Tools) -> None:
    enrol(tools, "dark", 50)
    made = local.post(f"{THINGS}/classes", json={"label": "light"}, headers={"X-Request-Id": "r-1"})
    assert made.status_code == 201
    page = local.get(f"{THINGS}/versions", params={"limit": 1}).json()
    [one] = page["items"]
    assert (one["version"], one["from_version"], one["kind"], one["kept"]) == (2, 1, "class_added", True)
    assert (one["actor"], one["key"], one["request_id"], one["job"]) == ("local", None, "r-1", None)
    rest = local.get(f"{THINGS}/versions", params={"cursor": page["next_cursor"]}).json()
    assert [one["kind"] for one in rest["items"]] == ["enrolled"] and rest["next_cursor"] is None
    assert rest["items"][0]["job"] is not None


def test_difference_counts_the_answers_that_flip(local: httpx.Client, tools: Tools) -> None:
    first = enrol(tools, "dark", 50, 60)
    job = submit(tools.store, JobKind.CLASSIFY, picture(200), picture(50), picture(195))
    work(tools)
    last = enrol(tools, "light", 190, 200)
    query = {"from": first, "to": last, "job": job}
    assert local.get(f"{THINGS}/versions/diff", params=query, headers={"Prefer": "wait=0"}).status_code == 202
    work(tools)
    diff = local.get(f"{THINGS}/versions/diff", params=query).json()
    assert (diff["from"], diff["to"], diff["added"], diff["total"]) == (first, last, ["light"], 2)
    assert [one["to"] for one in diff["supports"]] == [["light"], ["light"]]
    found = diff["answers"]
    assert (found["asked"], found["changed"]) == (3, 2)
    assert found["changes"] == [{"from": "dark", "to": "light", "items": 2}]
    assert [one["label"] for one in local.get(f"/v1/jobs/{job}/results").json()["items"]] == ["dark"] * 3
    back = local.get(f"{THINGS}/versions/diff", params={"from": last, "to": first, "limit": 1}).json()
    assert (back["removed"], back["answers"], back["next_cursor"] is None) == (["light"], None, False)


def test_restored_collection_answers_as_it_did(local: httpx.Client, tools: Tools) -> None:
    first = enrol(tools, "dark", 50, 60, 70)
    [then] = answers(local, tools, 200)
    last = enrol(tools, "light", 190, 200, 210)
    restored = local.post(f"{THINGS}/versions/{first}/restore").json()
    assert restored["version"] == tools.store.collections.find("things").version > last
    [now] = answers(local, tools, 200)
    assert {**now, "index_version": first} == then
    local.post(f"{THINGS}/versions/{last}/restore")
    assert answers(local, tools, 200)[0]["label"] == "light"


def test_several_labels_are_answered_as_of_a_version(
    local: httpx.Client, store: Store, settings: Settings
) -> None:
    store.collections.create("things", DEFAULT, Rule(), labels=Labels.MANY)
    with tools_with(settings, store, ToyEncoder()) as tools:
        first = enrol(tools, "dark", *range(50, 60))
        then = answers(local, tools, 55), report(local, tools, "report/labels")
        enrol(tools, "light", *range(190, 200))
        store.classes.change("things", "dark", new_label="black")
        last = store.collections.find("things").version
        assert answers(local, tools, 55) != then[0]
        assert answers(local, tools, 55, version=first) == then[0]
        assert report(local, tools, "report/labels", version=first) == then[1]
        diff = local.get(f"{THINGS}/versions/diff", params={"from": first, "to": last}).json()
        assert diff["renamed"] == [{"from": "dark", "to": "black"}] and diff["added"] == ["light"]


def test_index_in_milvus_has_no_earlier_versions(local: httpx.Client, tools: Tools) -> None:
    first = enrol(tools, "dark", 50)
    assert local.patch(THINGS, json={"index": {"name": "milvus"}}).status_code == 200
    answer = local.post(
        f"{THINGS}/classify?version={first}", content=picture(1), headers={"Content-Type": "image/png"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "index_unsupported")


def test_worker_keeps_few_versions(local: httpx.Client, tools: Tools) -> None:
    versions = [enrol(tools, "dark", grey) for grey in (50, 60, 70)]
    for version in versions:
        answers(local, tools, 55, version=version)
    assert [key[1] for key in tools.past._kept] == versions[1:]
