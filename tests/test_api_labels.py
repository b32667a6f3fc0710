"""Several labels a picture over HTTP: enrolling, listing and changing them, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from labelling import PATH, counts, form, item, problem, put, results, send, supports, work

from worker.tools import Tools

pytestmark = pytest.mark.usefixtures("several_photos")

Digits = Callable[[int, int], bytes]


def test_collection_says_its_labels_which_stay(local: httpx.Client) -> None:
    assert local.get(PATH).json()["labels"] == "many"
    assert local.get("/v1/collections/things").json()["labels"] == "one"
    assert problem(local.patch(PATH, json={"labels": "one"}))[:2] == (422, "collection_fixed")
    wrong = local.post("/v1/collections", json={"name": "a", "labels": "some"})
    assert problem(wrong)[:2] == (422, "request_invalid")


def test_rule_of_several_labels_has_an_aim(local: httpx.Client) -> None:
    rule = local.patch(PATH, json={"rule": {"aim": "precision", "precision": 0.8}}).json()["rule"]
    assert (rule["aim"], rule["precision"]) == ("precision", 0.8)
    one = local.get("/v1/collections/things").json()["rule"]
    assert "aim" not in one and "precision" not in one
    for refused in ({"aim": "precision"}, {"precision": 0.8}):
        answer = local.patch("/v1/collections/things", json={"rule": refused})
        assert problem(answer)[:2] == (422, "rule_invalid")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"prompts": "best7"}, "labels_unsupported"),
        ({"rule": {"name": "nearest"}}, "rule_invalid"),
        ({"rule": {"precision": 1.5}}, "request_invalid"),
        ({"index": {"name": "milvus"}}, "index_invalid"),
    ],
)
def test_what_several_labels_cannot_have_is_refused(
    local: httpx.Client, monkeypatch: pytest.MonkeyPatch, body: dict[str, Any], code: str
) -> None:
    monkeypatch.setattr("api.collections.require_text_encoder", lambda _: None)
    answer = local.post("/v1/collections", json={"name": "others", "labels": "many", **body})
    assert problem(answer)[:2] == (422, code)


def test_form_names_several_labels(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    answer = form(local, digits(0, 0), label=["dog", "beach", "ball"])
    whole = form(local, digits(0, 1), label=["dog"], complete="true")
    none = form(local, digits(0, 2), complete="true")
    work(tools)
    [result] = results(local, answer)
    assert (result["labels"], result["complete"]) == (["ball", "beach", "dog"], False)
    assert results(local, whole)[0]["complete"] is True
    assert results(local, none)[0]["labels"] == []
    assert supports(local) == [(["ball", "beach", "dog"], False), (["dog"], True), ([], True)]
    assert counts(local) == {"ball": 1, "beach": 1, "dog": 2}


def test_raw_picture_has_one_label(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    png = {"Content-Type": "image/png"}
    for n, query in enumerate(({"label": "dog"}, {"label": "dog", "complete": "true"}, {"complete": "true"})):
        assert (
            local.post(f"{PATH}/enroll", params=query, content=digits(0, n), headers=png).status_code == 202
        )
    work(tools)
    assert supports(local) == [(["dog"], False), (["dog"], True), ([], True)]


def test_items_carry_their_own_labels(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    answer = send(
        local,
        item(digits(0, 0), labels=["animal / dog", "ball"]),
        item(digits(0, 1), label="ball"),
        item(digits(0, 2), labels=[]),
        item(digits(0, 3), labels=["ball"], complete=True),
    )
    work(tools)
    assert [one["status"] for one in results(local, answer)] == ["done"] * 4
    assert supports(local) == [
        (["animal", "animal/dog", "ball"], False),
        (["ball"], False),
        ([], True),
        (["ball"], True),
    ]
    summary = local.get(f"/v1/jobs/{answer.json()['id']}/summary").json()
    assert summary["labels"] == {"ball": 3, "animal": 1, "animal/dog": 1}


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({}, "label_missing", "expected a label"),
    ({"label": None}, "label_missing", "expected a label"),
    ({"labels": [], "complete": False}, "labels_invalid", "expected one or more labels"),
    ({"label": "a", "labels": ["a"]}, "labels_invalid", "got both"),
    ({"labels": ["a", ""]}, "label_missing", "expected a label"),
    ({"labels": ["a//b"]}, "label_invalid", "before and after each /"),
    ({"labels": ["/a"]}, "label_invalid", "before and after each /"),
    ({"label": "a/"}, "label_invalid", "before and after each /"),
    ({"labels": ["a\u202eb"]}, "label_invalid", "visible characters"),
    ({"labels": ["a/../b"]}, "label_invalid", "without the parts"),
    ({"labels": ["x" * 129]}, "label_too_long", "at most 128"),
    ({"labels": [f"l{n}" for n in range(101)]}, "labels_invalid", "at most 100"),
    ({"labels": "dog"}, "item_invalid", "labels"),
    ({"labels": [1]}, "item_invalid", "labels"),
    ({"labels": ["a"], "complete": "yes"}, "item_invalid", "complete"),
]


@pytest.mark.parametrize(("said", "code", "words"), BAD)
def test_labels_that_cannot_be_are_refused(
    local: httpx.Client, digits: Digits, said: dict[str, Any], code: str, words: str
) -> None:
    status, found, detail = problem(send(local, item(digits(0, 0), **said)))
    assert (status, found) == (422, code)
    assert words in detail


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"labels": ["a", "b"]}, "expected exactly one label, got 2"),
        ({"labels": []}, "expected exactly one label, got 0"),
        ({"labels": ["a"], "complete": False}, "complete: expected true"),
    ],
)
def test_picture_with_one_label_takes_exactly_one(
    local: httpx.Client, digits: Digits, said: dict[str, Any], words: str
) -> None:
    status, code, detail = problem(send(local, item(digits(0, 0), **said), collection="things"))
    assert (status, code) == (422, "labels_invalid")
    assert words in detail


def test_list_of_one_label_is_that_label(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    answer = send(local, item(digits(0, 0), labels=["dog"], complete=True), collection="things")
    work(tools)
    [result] = results(local, answer)
    assert (result["label"], "labels" in result) == ("dog", False)
    [support] = local.get("/v1/collections/things/supports").json()["items"]
    assert (support["label"], "labels" in support, "complete" in support) == ("dog", False, False)


@pytest.mark.parametrize("complete", ["maybe", ["true", "true"]])
def test_form_says_once_whether_its_labels_are_complete(
    local: httpx.Client, digits: Digits, complete: Any
) -> None:
    answer = form(local, digits(0, 0), label="dog", complete=complete)
    assert problem(answer)[:2] == (422, "request_invalid")
    twice = form(local, digits(0, 0), "things", label=["a", "b"])
    assert problem(twice)[:2] == (422, "request_invalid")


def test_same_picture_again_grows(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    first = put(local, tools, digits(0, 0), "dog")
    answer = send(local, item(digits(0, 0), labels=["ball"], complete=True))
    work(tools)
    [result] = results(local, answer)
    assert (result["support_id"], result["duplicate_of"]) == (first, first)
    assert (result["labels"], result["complete"]) == (["ball", "dog"], True)
    assert supports(local) == [(["ball", "dog"], True)]


def test_request_that_is_sent_again_is_done_once(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    body = {"items": [item(digits(0, 0), labels=["dog", "ball"])]}
    key = {"Idempotency-Key": "k"}
    first, again = (local.post(f"{PATH}/enroll", json=body, headers=key).json()["id"] for _ in range(2))
    assert first == again
    body["items"][0]["labels"] = ["dog", "cat"]
    assert problem(local.post(f"{PATH}/enroll", json=body, headers=key))[:2] == (422, "idempotency_conflict")
    body["items"][0] = item(digits(0, 0), labels=["dog", "ball"], complete=True)
    assert problem(local.post(f"{PATH}/enroll", json=body, headers=key))[:2] == (422, "idempotency_conflict")
    work(tools)
    assert supports(local) == [(["ball", "dog"], False)]


def test_supports_are_found_by_any_of_their_labels(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    put(local, tools, digits(0, 0), "animal/dog", "ball")
    put(local, tools, digits(0, 1), "ball")
    assert supports(local, label="ball") == [(["animal", "animal/dog", "ball"], False), (["ball"], False)]
    assert supports(local, label="animal") == [(["animal", "animal/dog", "ball"], False)]
    assert supports(local, label="cat") == []
    first = local.get(f"{PATH}/supports", params={"label": "ball", "limit": 1}).json()
    assert len(first["items"]) == 1
    assert supports(local, label="ball", cursor=first["next_cursor"]) == [(["ball"], False)]


def test_labels_of_a_support_are_changed(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    path = f"{PATH}/supports/{put(local, tools, digits(0, 0), 'animal/dog', 'ball')}"

    def after(**change: Any) -> tuple[list[str], bool]:
        answer = local.patch(path, json=change)
        assert answer.status_code == 200, answer.text
        assert answer.json() == local.get(path).json()
        return answer.json()["labels"], answer.json()["complete"]

    assert after(add=["beach"], remove=["ball"]) == (["animal", "animal/dog", "beach"], False)
    assert after(remove=["animal"], complete=True) == (["beach"], True)
    assert after(labels=["x/y"]) == (["x", "x/y"], True)
    assert after(complete=False) == (["x", "x/y"], False)
    assert after(labels=[]) == ([], True)
    assert after(labels=["dog"], complete=False) == (["dog"], False)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, "request_invalid"),
        ({"label": "a", "labels": ["a"]}, "request_invalid"),
        ({"labels": ["a"], "add": ["b"]}, "request_invalid"),
        ({"label": "cat"}, "labels_invalid"),
        ({"remove": ["dog"]}, "labels_invalid"),
        ({"labels": [], "complete": False}, "labels_invalid"),
        ({"add": ["a"], "remove": ["a"]}, "labels_invalid"),
        ({"add": ["a//b"]}, "label_invalid"),
        ({"labels": [""]}, "label_missing"),
        ({"labels": [f"l{n}" for n in range(101)]}, "request_invalid"),
        ({"complete": "yes"}, "request_invalid"),
    ],
)
def test_changes_that_cannot_be_change_nothing(
    local: httpx.Client, tools: Tools, digits: Digits, change: dict[str, Any], code: str
) -> None:
    support = put(local, tools, digits(0, 0), "dog")
    assert problem(local.patch(f"{PATH}/supports/{support}", json=change))[:2] == (422, code)
    assert supports(local) == [(["dog"], False)]
    assert problem(local.patch(f"{PATH}/supports/999999", json={"add": ["a"]}))[:2] == (
        404,
        "support_not_found",
    )


def test_classes_are_renamed_merged_and_deleted(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    put(local, tools, digits(0, 0), "animal/dog", "ball")
    put(local, tools, digits(0, 1), "hound")
    renamed = local.patch(f"{PATH}/classes/animal", json={"label": "creature"})
    assert (renamed.status_code, renamed.json()["supports"]) == (200, 1)
    merged = local.post(f"{PATH}/classes/creature%2Fdog/merge", json={"from": ["hound"]})
    assert (merged.status_code, merged.json()["supports"]) == (200, 2)
    assert local.delete(f"{PATH}/classes/ball").status_code == 204
    assert supports(local) == [(["creature", "creature/dog"], False)] * 2
    assert counts(local) == {"creature": 2, "creature/dog": 2}
    for body in ({"label": "x", "kind": "negative"}, {"label": "x", "kind": "set"}):
        code = {"negative": "labels_unsupported", "set": "request_invalid"}[body["kind"]]
        assert problem(local.post(f"{PATH}/classes", json=body))[:2] == (422, code)
