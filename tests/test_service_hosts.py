"""API and worker on separate hosts: no shared folder, blobs on S3, the record in PostgreSQL."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator

import httpx
import pytest
from calls import ask, codes, enroll
from records import postgres_database
from services import LIGHT

from benchmarks.faults.site import Plan, Site

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def hosts(postgres_url: str, s3_url: str) -> Iterator[Site]:
    with postgres_database(postgres_url) as url:
        site = Site(Plan(workers=1, own_folders=True, settings={**LIGHT, "blobs_url": s3_url}), url, None)
        try:
            site.start()
            yield site
        finally:
            site.stop()
            site.remove()


def test_hosts_share_nothing_but_record_queue_and_blobs(hosts: Site, digits: Digits) -> None:
    with httpx.Client(base_url=hosts.url, timeout=90) as http:
        http.post("/v1/collections", json={"name": "digits"}).raise_for_status()
        for digit in (0, 1):
            results = enroll(http, "digits", str(digit), *(digits(digit, n) for n in range(3)))
            assert codes(results) == ["", "", ""]
        [answer] = ask(http, "digits", digits(0, 0))
        assert answer["neighbours"][0]["label"] == "0"
        thumbnail = http.get(answer["neighbours"][0]["thumbnail"])
        assert thumbnail.headers["content-type"] == "image/jpeg"
        job = http.post(
            "/v1/collections/digits/bulk",
            params={"kind": "classify"},
            content=archive(*(digits(1, n) for n in range(20))),
            headers={"Content-Type": "application/zip"},
        ).headers["location"]
        hosts.await_(lambda: http.get(job).json()["finished_at"], 100)
        found = http.get(job).json()
        assert (found["state"], found["progress"]["done"]) == ("succeeded", 20)
    assert list(hosts.folder.rglob("pictures")) == []
    assert [path.name for path in hosts.folder.rglob("uploads")] == []


def archive(*pictures: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number, picture in enumerate(pictures):
            file.writestr(f"{number}.png", picture)
    return out.getvalue()
