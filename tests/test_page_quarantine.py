"""The page's view of what contributors enrolled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from browsing import findings, in_short, is_drawn, open_view, serious
from playwright.sync_api import Page, ViewportSize, expect
from waiting import until

from cli.stack import Stack
from core.jobs import Item, JobKind, JobRequest, Lane, Origin
from core.settings import Settings
from store.blobs import PICTURES
from store.record.quarantine import OPTION
from store.store import open_store
from store.work.jobs import new_job_id

pytestmark = [pytest.mark.processes, pytest.mark.tiny]

Digits = Callable[[int, int], bytes]
WIDE = ViewportSize(width=1280, height=900)
NARROW = ViewportSize(width=390, height=800)


@pytest.fixture
def contributed(service: Stack, http: httpx.Client, taught: str, digits: Digits) -> Iterator[str]:
    """A collection to which somebody contributed four pictures of a one, the last as a zero."""
    store = open_store(Settings(data=Path(service.environment["EXEMPLAR_DATA"])))
    items = [
        Item(n, store.blobs.put(PICTURES, digits(1, 10 + n)), "zero" if n == 3 else "one") for n in range(4)
    ]
    origin = Origin("asked", "0123456789ab")
    request = JobRequest(
        taught, JobKind.ENROLL, Lane.INTERACTIVE, items, origin=origin, options={OPTION: "ann"}
    )
    store.jobs.submit(new_job_id(), request)
    store.database.close()
    until(lambda: len(http.get(f"/v1/collections/{taught}/quarantine").json()["items"]) == 4)
    yield taught


def test_owner_accepts_and_refuses(page: Page, http: httpx.Client, contributed: str) -> None:
    here = f"/v1/collections/{contributed}"
    before = http.get(here).json()["supports"]
    open_view(page, f"#/c/{contributed}/pictures")
    page.get_by_role("link", name="Pictures from contributors wait for you").click()
    expect(page.locator(".tile")).to_have_count(4)
    assert is_drawn(page, ".tile img")
    expect(page.locator(".tile", has_text="zero")).to_contain_text("looks like one")
    expect(page.locator(".hint")).to_contain_text("1 of them looks like another class")

    page.get_by_role("button", name="Select all shown").click()
    page.locator(".tile", has_text="looks like").locator("input").uncheck()
    page.get_by_role("button", name="Accept").click()
    expect(page.locator(".tile")).to_have_count(1)
    page.locator(".tile input").check()
    page.get_by_role("button", name="Refuse").click()
    page.locator("#toasts").get_by_role("button", name="Undo").last.click()
    expect(page.locator(".tile")).to_have_count(1)
    page.reload()  # which does what waits
    until(lambda: http.get(here).json()["supports"] == before + 3)
    assert [one["label"] for one in http.get(f"{here}/quarantine").json()["items"]] == ["zero"]


def test_view_is_for_everyone(page: Page, contributed: str) -> None:
    open_view(page, f"#/c/{contributed}/quarantine")
    page.get_by_text("looks like one").wait_for()
    page.locator(".tile input").first.check()
    assert is_drawn(page, ".tile img")
    for size in (WIDE, NARROW):
        page.set_viewport_size(size)
        assert in_short(serious(findings(page))) == [], size
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), size
