"""The reference of the API in a real browser: in groups, on a phone, with calls that can be tried."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PHONE, visit
from playwright.sync_api import Browser, expect

from cli.stack import Stack

pytestmark = pytest.mark.processes


def test_calls_are_in_groups_and_lead_back(browser: Browser, service: Stack) -> None:
    with visit(browser, service.url) as page:
        page.goto(f"{service.url}/docs")
        expect(page.get_by_role("heading", name="Reviews")).to_be_visible()
        group = page.get_by_role("region", name="Reviews")
        expect(group.locator("summary").filter(has_text="/redecide")).to_be_visible()
        assert page.locator("section details").count() > 40
        page.get_by_role("link", name="← Exemplar").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Collections")


def test_call_is_tried(browser: Browser, service: Stack, collection: str) -> None:
    with visit(browser, service.url) as page:
        page.goto(f"{service.url}/docs")
        call = page.locator('form[data-method="GET"][data-path="/v1/collections/{collection}"]')
        call.locator("xpath=..").locator("summary").click()
        call.get_by_label("collection").fill(collection)
        call.get_by_role("button", name="Send").click()
        expect(call.locator("output")).to_contain_text(f'"name": "{collection}"')
        call.get_by_label("collection").fill("no where/")
        call.get_by_role("button", name="Send").click()
        expect(call.locator("output")).to_contain_text("404")


def test_call_with_a_body_is_tried(browser: Browser, service: Stack, collection: str) -> None:
    with visit(browser, service.url) as page:
        page.goto(f"{service.url}/docs")
        call = page.locator('form[data-method="POST"][data-path="/v1/collections"]')
        call.locator("xpath=..").locator("summary").click()
        call.get_by_label("Body").fill(f'{{"name": "{collection}"}}')
        call.get_by_role("button", name="Send").click()
        expect(call.locator("output")).to_contain_text("collection_exists")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_reference_is_no_wider_than_a_phone_and_has_no_finding(
    browser: Browser, service: Stack, theme: str
) -> None:
    with visit(browser, service.url, viewport=PHONE, color_scheme=theme) as page:
        page.goto(f"{service.url}/docs")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in found]
