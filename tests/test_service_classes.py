"""Collections, classes and supports of the running service, as callers change them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from calls import WAIT, ask, codes, enroll, files
from tiny import TINY

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

LABELS = ["a/b", "/a", "a//b", "a/", "100%", "%2F", "é", "日本", "🦊", "a b", '"quoted"', "it's", "?x=1#y"]
LABELS += [
    "<img src=x onerror=alert(1)>",
    "=HYPERLINK()",
    "a\\b",
    "merge",
    "x/merge",
    "a;b",
    "+b",
]


def path_of(collection: str, label: str) -> str:
    return f"/v1/collections/{collection}/classes/{quote(label, safe='').replace('.', '%2E')}"


def test_collection_counts_what_it_holds(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "zero", digits(0, 0), digits(0, 1))
    found = http.get(f"/v1/collections/{collection}").json()
    assert (found["classes"], found["supports"], found["version"]) == (1, 2, 2)
    assert (found["encoder"], found["rule"]["metric"]) == (TINY, "cosine")


def test_rule_that_was_changed_decides(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    [before] = ask(http, collection, digits(0, 0))
    http.patch(f"/v1/collections/{collection}", json={"rule": {"name": "nearest", "metric": "mse"}})
    [after] = ask(http, collection, digits(0, 0))
    assert (before["rule"], after["rule"]) == ("kernel", "nearest")


def test_class_is_made_of_its_name_and_gets_pictures_later(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    path = f"/v1/collections/{collection}/classes"
    made = http.post(path, json={"label": " zero ", "kind": "negative"})
    assert made.status_code == 201
    assert (made.json()["label"], made.json()["kind"], made.json()["supports"]) == ("zero", "negative", 0)
    enroll(http, collection, "zero", digits(0, 0))
    assert http.get(path_of(collection, "zero")).json()["supports"] == 1
    again = http.post(path, json={"label": "zero"})
    assert (again.status_code, again.json()["code"]) == (409, "class_exists")


def test_collections_are_listed_by_pages(http: httpx.Client) -> None:
    for number in range(3):
        http.post("/v1/collections", json={"name": f"paged-{number}"})
    names, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = http.get("/v1/collections", params=query).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(names) == len(set(names))
    assert {"paged-0", "paged-1", "paged-2"} <= set(names)


def test_deleted_collection_is_gone(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    path = f"/v1/collections/{collection}"
    assert http.delete(path).status_code == 204
    answers = [http.get(path), http.delete(path), http.get(f"{path}/classes"), http.get(f"{path}/supports")]
    assert {answer.status_code for answer in answers} == {404}


def test_new_collection_of_an_old_name_begins_empty(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    http.delete(f"/v1/collections/{collection}")
    http.post("/v1/collections", json={"name": collection})
    [result] = ask(http, collection, digits(0, 0))
    assert (result["decision"], result["neighbours"]) == ("unknown", [])


def test_odd_label_is_kept_and_found_as_it_is(http: httpx.Client, collection: str, digits: Digits) -> None:
    for number, label in enumerate(LABELS):
        enroll(http, collection, label, digits(0, number))
    listed = http.get(f"/v1/collections/{collection}/classes").json()["items"]
    assert [class_["label"] for class_ in listed] == LABELS
    found = [http.get(path_of(collection, label)) for label in LABELS]
    assert [answer.json().get("label") for answer in found] == LABELS


def test_odd_class_alone_is_deleted(http: httpx.Client, collection: str, digits: Digits) -> None:
    for number, label in enumerate(LABELS):
        enroll(http, collection, label, digits(0, number))
    for left in range(len(LABELS) - 1, -1, -1):
        assert http.delete(path_of(collection, LABELS[left])).status_code == 204
        assert http.get(f"/v1/collections/{collection}").json()["classes"] == left


def test_renamed_class_answers_under_its_new_name(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    renamed = http.patch(path_of(collection, "zero"), json={"label": " nought "}).json()
    [result] = ask(http, collection, digits(0, 0))
    assert renamed["label"] == result["candidates"][0]["label"] == "nought"
    assert http.get(path_of(collection, "zero")).status_code == 404


def test_name_of_another_class_is_refused(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    enroll(http, collection, "one", digits(1, 0))
    response = http.patch(path_of(collection, "zero"), json={"label": "one"})
    assert (response.status_code, response.json()["code"]) == (409, "class_exists")


def test_negative_class_is_never_named(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    enroll(http, collection, "noise", digits(1, 0))
    http.patch(path_of(collection, "noise"), json={"kind": "negative"})
    [result] = ask(http, collection, digits(1, 0))
    assert (result["decision"], result["label"]) == ("unknown", None)


def test_merged_classes_are_one(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "cat", digits(0, 0), digits(0, 1))
    enroll(http, collection, "felis", digits(0, 1), digits(0, 2))
    merged = http.post(f"{path_of(collection, 'cat')}/merge", json={"from": ["felis"]}).json()
    assert (merged["label"], merged["supports"]) == ("cat", 3)
    [result] = ask(http, collection, digits(0, 2))
    assert {neighbour["label"] for neighbour in result["neighbours"]} == {"cat"}


def test_class_named_by_slash_merge_can_be_merged_into(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "x/merge", digits(0, 0))
    enroll(http, collection, "y", digits(0, 1))
    merged = http.post(f"/v1/collections/{collection}/classes/x/merge/merge", json={"from": ["y"]})
    assert merged.json()["supports"] == 2


def test_supports_are_listed_by_class_and_by_pages(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", *(digits(0, n) for n in range(3)))
    enroll(http, collection, "one", digits(1, 0))
    path = f"/v1/collections/{collection}/supports"
    first = http.get(path, params={"label": "zero", "limit": 2}).json()
    rest = http.get(path, params={"label": "zero", "limit": 2, "cursor": first["next_cursor"]}).json()
    labels = [support["label"] for support in first["items"] + rest["items"]]
    assert (labels, rest["next_cursor"]) == (["zero"] * 3, None)
    assert len(http.get(path).json()["items"]) == 4


def test_moved_support_counts_for_its_new_class(http: httpx.Client, collection: str, digits: Digits) -> None:
    [support] = enroll(http, collection, "zero", digits(0, 0))
    path = f"/v1/collections/{collection}/supports/{support['support_id']}"
    assert http.patch(path, json={"label": "one"}).json()["label"] == "one"
    [result] = ask(http, collection, digits(0, 0))
    assert result["neighbours"][0]["label"] == "one"


def test_support_moved_to_where_its_twin_is_becomes_one_with_it(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    [first] = enroll(http, collection, "zero", digits(0, 0))
    [twin] = enroll(http, collection, "one", digits(0, 0))
    assert twin["duplicate_label"] == "zero"
    path = f"/v1/collections/{collection}/supports/{twin['support_id']}"
    response = http.patch(path, json={"label": "zero"})
    assert (response.status_code, response.json()["id"]) == (200, first["support_id"])
    assert http.get(path).status_code == 404


def test_deleted_support_is_found_by_no_search(http: httpx.Client, collection: str, digits: Digits) -> None:
    [support] = enroll(http, collection, "zero", digits(0, 0))
    path = f"/v1/collections/{collection}/supports/{support['support_id']}"
    assert http.delete(path).status_code == 204
    [result] = ask(http, collection, digits(0, 0), call="search")
    assert result["neighbours"] == []
    assert [http.get(path).status_code, http.get(f"{path}/thumbnail").status_code] == [404, 404]


def test_support_of_another_collection_is_not_here(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    [support] = enroll(http, collection, "zero", digits(0, 0))
    http.post("/v1/collections", json={"name": f"{collection}-2"})
    path = f"/v1/collections/{collection}-2/supports/{support['support_id']}"
    assert {http.request(m, path, json=b).status_code for m, b in [("GET", None), ("DELETE", None)]} == {404}
    assert http.patch(path, json={"label": "one"}).status_code == 404


def test_same_picture_in_one_request_is_kept_once(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    results = enroll(http, collection, "zero", digits(0, 0), digits(0, 0))
    assert len({result["support_id"] for result in results}) == 1
    assert http.get(f"/v1/collections/{collection}").json()["supports"] == 1


@pytest.mark.parametrize("path", ["classes/%E2%80%AE", "classes/%20", "supports?label=%00"])
def test_label_that_cannot_be_is_refused(http: httpx.Client, collection: str, path: str) -> None:
    assert http.get(f"/v1/collections/{collection}/{path}").status_code == 422


@pytest.mark.parametrize("name", ["%F0%9F%98%80", "%ff%fe", "..%2f..%2fetc", "a%0d%0aX-Evil:%201"])
def test_name_that_cannot_be_is_not_found(http: httpx.Client, name: str) -> None:
    response = http.get(f"/v1/collections/{name}")
    assert response.status_code == 404
    assert "x-evil" not in response.headers


def test_unknown_is_the_answer_of_an_empty_collection(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    job = http.post(f"/v1/collections/{collection}/classify", files=files(digits(0, 0)), headers=WAIT).json()
    assert codes(job["results"]) == [""]
    assert (job["results"][0]["decision"], job["results"][0]["label"]) == ("unknown", None)
