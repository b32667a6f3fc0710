"""Answers with several labels over HTTP, and what such collections cannot do yet, on both databases."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from labelling import PATH, item, problem, put, results, work
from picture_files import encode
from PIL import Image

from worker.tools import Tools

pytestmark = pytest.mark.usefixtures("several_photos")

Digits = Callable[[int, int], bytes]


def test_search_shows_the_labels_of_neighbours(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    support = put(local, tools, digits(0, 0), "animal/dog", complete=True)
    answer = local.post(f"{PATH}/search", json={"items": [item(digits(0, 0))]})
    work(tools)
    [result] = results(local, answer)
    [neighbour] = result["neighbours"]
    assert (neighbour["support_id"], neighbour["labels"]) == (support, ["animal", "animal/dog"])
    assert (neighbour["complete"], neighbour["thumbnail"]) == (True, f"{PATH}/supports/{support}/thumbnail")


def test_answer_gives_each_label_its_probability(local: httpx.Client, tools: Tools) -> None:
    for grey in range(10):
        put(local, tools, plain(grey), "night", complete=True)
        put(local, tools, plain(200 + grey), "animal/dog", "day", complete=True)
    asked = local.post(f"{PATH}/classify", json={"items": [item(plain(4)), item(plain(204))]})
    work(tools)
    first, second = results(local, asked)
    assert [one["decision"] for one in (first, second)] == ["known", "known"]
    assert {one["label"] for one in first["labels"] if one["decision"] == "yes"} == {"night"}
    yes = [one for one in second["labels"] if one["decision"] == "yes"]
    assert {one["label"] for one in yes} == {"animal", "animal/dog", "day"}
    assert all(one["thumbnail"] for label in yes for one in label["explanation"]["supports"])
    assert second["neighbours"][0]["labels"] == ["animal", "animal/dog", "day"]
    assert "label" not in second
    job = f"/v1/jobs/{asked.json()['id']}"
    assert local.get(f"{job}/summary").json()["labels"] == {
        "night": 1,
        "animal": 1,
        "animal/dog": 1,
        "day": 1,
    }
    for media_type in ("text/csv", "application/x-ndjson", "application/vnd.apache.parquet"):
        assert local.get(f"{job}/results", headers={"Accept": media_type}).status_code == 200


def plain(grey: int) -> bytes:
    return encode(Image.new("RGB", (8, 8), (grey, grey, grey)))


def test_what_cannot_be_done_yet_says_so(local: httpx.Client, tools: Tools, digits: Digits) -> None:
    put(local, tools, digits(0, 0), "dog")
    refused = [
        local.get(f"{PATH}/report"),
        local.get(f"{PATH}/report/confusion.svg"),
        local.get(f"{PATH}/reindex/comparison"),
        local.post(
            f"{PATH}/bulk?kind=classify&smooth=true", content=b"x", headers={"Content-Type": "text/csv"}
        ),
    ]
    for answer in refused:
        status, code, detail = problem(answer)
        assert (status, code) == (422, "labels_unsupported"), answer.url
        assert "labels=many" in detail
