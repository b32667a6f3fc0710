"""The reference of the API in a real browser: in groups, on a phone, with calls that can be tried."""

from __future__ import annotations

import pytest
from browsing import PHONE, findings, findings_but_of_colours, in_short
from playwright.sync_api import Page, expect

from cli.stack import Stack

pytestmark = [pytest.mark.processes, pytest.mark.tiny]


SHOW_KINDS = """() => {
    const seen = new Set();
    for (const call of document.querySelectorAll("details")) {
        const kinds = [...call.querySelectorAll("*")].map((one) => `${one.tagName} ${one.className}`);
        call.hidden = kinds.every((kind) => seen.has(kind));
        kinds.forEach((kind) => seen.add(kind));
    }
}"""
"""Hides what shows no element of a kind that none before has."""


@pytest.fixture
def reference(page: Page, service: Stack) -> Page:
    page.goto(f"{service.url}/docs")
    return page


def test_calls_are_in_groups_and_lead_back(reference: Page) -> None:
    expect(reference.get_by_role("heading", name="Reviews")).to_be_visible()
    group = reference.get_by_role("region", name="Reviews")
    expect(group.locator("summary").filter(has_text="/redecide")).to_be_visible()
    assert reference.locator("section details").count() > 40
    reference.get_by_role("link", name="← Exemplar").click()
    expect(reference.get_by_role("heading", level=1)).to_have_text("Collections")


def test_call_is_tried(reference: Page, collection: str) -> None:
    call = reference.locator('form[data-method="GET"][data-path="/v1/collections/{collection}"]')
    call.locator("xpath=..").locator("summary").click()
    call.get_by_label("collection").fill(collection)
    call.get_by_role("button", name="Send").click()
    expect(call.locator("output")).to_contain_text(f'"name": "{collection}"')
    call.get_by_label("collection").fill("no where/")
    call.get_by_role("button", name="Send").click()
    expect(call.locator("output")).to_contain_text("404")


def test_call_with_a_body_is_tried(reference: Page, collection: str) -> None:
    call = reference.locator('form[data-method="POST"][data-path="/v1/collections"]')
    call.locator("xpath=..").locator("summary").click()
    call.get_by_label("Body").fill(f'{{"name": "{collection}"}}')
    call.get_by_role("button", name="Send").click()
    expect(call.locator("output")).to_contain_text("collection_exists")


def test_reference_is_no_wider_than_a_phone_and_has_no_finding(reference: Page) -> None:
    reference.set_viewport_size(PHONE)
    reference.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert reference.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert in_short(findings_but_of_colours(reference)) == []
    reference.evaluate(SHOW_KINDS)
    assert in_short(findings(reference)) == []
