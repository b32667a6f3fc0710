"""The report of several labels a picture, and which labels are all, on the page in a real browser."""

from __future__ import annotations

import httpx
import pytest
from browsing import open_view
from calls import WAIT
from playwright.sync_api import Page, expect
from several import LABELS, Digits, enroll_labelled, make_several, supports_of
from waiting import until

pytestmark = pytest.mark.processes

EACH = 12
WRONG = ["digit/one", "straight"]


@pytest.fixture
def several(http: httpx.Client, digits: Digits) -> str:
    """A collection of several labels a picture, in which one zero is taught as a one."""
    name = make_several(http, digits)
    more = [(labels, [digits(digit, n) for n in range(6, EACH)]) for digit, labels in LABELS.items()]
    enroll_labelled(http, name, *more, (WRONG, [digits(0, EACH)]))
    return name


def test_report_shows_each_label_and_what_to_check(page: Page, http: httpx.Client, several: str) -> None:
    open_view(page, f"#/c/{several}")
    page.get_by_role("navigation", name="Collection").get_by_role("link", name="Report").click()
    report = http.get(f"/v1/collections/{several}/report/labels", headers=WAIT).json()
    expect(page.locator(".figures dd").first).to_have_text(f"{report['average']['map'] * 100:.0f} %")
    lines = page.locator(".matrix tbody tr")
    expect(lines).to_have_count(len(report["labels"]))
    for place, line in enumerate(report["labels"]):
        expect(lines.nth(place).locator("th")).to_have_text(line["label"])
        expect(lines.nth(place).locator("td").nth(2)).to_have_text(f"{line['f1']:.2f}")
        expect(lines.nth(place).locator("td").last).to_have_text(str(line["supports"]))
    pair = report["together"]["items"][0]
    expect(page.get_by_text(f"{' and '.join(pair['labels'])}: {pair['supports']} pictures")).to_be_visible()
    odd = supports_of(http, several, label="digit/one")[-1]
    found = [one for one in report["suspects"]["items"] if one["support_id"] == odd["id"]]
    assert found, report["suspects"]
    cards = page.locator(".cards > li")
    expect(cards).to_have_count(min(report["suspects"]["total"], 12))


def test_label_that_is_missing_or_wrong_is_changed_and_put_back(
    page: Page, http: httpx.Client, several: str
) -> None:
    report = http.get(f"/v1/collections/{several}/report/labels", headers=WAIT).json()
    first = report["suspects"]["items"][0]
    label, missing = first["label"], first["problem"] == "missing"
    path = f"/v1/collections/{several}/supports/{first['support_id']}"
    before = http.get(path).json()
    open_view(page, f"#/c/{several}/report")
    card = page.locator(".cards > li").first
    card.get_by_role("button", name=f"{'Add' if missing else 'Remove'} {label}", exact=True).click()
    expect(card.locator(".fix")).to_have_text(f"{label} {'added' if missing else 'removed'}")
    assert (label in http.get(path).json()["labels"]) is missing
    page.get_by_role("button", name="Undo").click()
    until(lambda: http.get(path).json()["labels"] == before["labels"])
    assert http.get(path).json()["complete"] == before["complete"]


def test_labels_are_said_to_be_all_or_not(page: Page, http: httpx.Client, several: str) -> None:
    def complete() -> list[bool]:
        return [one["complete"] for one in supports_of(http, several)]

    def are_shown(number: int) -> None:
        expect(page.locator(".grid").get_by_text("all its labels")).to_have_count(number)

    pictures = 2 * EACH + 1
    open_view(page, f"#/c/{several}/pictures")
    boxes = page.locator(".grid input")
    are_shown(pictures)
    for place in (0, 1):
        boxes.nth(place).check()
    page.get_by_role("button", name="There may be more").click()
    are_shown(pictures - 2)
    assert complete().count(False) == 2
    page.get_by_role("button", name="Undo").click()
    are_shown(pictures)
    assert all(complete())
    boxes.nth(2).check()
    page.get_by_role("button", name="There may be more").click()
    are_shown(pictures - 1)
    boxes.nth(2).check()
    page.get_by_role("button", name="These are all labels").click()
    are_shown(pictures)
    assert all(complete())
