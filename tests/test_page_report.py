"""The report of a collection, and what is known of its encoder, on the page in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import httpx
import pytest
from browsing import PHONE, findings, in_short, is_drawn, open_view
from calls import enroll_classes
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def mistaken(http: httpx.Client, collection: str, digits: Digits) -> str:
    """A collection of two digits in which two ones are called zero."""
    classes = {label: [digits(digit, n) for n in range(6)] for label, digit in (("zero", 0), ("one", 1))}
    classes["zero"] += [digits(1, 8), digits(1, 9)]
    enroll_classes(http, collection, classes)
    return collection


def test_report_shows_matrix_and_what_to_photograph(page: Page, taught: str) -> None:
    open_view(page, f"#/c/{taught}/report")
    expect(page.locator(".figures")).to_contain_text("accuracy, 8 pictures")
    matrix = page.get_by_role("region", name="Confusion matrix")
    expect(matrix.get_by_role("row", name="zero 4")).to_be_visible()
    expect(page.get_by_role("heading", name="What to photograph next")).to_be_visible()
    expect(page.get_by_role("heading", name="Left to people")).to_be_visible()
    expect(page.get_by_text("Accuracy by examples of each class: 1: ")).to_be_visible()
    expect(page.get_by_text("at most 1 % wrong by machine: 100 %")).to_be_visible()
    expect(page.get_by_text("Encoder: ")).to_contain_text("efficientnet_lite0")
    expect(page.get_by_role("row", name="zero 1.00")).to_be_visible()


def test_report_says_what_to_do_first_and_its_cells_open_their_pictures(
    page: Page, http: httpx.Client, mistaken: str
) -> None:
    open_view(page, f"#/c/{mistaken}/report")
    expect(page.get_by_role("region", name="Do this first").locator("li").first).to_contain_text("Check")
    report = http.get(f"/v1/collections/{mistaken}/report").json()
    mistake = report["mistakes"]["items"][0]
    cell = page.get_by_role("button", name=f"of {mistake['label']} predicted as {mistake['named']}")
    cell.click()
    opened = page.get_by_role("region", name="Confusions").locator(".answer")
    row = report["confusion"]["labels"].index(mistake["label"])
    column = report["confusion"]["labels"].index(mistake["named"])
    expect(opened).to_have_count(report["confusion"]["counts"][row][column])
    expect(opened.first.locator(".file")).to_have_text(f"number {mistake['support_id']}")
    assert is_drawn(page, ".answer .shown") and is_drawn(page, ".answer .because img")


def test_encoder_of_a_new_collection_is_chosen_with_what_is_known_of_it(
    page: Page, http: httpx.Client
) -> None:
    open_view(page, "#/")
    name = f"enc-{uuid4().hex[:8]}"
    page.get_by_text("Options", exact=True).click()
    expect(page.get_by_label("Encoder")).to_have_value("efficientnet_lite0")
    expect(page.locator("#encoder-hint")).to_contain_text("74 / 90 %")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert http.get(f"/v1/collections/{name}").json()["encoder"] == "efficientnet_lite0"


def test_settings_and_report_have_no_finding_and_fit_a_phone(page: Page, mistaken: str) -> None:
    page.set_viewport_size(PHONE)
    for view, there in (("settings", "#certainty"), ("report", ".matrix td button")):
        open_view(page, f"#/c/{mistaken}/{view}")
        page.locator(there).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
        assert in_short(findings(page)) == [], view
