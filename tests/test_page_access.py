"""The page for everyone: by keyboard, on a phone, in both themes, and with labels that mean harm."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from browsing import PHONE, as_files, findings, in_short, is_drawn, keep_undo, open_view, serious, visit
from calls import WAIT, as_json, enroll_classes
from playwright.sync_api import Browser, Page, expect

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]
Views = dict[str, str]

EVIL = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def views(service: Stack, digits: Digits) -> Views:
    """Every view, by what must be there before it is looked at, with labels and names that are markup."""
    name = f"access-{uuid4().hex[:8]}"
    with httpx.Client(base_url=service.url, timeout=90) as http:
        http.post("/v1/collections", json={"name": name})
        labels = (EVIL, "one", "a-very-long-label-without-any-space-" * 3)
        classes = {label: [digits(digit, n) for n in range(3)] for digit, label in enumerate(labels)}
        enroll_classes(http, name, classes)
        asked = as_json(digits(0, 5), digits(1, 5), digits(7, 5), b"broken", custom_id=EVIL)
        job = http.post(f"/v1/collections/{name}/classify", json=asked, headers=WAIT).json()["id"]
    return {
        "#/": ".maker",
        f"#/c/{name}": ".class-card img",
        f"#/c/{name}/class/one": ".tile img",
        f"#/c/{name}/pictures": ".tile .label",
        f"#/c/{name}/report": ".matrix td",
        "#/jobs": ".rows .job-bar",
        f"#/jobs/{job}": ".answer .because",
    }


def show(page: Page, views: Views, view: str) -> None:
    open_view(page, view)
    page.locator(views[view]).first.wait_for()


def test_no_view_has_a_serious_finding(page: Page, views: Views) -> None:
    for view in views:
        show(page, views, view)
        assert in_short(serious(findings(page))) == [], view


def test_no_view_is_wider_than_a_phone(page: Page, views: Views) -> None:
    page.set_viewport_size(PHONE)
    for view in views:
        show(page, views, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view


def test_labels_are_text_in_every_view(page: Page, views: Views) -> None:
    """The page fails where anything was alerted."""
    for view in views:
        show(page, views, view)
        assert page.locator('img[src="x"]').count() == 0
        if view not in ("#/", "#/jobs") and not view.endswith("/one"):
            expect(page.locator("main")).to_contain_text(EVIL)  # also of what is not drawn yet


def test_page_is_used_by_keyboard_alone(browser: Browser, service: Stack, digits: Digits) -> None:
    with visit(browser, service.url) as page:
        page.goto(f"{service.url}/")
        page.on("filechooser", lambda _: None)  # from the beginning: turned on too late, it would miss one
        name = f"keys-{uuid4().hex[:8]}"
        reach(page, "#name")
        page.keyboard.press("Control+a")
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        for label, digit in (("zero", 0), ("one", 1)):
            page.wait_for_selector("#label")
            reach(page, "#label")
            page.keyboard.type(label)
            with page.expect_file_chooser() as chooser:
                press(page, "Choose pictures")
            chooser.value.set_files(as_files(*(digits(digit, n) for n in range(3))))
            expect(page.locator(".class-card", has_text=label)).to_be_visible()
        reach(page, '[aria-labelledby="ask-title"] .drop button:not(.phone)')
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        chooser.value.set_files(as_files(digits(0, 5)))
        page.wait_for_selector(".answer .fix button")
        reach(page, ".answer .fix button:nth-of-type(2)")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.locator(".answer.fixed")).to_contain_text("Added to one")
        keep_undo(page)
        reach(page, ".toast button")
        page.keyboard.press("Enter")
        expect(page.locator("#said")).to_have_text("Undone")


def stops(page: Page) -> range:
    """Return as many numbers as Tab may be pressed: other tests leave collections, each with its links."""
    found = page.locator("a, button, input, select, textarea, summary, [tabindex]").count()
    return range(2 * found + 10)


def reach(page: Page, selector: str) -> None:
    """Press Tab until what is selected has the focus."""
    page.wait_for_selector(selector)
    for _ in stops(page):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is not reached by Tab")


def press(page: Page, text: str) -> None:
    """Press Tab until a button of this text has the focus, then Enter."""
    for _ in stops(page):
        if page.evaluate("document.activeElement.textContent") == text:
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{text} is not reached by Tab")


def test_view_that_comes_is_where_the_focus_goes(page: Page, views: Views) -> None:
    show(page, views, "#/jobs")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.title() == "Jobs · Exemplar"


def test_actions_are_announced_in_a_live_region(page: Page, digits: Digits, views: Views) -> None:
    view = list(views)[1]
    show(page, views, view)
    page.set_input_files('[aria-label="Classify: pictures"]', as_files(digits(1, 8)))
    expect(page.locator("#said")).to_contain_text("1 picture classified")
    assert is_drawn(page, ".answer .shown")
