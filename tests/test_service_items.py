"""Items of jobs in the running service: shown again, corrected, and found by their outcome."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from archives import make_zip
from calls import WAIT, ask, codes, enroll, files
from enrolling import claim, settle, submit
from picture_files import encode
from PIL import Image

from api.app import create_app
from cli.stack import Stack
from core.jobs import Item
from core.settings import Settings
from store.blobs import PICTURES
from store.record.keys import Scope
from store.store import Store, open_store

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


def classify(http: httpx.Client, collection: str, *pictures: bytes) -> str:
    path = f"/v1/collections/{collection}/classify"
    return http.post(path, files=files(*pictures), headers=WAIT).json()["id"]


def classify_bulk(http: httpx.Client, collection: str, *pictures: bytes) -> str:
    path = f"/v1/collections/{collection}/bulk?kind=classify"
    archive = make_zip([(f"{n}.png", picture) for n, picture in enumerate(pictures)])
    headers = {**WAIT, "Content-Type": "application/zip"}
    return http.post(path, content=archive, headers=headers).json()["id"]


def put_right(http: httpx.Client, collection: str, job: str, item: int, label: str) -> httpx.Response:
    asked = {"items": [{"label": label, "image": {"job": {"id": job, "item": item}}}]}
    return http.post(f"/v1/collections/{collection}/enroll", json=asked, headers=WAIT)


@pytest.mark.parametrize("submit", [classify, classify_bulk])
def test_picture_of_an_item_is_seen_again(
    http: httpx.Client, collection: str, digits: Digits, submit: Callable[..., str]
) -> None:
    job = submit(http, collection, digits(0, 0), digits(1, 0))
    answer = http.get(f"/v1/jobs/{job}/items/1/thumbnail")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(BytesIO(answer.content)).size == (64, 64)


def test_picture_of_an_enrolled_item_is_seen_again(
    http: httpx.Client, collection: str, digits: Digits
) -> None:
    path = f"/v1/collections/{collection}/enroll"
    job = http.post(path, files=files(digits(0, 0)), data={"label": "zero"}, headers=WAIT).json()["id"]
    assert http.get(f"/v1/jobs/{job}/items/0/thumbnail").status_code == 200


def test_pictures_are_shown_at_the_size_asked_for(http: httpx.Client, collection: str) -> None:
    large = encode(Image.effect_noise((800, 600), 50).convert("RGB"))
    [support] = enroll(http, collection, "noise", large)
    for path in (
        f"/v1/jobs/{classify(http, collection, large)}/items/0/thumbnail",
        f"/v1/collections/{collection}/supports/{support['support_id']}/thumbnail",
    ):
        for side, size in ((None, (160, 120)), (400, (400, 300)), (2048, (800, 600))):
            answer = http.get(path, params={} if side is None else {"side": side})
            assert Image.open(BytesIO(answer.content)).size == size, (path, side)
        assert http.get(path, params={"side": 5000}).json()["code"] == "request_invalid"


@pytest.mark.parametrize("item", ["1", "2", "9223372036854775807"])
def test_item_that_failed_or_never_was_has_no_picture(
    http: httpx.Client, collection: str, digits: Digits, item: str
) -> None:
    job = classify(http, collection, digits(0, 0), b"broken")
    answer = http.get(f"/v1/jobs/{job}/items/{item}/thumbnail")
    assert (answer.status_code, answer.json()["code"]) == (404, "item_not_found")


@pytest.mark.parametrize("submit", [classify, classify_bulk])
def test_answer_is_put_right_without_an_upload(
    http: httpx.Client, collection: str, digits: Digits, submit: Callable[..., str]
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    job = submit(http, collection, digits(1, 0))
    [result] = put_right(http, collection, job, 0, "one").json()["results"]
    [again] = ask(http, collection, digits(1, 0))
    assert again["neighbours"][0]["support_id"] == result["support_id"]
    assert again["label"] == "one"


def test_item_that_is_not_there_fails_alone(http: httpx.Client, collection: str, digits: Digits) -> None:
    job = classify(http, collection, digits(0, 0))
    images = [
        {"job": {"id": job, "item": 0}},
        {"job": {"id": job, "item": 7}},
        {"job": {"id": "x", "item": 0}},
    ]
    asked = {"items": [{"label": "zero", "image": image} for image in images]}
    answer = http.post(f"/v1/collections/{collection}/enroll", json=asked, headers=WAIT).json()
    assert codes(answer["results"]) == ["", "item_not_found", "job_not_found"]


def test_results_of_one_decision_are_found(http: httpx.Client, collection: str, digits: Digits) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    enroll(http, collection, "noise", digits(1, 0))
    http.patch(f"/v1/collections/{collection}/classes/noise", json={"kind": "negative"})
    pictures = [digits(0, 0), digits(1, 0), b"broken", digits(1, 0)]
    path = f"/v1/jobs/{classify(http, collection, *pictures)}/results"

    def items(**query: object) -> list[int]:
        found, cursor = [], None
        while True:
            page = http.get(path, params=query | ({"cursor": cursor} if cursor else {})).json()
            found += [result["item"] for result in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return found

    assert items(decision="unknown") == items(decision="unknown", limit=1) == [1, 3]
    assert items(status="failed") == [2]
    assert items(status="done", limit=1) == [0, 1, 3]
    assert http.get(path, params={"decision": "perhaps"}).status_code == 422


def test_class_shows_its_first_pictures(http: httpx.Client, collection: str, digits: Digits) -> None:
    found = enroll(http, collection, "zero", *(digits(0, n) for n in range(5)))
    first = sorted(result["support_id"] for result in found)[:4]
    [class_] = http.get(f"/v1/collections/{collection}/classes").json()["items"]
    paths = [f"/v1/collections/{collection}/supports/{support}/thumbnail" for support in first]
    assert class_["thumbnails"] == paths
    assert http.get(paths[0]).status_code == 200


def test_picture_of_a_job_is_for_those_who_may_read_its_results(
    service: Stack, http: httpx.Client, collection: str, digits: Digits
) -> None:
    job = classify(http, collection, digits(0, 0))
    store = open_store(Settings(data=Path(service.environment["EXEMPLAR_DATA"])))
    key = store.keys.create("enrols", [Scope.ENROLL])
    try:
        http.headers["Authorization"] = f"Bearer {key}"
        answer = put_right(http, collection, job, 0, "zero")
        assert (answer.status_code, answer.json()["code"]) == (403, "key_scope_missing")
    finally:
        store.keys.revoke(key.split("_")[1])
        store.database.close()


def test_pictures_of_jobs_may_be_no_more_than_a_body_holds(
    settings: Settings, store: Store, things: Store
) -> None:
    small = settings.model_copy(update={"max_body_bytes": 3000})
    job = submit(store, Item(0, store.blobs.put(PICTURES, b"x" * 1000), "zero"))
    [chunk] = claim(store)
    settle(store, chunk)
    transport = httpx.WSGITransport(app=create_app(small, store, needs_key=False))
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        items = [{"label": "one", "image": {"job": {"id": job, "item": 0}}}] * 4
        few = client.post("/v1/collections/things/enroll", json={"items": items[:3]})
        many = client.post("/v1/collections/things/enroll", json={"items": items})
    assert (few.status_code, many.status_code) == (202, 413)
    assert many.json()["code"] == "body_too_large"
