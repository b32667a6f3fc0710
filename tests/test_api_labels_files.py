"""Several labels a picture in archives, manifests and the files of collections, on both databases."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import pytest
from archives import make_tar, make_zip
from labelling import PATH, item, problem, put, results, send, supports, work
from test_store_bundle import changed
from tiny import DEFAULT

from worker.tools import Tools

pytestmark = pytest.mark.usefixtures("several_photos")

Digits = Callable[[int, int], bytes]


def bulk(http: httpx.Client, body: bytes, media_type: str, **query: Any) -> httpx.Response:
    headers = {"Content-Type": media_type}
    return http.post(f"{PATH}/bulk", params={"kind": "enroll", **query}, content=body, headers=headers)


def test_picture_in_several_folders_has_all_their_labels(
    local: httpx.Client, tools: Tools, digits: Digits
) -> None:
    files = {"dog/1.png": digits(0, 0), "ball/1.png": digits(0, 0), "ball/2.png": digits(0, 1)}
    bulk(local, make_zip(files), "application/zip")
    work(tools)
    assert supports(local) == [(["ball", "dog"], False), (["ball"], False)]


MANIFEST = """path,labels,complete
1.png,animal/dog; ball,true
2.png,ball,
3.png,,yes
4.png,ball,no
"""


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_manifest_has_a_column_of_labels(
    local: httpx.Client, tools: Tools, digits: Digits, make: Callable[..., bytes]
) -> None:
    files = {"manifest.csv": MANIFEST.encode(), **{f"{n}.png": digits(0, n) for n in (1, 2, 3, 4)}}
    body, media_type = make(files), "application/zip" if make is make_zip else "application/x-tar"
    dry = bulk(local, body, media_type, dry_run=True).json()
    assert {one["label"]: one["items"] for one in dry["classes"]} == {"animal": 1, "animal/dog": 1, "ball": 3}
    answer = bulk(local, body, media_type)
    work(tools)
    assert {one["status"] for one in results(local, answer)} == {"done"}
    assert sorted(supports(local)) == [
        ([], True),
        (["animal", "animal/dog", "ball"], True),
        (["ball"], False),
        (["ball"], False),
    ]


def test_json_lines_have_a_list_of_labels(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    rows = [
        {"path": "1.png", "labels": ["dog", "ball"]},
        {"path": "2.png", "labels": []},
        {"path": "3.png", "label": "dog", "complete": True},
        {"path": "4.png", "labels": [], "complete": False},
        {"path": "5.png", "label": "a", "labels": ["b"]},
        {"path": "6.png", "labels": "dog"},
        {"path": "7.png"},
    ]
    lines = "\n".join(map(json.dumps, rows)).encode()
    files = {"manifest.jsonl": lines, **{f"{n}.png": digits(0, n) for n in range(1, 8)}}
    answer = bulk(local, make_zip(files), "application/zip")
    work(tools)
    found = [one.get("error", {}).get("code") for one in results(local, answer)]
    assert found == [None] * 3 + ["labels_invalid", "labels_invalid", "manifest_invalid", "label_missing"]
    assert supports(local) == [(["ball", "dog"], False), ([], True), (["dog"], True)]


def test_manifest_of_several_labels_fails_where_there_is_one(
    local: httpx.Client, tools: Tools, digits: Digits
) -> None:
    files = {"manifest.csv": b"path,labels\n1.png,dog;ball\n2.png,dog\n", "1.png": digits(0, 1)}
    files["2.png"] = digits(0, 2)
    answer = local.post(
        "/v1/collections/things/bulk?kind=enroll",
        content=make_zip(files),
        headers={"Content-Type": "application/zip"},
    )
    work(tools)
    first, second = results(local, answer)
    assert (first["error"]["code"], second["label"]) == ("labels_invalid", "dog")


def exported(http: httpx.Client, collection: str = "photos") -> bytes:
    return http.get(f"/v1/collections/{collection}/export", params={"pictures": True}).content


def imported(http: httpx.Client, tools: Tools, file: bytes, **query: str) -> httpx.Response:
    answer = http.post(
        "/v1/import",
        params={"name": "others", **query},
        content=file,
        headers={"Content-Type": "application/zip"},
    )
    if answer.status_code == 202:
        work(tools)
        assert http.get(f"/v1/jobs/{answer.json()['id']}").json()["state"] == "succeeded"
    return answer


@pytest.mark.parametrize("encoder", [None, DEFAULT])
def test_collection_comes_back_from_its_file(
    local: httpx.Client, tools: Tools, digits: Digits, encoder: str | None
) -> None:
    put(local, tools, digits(0, 0), "dog")
    put(local, tools, digits(0, 1), "animal/dog", "ball", complete=True)
    put(local, tools, digits(0, 2))
    local.patch(f"{PATH}/classes/dog", json={"label": "pet/dog"})  # its parent is younger than its set
    file = exported(local)
    imported(local, tools, file, **({} if encoder is None else {"encoder": encoder}))
    assert local.get("/v1/collections/others").json()["labels"] == "many"
    pages = [local.get(f"/v1/collections/{name}/supports").json()["items"] for name in ("photos", "others")]
    seen = [[(one["labels"], one["complete"], one["picture_sha256"]) for one in page] for page in pages]
    assert seen[0] == seen[1]
    named = [local.get(f"/v1/collections/{name}/classes").json()["items"] for name in ("photos", "others")]
    labels = [{one["label"]: one["supports"] for one in page} for page in named]
    assert labels[0] == labels[1] == {"ball": 1, "animal": 1, "animal/dog": 1, "pet": 1, "pet/dog": 1}
    if encoder is None:
        again = exported(local, "others").replace(b'"collection": "others"', b'"collection": "photos"')
        assert zipfile.ZipFile(BytesIO(again)).namelist() == zipfile.ZipFile(BytesIO(file)).namelist()


def manifest_of(file: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(BytesIO(file)) as opened:
        found: dict[str, Any] = json.loads(opened.read("manifest.json"))
    return found


def test_file_of_one_label_is_as_it_was(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    send(local, item(digits(0, 0), label="dog"), collection="things")
    work(tools)
    manifest = manifest_of(exported(local, "things"))
    assert (manifest["format_version"], manifest["classes"]) == (1, [{"label": "dog", "kind": "normal"}])
    assert "labels" not in manifest


def _first_set(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in manifest["classes"] if one["kind"] == "set")
    return found


LIES: dict[str, Callable[[dict[str, Any]], object]] = {
    "sets in a collection of one label": lambda m: m.update(labels="one"),
    "format 1": lambda m: m.update(format_version=1),
    "format 3": lambda m: m.update(format_version=3),
    "prompts": lambda m: m.update(prompts="best7"),
    "negative": lambda m: m["classes"][0].update(kind="negative"),
    "member is no place": lambda m: _first_set(m).update(members=[99]),
    "member is a set": lambda m: _first_set(m).update(members=[m["classes"].index(_first_set(m))]),
    "members in disorder": lambda m: _first_set(m)["members"].reverse(),
    "no parents": lambda m: m["classes"][0].update(label="x/y"),
    "empty": lambda m: _first_set(m).update(members=[]),
    "named set": lambda m: _first_set(m).update(label="dog"),
    "label with members": lambda m: m["classes"][0].update(members=[0]),
    "other labels than the row": lambda m: _first_set(m).update(complete=True),
    "the same set twice": lambda m: m["classes"].append(_first_set(m)),
}


@pytest.mark.parametrize("lie", list(LIES))
def test_file_that_lies_about_labels_is_refused(
    local: httpx.Client, tools: Tools, digits: Digits, lie: str
) -> None:
    put(local, tools, digits(0, 0), "ball", "dog")

    def change(member: bytes) -> bytes:
        manifest = json.loads(member)
        LIES[lie](manifest)
        return json.dumps(manifest).encode()

    file = changed(exported(local), "manifest.json", change, honest=True)
    answer = local.post("/v1/import?name=others", content=file, headers={"Content-Type": "application/zip"})
    if answer.status_code != 202:
        assert problem(answer)[:2] == (422, "bundle_invalid")
        return
    work(tools)
    [result] = results(local, answer)
    assert result["error"]["code"] == "bundle_invalid"
