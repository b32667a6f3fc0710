"""Reviews that enrol where pictures have several labels: those of a review are all of them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from labelling import PATH, counts, item, problem, put, results, send, supports, work
from picture_files import encode
from PIL import Image

from worker.tools import Tools

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("several_photos")]

Supports = dict[int, tuple[list[str], bool]]


def picture(grey: int) -> bytes:
    return encode(Image.new("L", (8, 8), grey))


@pytest.fixture
def job(local: httpx.Client, tools: Tools) -> str:
    """A finished job of three pictures like those of `night`, in a collection that also knows `day`."""
    known = [(first + grey, label) for grey in range(4) for first, label in ((0, "night"), (200, "day"))]
    send(local, *(item(picture(grey), labels=[label], complete=True) for grey, label in known))
    work(tools)
    asked = local.post(f"{PATH}/classify", json={"items": [item(picture(grey)) for grey in (10, 11, 2)]})
    work(tools)
    assert [one["final_labels"] for one in results(local, asked)] == [["night"]] * 3
    found: str = asked.json()["id"]
    return found


def review(local: httpx.Client, tools: Tools, job: str, number: int, **body: Any) -> dict[str, Any]:
    """Review an answer, and return what its review says once all is done."""
    answer = local.patch(f"/v1/jobs/{job}/items/{number}", json=body)
    assert answer.status_code == 200, answer.text
    work(tools)
    found: list[dict[str, Any]] = local.get(f"/v1/jobs/{job}/results").json()["items"]
    said: dict[str, Any] = found[number]["review"]
    return said


def by_id(local: httpx.Client) -> Supports:
    page = local.get(f"{PATH}/supports", params={"limit": 100}).json()["items"]
    return {one["id"]: (one["labels"], one["complete"]) for one in page}


@pytest.mark.parametrize(
    ("verdict", "labels"),
    [
        ({"labels": ["animal/owl", "night"]}, ["animal", "animal/owl", "night"]),
        ({"label": "dusk"}, ["dusk"]),
        ({"add": ["snow"]}, ["night", "snow"]),
        ({"accepted": True}, ["night"]),
        ({"labels": []}, []),
        ({"remove": ["night"]}, []),
    ],
)
def test_picture_becomes_a_support_with_all_labels_of_its_review(
    local: httpx.Client, tools: Tools, job: str, verdict: dict[str, Any], labels: list[str]
) -> None:
    before = by_id(local)
    said = review(local, tools, job, 0, **verdict, enroll=True)
    [new] = by_id(local).keys() - before.keys()
    assert by_id(local)[new] == (labels, True)
    assert (said["enroll"], said["support_id"]) == (True, new)
    assert local.delete(f"/v1/jobs/{job}/items/0").status_code == 204
    assert by_id(local) == before


def test_support_that_is_there_takes_the_labels_and_gives_them_back(
    local: httpx.Client, tools: Tools, job: str
) -> None:
    before = by_id(local)
    same = put(local, tools, picture(2), "dark")
    assert by_id(local)[same] == (["dark", "night"], True)
    said = review(local, tools, job, 2, labels=["moon"], enroll=True)
    assert (said["support_id"], said["enroll_job"]) == (same, None)
    assert by_id(local)[same] == (["moon"], True)
    review(local, tools, job, 2, add=["stars"], enroll=True)
    assert by_id(local)[same] == (["moon", "stars"], True)
    local.delete(f"/v1/jobs/{job}/items/2")
    assert by_id(local)[same] == (["dark", "night"], True)
    assert len(by_id(local)) == len(before)


def test_another_verdict_without_it_takes_the_support_back(
    local: httpx.Client, tools: Tools, job: str
) -> None:
    before = by_id(local)
    review(local, tools, job, 0, add=["owl"], enroll=True)
    assert counts(local)["owl"] == 1
    said = review(local, tools, job, 0, remove=["owl"])
    assert "enroll" not in said
    assert by_id(local) == before


def test_labels_renamed_since_are_followed(local: httpx.Client, tools: Tools, job: str) -> None:
    before = by_id(local)
    answer = local.patch(f"/v1/jobs/{job}/items/0", json={"labels": ["night", "day"], "enroll": True})
    assert answer.status_code == 200
    renamed = local.patch(f"{PATH}/classes/day", json={"label": "light"})
    assert renamed.status_code == 200
    work(tools)
    [new] = by_id(local).keys() - before.keys()
    assert by_id(local)[new] == (["light", "night"], True)
    local.patch(f"{PATH}/classes/night", json={"label": "dark"})
    local.delete(f"/v1/jobs/{job}/items/0")
    assert by_id(local).keys() == before.keys()


def test_many_are_enrolled_with_their_own_labels(local: httpx.Client, tools: Tools, job: str) -> None:
    review(local, tools, job, 0, labels=["owl"])
    before = by_id(local)
    body = {"items": [0, 1], "add": ["snow"], "enroll": True}
    answer = local.post(f"/v1/jobs/{job}/review", json=body)
    assert (answer.json()["reviewed"], bool(answer.json()["enroll_job"])) == (2, True)
    work(tools)
    new = by_id(local).keys() - before.keys()
    assert sorted(by_id(local)[one] for one in new) == [(["night", "snow"], True), (["owl", "snow"], True)]
    again = local.post(f"/v1/jobs/{job}/review", json={**body, "items": [0, 1]})
    assert again.json() == {"reviewed": 2, "enroll_job": None}
    enrolled = local.get(f"/v1/jobs/{answer.json()['enroll_job']}/results").json()["items"]
    assert [(one["custom_id"], one["labels"], one["complete"]) for one in enrolled] == [
        ("0", ["owl", "snow"], True),
        ("1", ["night", "snow"], True),
    ]


def test_label_that_cannot_be_one_changes_nothing(local: httpx.Client, tools: Tools, job: str) -> None:
    before = supports(local)
    answer = local.patch(f"/v1/jobs/{job}/items/0", json={"labels": ["animal//owl"], "enroll": True})
    assert problem(answer)[:2] == (422, "label_invalid")
    work(tools)
    assert supports(local) == before
    assert local.get(f"/v1/jobs/{job}/results").json()["items"][0]["reviewed"] is False
