"""Pictures by URL through the running service: enrolled, classified, and not delayed by slow hosts."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from services import running_service
from serving import Pictures, serving, status
from waiting import until

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    allowed = {"fetch_hosts": "127.0.0.1", "fetch_private": "true", "fetch_s": "600"}
    with running_service(**allowed) as stack, httpx.Client(base_url=stack.url, timeout=90) as client:
        client.post("/v1/collections", json={"name": "digits"})
        yield client


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    with serving() as found:
        yield found


def post(client: httpx.Client, what: str, items: list[dict[str, Any]], **headers: str) -> Any:
    response = client.post(f"/v1/collections/digits/{what}", json={"items": items}, headers=headers or WAIT)
    assert response.status_code in (200, 202), response.text
    return response.json()


def codes(job: dict[str, Any]) -> list[str]:
    return [result.get("error", {}).get("code", result.get("label")) for result in job["results"]]


def test_pictures_by_url_are_enrolled_and_classified(
    client: httpx.Client, pictures: Pictures, digits: Digits
) -> None:
    urls = {n: pictures.at(f"/{n}.png", digits(n, 0)) for n in (0, 1)}
    page = pictures.at("/page", b"<html>no picture</html>")
    gone = pictures.at("/gone", status(410))
    items = [{"label": str(n), "image": {"url": url}, "custom_id": f"c{n}"} for n, url in urls.items()]
    items += [{"label": "x", "image": {"url": url}} for url in (page, gone, "http://10.0.0.1/")]
    job = post(client, "enroll", items)
    assert job["state"] == "partial"
    assert codes(job) == ["0", "1", "picture_unreadable", "url_failed", "url_refused"]
    asked = post(client, "classify", [{"image": {"url": url}} for url in urls.values()])
    assert codes(asked) == ["0", "1"]
    [support] = [r["support_id"] for r in job["results"] if r["status"] == "done" and r["label"] == "0"]
    thumbnail = client.get(f"/v1/collections/digits/supports/{support}/thumbnail")
    assert thumbnail.headers["content-type"] == "image/jpeg"


def test_manifest_names_urls(client: httpx.Client, pictures: Pictures, digits: Digits) -> None:
    rows = [{"url": pictures.at(f"/m{n}.png", digits(n % 10, n // 10))} for n in range(70)]
    rows.append({"url": pictures.at("/none", status(404))})
    response = client.post(
        "/v1/collections/digits/bulk?kind=classify",
        content="\n".join(map(json.dumps, rows)).encode(),
        headers={"Content-Type": "application/x-ndjson", **WAIT},
    )
    job = response.json()
    assert (job["state"], job["progress"]["done"], job["progress"]["failed"]) == ("partial", 70, 1)
    assert job["results"][70]["error"]["code"] == "url_failed"


def test_slow_hosts_delay_no_other_work(client: httpx.Client, pictures: Pictures, digits: Digits) -> None:
    answering = threading.Event()
    slow = pictures.at("/slow", lambda _: answering.wait(600))
    fast = pictures.at("/fast", digits(0, 1))
    body = json.dumps({"urls": [slow] * 60}).encode()
    headers = {"Content-Type": "application/json"}
    bulk = client.post("/v1/collections/digits/bulk?kind=classify", content=body, headers=headers)
    assert bulk.status_code == 202
    try:
        until(lambda: pictures.asked["/slow"] >= 4)
        assert post(client, "classify", [{"image": {"url": fast}}])["results"][0]["status"] == "done"
        sent = client.post(
            "/v1/collections/digits/classify",
            content=digits(1, 1),
            headers={"Content-Type": "image/png", **WAIT},
        )
        assert sent.status_code == 200 and sent.json()["results"][0]["status"] == "done"
        progress = client.get(f"/v1/jobs/{bulk.json()['id']}").json()["progress"]
        assert (progress["done"], progress["failed"]) == (0, 0)
    finally:
        client.post(f"/v1/jobs/{bulk.json()['id']}/cancel")
        answering.set()
