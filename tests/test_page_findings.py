"""What people stumbled over on the page, and no longer do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from browsing import PHONE, as_files, drop, is_drawn, keep_undo, open_view, visit
from calls import as_json, classify_archive
from playwright.sync_api import Browser, Page, expect

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

ASK = '[aria-label="Classify: pictures"]'


def test_undone_answer_can_be_corrected_again(page: Page, taught: str, digits: Digits) -> None:
    open_view(page, f"#/c/{taught}")
    page.set_input_files(ASK, as_files(digits(0, 7)))
    one = page.locator(".fix").get_by_role("button", name="one", exact=True)
    one.click()
    keep_undo(page)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".answer.fixed")).to_have_count(0)
    expect(page.locator(".answer .pick input")).to_be_enabled()
    one.click()
    expect(page.locator(".answer.fixed")).to_contain_text("Added to one")


def test_messages_cover_no_button(page: Page, http: httpx.Client, taught: str, digits: Digits) -> None:
    job = classify_archive(http, taught, *((f"{n}.png", digits(n % 2, n)) for n in range(12)))
    page.set_viewport_size(PHONE)
    open_view(page, f"#/jobs/{job}")
    cards = page.locator(".answer")
    for n in range(2):  # two messages, one above the other
        cards.nth(n).get_by_role("button", name="Accept").click()
    expect(page.locator(".toast")).to_have_count(2)
    page.locator(".toast").first.hover()
    cards.nth(2).locator(".pick input").check()
    add = page.get_by_role("button", name="Add to class")
    expect(add).to_be_visible()
    page.wait_for_function(
        """() => document.querySelector('.selection').getBoundingClientRect().bottom
                 <= document.getElementById('toasts').getBoundingClientRect().top"""
    )


def test_examples_are_shown_with_what_they_are_ordered_by_and_can_be_opened(
    page: Page, http: httpx.Client, taught: str, digits: Digits
) -> None:
    job = classify_archive(http, taught, ("a.png", digits(0, 7)))
    [result] = http.get(f"/v1/jobs/{job}/results").json()["items"]
    shares = [f"{round(one['share'] * 100)} %" for one in result["explanation"]["supports"][:4]]
    open_view(page, f"#/jobs/{job}")
    expect(page.locator(".because li")).to_have_text(shares)
    page.locator(".because .thumb").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("similarity")
    assert is_drawn(page, ".lightbox .large")
    page.get_by_role("link", name="Open class zero").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("zero")


def test_retry_is_offered_only_where_it_may_help(
    page: Page, http: httpx.Client, taught: str, digits: Digits
) -> None:
    job = classify_archive(http, taught, ("a.png", digits(0, 7)), ("broken.png", b"no picture"))
    open_view(page, f"#/jobs/{job}")
    expect(page.locator(".answer.failed")).to_contain_text("Picture unreadable")
    expect(page.locator(".job-bar")).to_contain_text("1 failed")
    expect(page.get_by_role("button", name="Retry failed")).to_have_count(0)


def test_retry_is_offered_for_what_failed_by_chance(page: Page, http: httpx.Client, taught: str) -> None:
    job = http.post(f"/v1/collections/{taught}/classify", json=as_json(b"no picture")).json().get("id")
    found = http.get("/v1/jobs").json()["items"][0]["id"] if job is None else job
    page.route(
        f"**/v1/jobs/{found}/summary", lambda route: route.fulfill(json={"errors": {"work_failed": 1}})
    )
    page.route(
        f"**/v1/jobs/{found}",
        lambda route: route.fulfill(json={**http.get(f"/v1/jobs/{found}").json(), "state": "failed"}),
    )
    open_view(page, f"#/jobs/{found}")
    expect(page.get_by_role("button", name="Retry failed")).to_be_visible()


def test_counts_leave_out_what_was_removed(page: Page, taught: str) -> None:
    open_view(page, f"#/c/{taught}/class/zero")
    for n in range(2):
        page.locator(".tile input").nth(n).check()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("h1 + p, h1 + nav + p").first).to_contain_text("2 pictures")
    keep_undo(page)
    page.get_by_role("link", name=taught).click()
    expect(page.locator(".class-card", has_text="zero")).to_contain_text("2 pictures")
    expect(page.locator(".row.spread", has_text="Classes")).to_contain_text("2 classes, 6 pictures")


def test_error_of_a_name_goes_when_another_one_is_typed(page: Page, taught: str) -> None:
    open_view(page, "#/")
    name = page.get_by_label("Name", exact=True)
    name.fill(taught)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_be_visible()
    name.fill(f"{taught}-2")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(
    ("open_form", "field", "typed"), [("Rename", "New name", "one"), ("Merge into…", "Merge into", "nowhere")]
)
def test_failed_rename_or_merge_keeps_what_was_typed(
    page: Page, taught: str, open_form: str, field: str, typed: str
) -> None:
    open_view(page, f"#/c/{taught}/class/zero")
    page.get_by_role("button", name=open_form).click()
    page.get_by_label(field).fill(typed)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label(field)).to_have_value(typed)


def test_moving_to_a_typo_asks_first(page: Page, http: httpx.Client, taught: str) -> None:
    open_view(page, f"#/c/{taught}/class/zero")
    page.locator(".tile input").first.check()
    page.get_by_label("Move to").fill("onw")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("There is no class onw.")).to_be_visible()
    assert http.get(f"/v1/collections/{taught}/classes/onw").status_code == 404
    page.get_by_role("button", name="Use one").click()
    expect(page.locator(".tile")).to_have_count(3)


def test_empty_folder_is_told(page: Page, taught: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    open_view(page, f"#/c/{taught}")
    drop(page, ".drop >> nth=0", tmp_path / "empty")
    expect(page.locator(".message").first).to_have_text("No files found: the folder is empty.")


def test_panels_fold_away_once_there_are_answers(page: Page, taught: str, digits: Digits) -> None:
    open_view(page, f"#/c/{taught}")
    page.set_input_files(ASK, as_files(digits(0, 7)))
    expect(page.locator(".answer")).to_be_visible()
    expect(page.locator(".drop").first).to_be_hidden()
    page.get_by_role("button", name="Show Add examples").click()
    expect(page.locator(".drop").first).to_be_visible()


def test_phone_takes_a_photo(
    browser: Browser, service: Stack, http: httpx.Client, taught: str, digits: Digits
) -> None:
    with visit(browser, service.url, viewport=PHONE, has_touch=True, is_mobile=True) as page:
        open_view(page, f"#/c/{taught}")
        camera = page.locator('[aria-label="Classify: camera"]')
        expect(camera).to_have_attribute("capture", "environment")
        expect(page.get_by_role("button", name="Take a photo").last).to_be_visible()
        camera.set_input_files(as_files(digits(0, 7)))
        expect(page.locator(".answer strong")).to_have_text("zero")
