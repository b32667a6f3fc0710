"""The views `tiles`: pictures are answered part by part and decided again alike, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from labelling import item, problem, send, work
from picture_files import encode
from PIL import Image
from tiny import DEFAULT

from core.collections import Views
from store.store import Store
from worker.tools import Tools

PATH = "/v1/collections/small"
UPPER_RIGHT = {"x": 0.4, "y": 0.0, "width": 0.6, "height": 0.6}
LOWER_LEFT = {"x": 0.0, "y": 0.4, "width": 0.6, "height": 0.6}


@pytest.fixture(autouse=True)
def small(local: httpx.Client, tools: Tools) -> None:
    """A collection that looks at tiles, and knows dark and light pictures."""
    made = local.post("/v1/collections", json={"name": "small", "labels": "many", "views": "tiles"})
    assert (made.status_code, made.json()["views"]) == (201, "tiles")
    learn(local, tools, "dark", range(6))
    learn(local, tools, "light", range(250, 256))


def learn(local: httpx.Client, tools: Tools, label: str, greys: Sequence[int]) -> None:
    pictures = [encode(Image.new("L", (100, 100), grey)) for grey in greys]
    send(local, *(item(one, labels=[label]) for one in pictures), collection="small")
    work(tools)


def half_light() -> bytes:
    """A dark picture, light where its upper right crop is."""
    picture = Image.new("L", (100, 100), 0)
    picture.paste(255, (40, 0, 100, 60))
    return encode(picture)


def ask(local: httpx.Client, tools: Tools, *pictures: bytes, call: str = "classify") -> str:
    answer = local.post(f"{PATH}/{call}", json={"items": [item(one) for one in pictures]})
    work(tools)
    job: str = answer.json()["id"]
    return job


def results(local: httpx.Client, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = local.get(f"/v1/jobs/{job}/results").json()["items"]
    return found


def parts(result: dict[str, Any]) -> dict[str, Any]:
    return {one["label"]: one.get("part") for one in result["labels"]}


def test_each_label_says_which_part_decided_it(local: httpx.Client, tools: Tools) -> None:
    [result] = results(local, ask(local, tools, half_light()))
    assert result["decision"] == "known"
    assert parts(result) == {"light": UPPER_RIGHT, "dark": LOWER_LEFT}


def test_answers_with_parts_have_every_form(local: httpx.Client, tools: Tools) -> None:
    path = f"/v1/jobs/{ask(local, tools, half_light())}/results"
    line, table, columns = (
        local.get(path, headers={"Accept": form})
        for form in ("application/x-ndjson", "text/csv", "application/vnd.apache.parquet")
    )
    assert UPPER_RIGHT in [one["part"] for one in line.json()["labels"]]
    assert "dark" in table.text and columns.status_code == 200


def test_supports_and_searches_have_one_vector(local: httpx.Client, tools: Tools) -> None:
    encoder: Any = tools.encoders[DEFAULT]
    encoder.batches.clear()
    ask(local, tools, half_light(), call="search")
    assert sum(encoder.batches) == 1
    ask(local, tools, half_light())
    assert sum(encoder.batches) == 7


def test_batches_are_bounded_by_parts(local: httpx.Client, tools: Tools) -> None:
    encoder: Any = tools.encoders[DEFAULT]
    encoder.batch_size = 13
    encoder.batches.clear()
    ask(local, tools, *(encode(Image.new("L", (50, 50), grey)) for grey in range(5)))
    assert encoder.batches == [12, 12, 6]


def test_answers_are_decided_again_as_they_were(local: httpx.Client, tools: Tools) -> None:
    plain = encode(Image.new("L", (40, 40), 3))
    job = ask(local, tools, half_light(), b"none", plain)
    first = results(local, job)
    assert [one["status"] for one in first] == ["done", "failed", "done"]
    encoder: Any = tools.encoders[DEFAULT]
    encoder.batches.clear()
    learn(local, tools, "grey", [128])
    again = local.post(f"/v1/jobs/{job}/redecide", json={})
    work(tools)
    assert again.status_code == 202 and encoder.batches == [1]
    now = results(local, job)
    fresh = results(local, ask(local, tools, half_light(), b"none", plain))
    for one, new in ((now[0], fresh[0]), (now[2], fresh[2])):
        assert one["index_version"] == new["index_version"] > first[0]["index_version"]
        assert parts(one) == parts(new)
        for left, right in zip(one["labels"], new["labels"], strict=True):
            assert left["probability"] == pytest.approx(right["probability"], abs=1e-3)
    summary = local.get(f"/v1/jobs/{again.json()['id']}/summary").json()
    assert (summary["asked"], summary["without_vector"]) == (2, 1)


def test_kept_crops_are_those_of_the_items(local: httpx.Client, tools: Tools) -> None:
    job = ask(local, tools, half_light(), b"none", half_light())
    kept = tools.store.item_vectors.tiles_between(job, 0, 3, DEFAULT)
    assert list(kept) == [0, 2]
    whole, crops = kept[0]
    assert (whole.shape, crops.shape) == ((2,), (5, 2))
    np.testing.assert_allclose(np.linalg.norm(crops, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(crops[1], [np.cos(1), np.sin(1)], atol=1e-3)
    assert list(tools.store.item_vectors.between(job, 0, 3, DEFAULT)) == [0, 2]
    assert list(tools.store.item_vectors.tiles_between(job, 1, 3, DEFAULT)) == [2]


def test_one_label_a_picture_has_no_tiles(local: httpx.Client) -> None:
    status, code, detail = problem(local.post("/v1/collections", json={"name": "a", "views": "tiles"}))
    assert (status, code) == (422, "views_invalid")
    assert "labels=many" in detail
    assert problem(local.patch(PATH, json={"views": "1"}))[:2] == (422, "collection_fixed")


def test_exports_keep_the_views(local: httpx.Client, tools: Tools, store: Store) -> None:
    answer = local.post(
        "/v1/import?name=other",
        content=local.get(f"{PATH}/export").content,
        headers={"Content-Type": "application/zip"},
    )
    assert answer.status_code == 202, answer.text
    work(tools)
    assert store.collections.get("other").views is Views.TILES
