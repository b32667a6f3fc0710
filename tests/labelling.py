"""Helpers of the tests of several labels a picture over HTTP, with a worker in this process."""

from __future__ import annotations

import base64
from typing import Any

import httpx
from tiny import DEFAULT

from worker.pipeline import run_pipeline
from worker.source_reader import SourceReader
from worker.tools import Tools

PATH = "/v1/collections/photos"


def work(tools: Tools) -> None:
    """Read all uploads and settle all chunks."""
    source_reader = SourceReader(tools.store, tools.settings, tools.owner)
    run_pipeline(tools, DEFAULT)
    while source_reader.round():
        run_pipeline(tools, DEFAULT)
    source_reader.stop()


def results(http: httpx.Client, answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 202, answer.text
    found: list[dict[str, Any]] = http.get(f"/v1/jobs/{answer.json()['id']}/results").json()["items"]
    return found


def send(http: httpx.Client, *items: dict[str, Any], collection: str = "photos") -> httpx.Response:
    return http.post(f"/v1/collections/{collection}/enroll", json={"items": list(items)})


def item(picture: bytes, **said: Any) -> dict[str, Any]:
    return {"image": {"base64": base64.b64encode(picture).decode()}, **said}


def form(http: httpx.Client, picture: bytes, collection: str = "photos", **said: Any) -> httpx.Response:
    path = f"/v1/collections/{collection}/enroll"
    return http.post(path, data=said, files=[("image", ("a.png", picture))])


def supports(http: httpx.Client, **query: Any) -> list[tuple[list[str], bool]]:
    """Return the labels of each support, and whether these are all."""
    page = http.get(f"{PATH}/supports", params=query).json()["items"]
    assert all("label" not in one for one in page)
    return [(one["labels"], one["complete"]) for one in page]


def counts(http: httpx.Client) -> dict[str, int]:
    page = http.get(f"{PATH}/classes").json()["items"]
    assert {one["kind"] for one in page} <= {"normal"}
    return {one["label"]: one["supports"] for one in page}


def problem(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


def put(http: httpx.Client, tools: Tools, picture: bytes, *labels: str, **said: Any) -> int:
    """Enrol one picture and return its support."""
    answer = send(http, item(picture, labels=list(labels), **said))
    work(tools)
    [result] = results(http, answer)
    return int(result["support_id"])
