"""Several labels a picture on the page in a real browser: from a new collection to its pictures."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from browsing import as_files, findings, in_short, is_drawn, open_view, visit
from playwright.sync_api import Browser, Page, expect
from several import (
    LABELS,
    Digits,
    chip,
    classify_digits,
    is_reviewed,
    labels_of,
    make_several,
    open_review,
    results_of,
    supports_of,
)
from waiting import until

from cli.stack import Stack

pytestmark = pytest.mark.processes

TEACH = '[aria-label="Examples: pictures"]'
TEACH_FOLDER = '[aria-label="Examples: folder"]'
ASK = '[aria-label="Classify: pictures"]'
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def several(http: httpx.Client, digits: Digits) -> str:
    """A collection of several labels a picture."""
    return make_several(http, digits)


@pytest.fixture
def job(http: httpx.Client, several: str, digits: Digits) -> str:
    """A job of six answers of that collection."""
    return classify_digits(http, several, digits)


def test_from_a_new_collection_to_a_reviewed_answer(page: Page, http: httpx.Client, digits: Digits) -> None:
    open_view(page, "#/")
    name = f"many-{uuid4().hex[:8]}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_text("Options").click()
    page.get_by_label("Labels of a picture").select_option("several")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert http.get(f"/v1/collections/{name}").json()["labels"] == "many"
    for digit, labels in LABELS.items():
        page.get_by_label("Labels", exact=True).fill(labels[0])
        page.keyboard.press("Enter")
        page.get_by_label("Labels", exact=True).press_sequentially(f"{labels[1]},")
        page.get_by_label("These are all its labels").check()
        page.set_input_files(TEACH, as_files(*(digits(digit, n) for n in range(6))))
        expect(page.locator(".ok")).to_have_text(f"Added 6 examples with {', '.join(labels)}")
        expect(page.get_by_role("list", name="Labels now").locator("li .chips").first).to_contain_text(
            "all its labels"
        )
        expect(page.get_by_label("These are all its labels")).not_to_be_checked()
    assert labels_of(http, name) == {
        "digit": 12, "digit/one": 6, "digit/zero": 6, "round": 6, "straight": 6,
    }  # fmt: skip
    assert all(one["complete"] for one in supports_of(http, name))
    page.set_input_files(ASK, as_files(digits(0, 20), name="new"))
    card = page.locator(".answer")
    round_ = card.locator('[data-label="round"]')
    expect(round_).to_contain_text("%")
    round_.focus()
    expect(round_).to_have_attribute("aria-expanded", "true")
    assert is_drawn(page, ".answer .shown") and is_drawn(page, ".answer .because img")
    page.get_by_role("link", name="Review", exact=True).click()
    expect(page.locator(".tiles > li")).to_have_count(1)
    chip(page, "round").click()
    expect(chip(page, "round")).to_have_attribute("aria-pressed", "false")
    page.locator(".tiles > li").click()
    page.keyboard.press("/")
    page.keyboard.type("hole")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Create label hole").press("Enter")
    expect(page.locator(".tiles .label")).to_have_text("digit/zero, hole")
    page.reload()
    expect(page.locator(".tiles .label")).to_have_text("digit/zero, hole")
    is_reviewed(page, 1, of=1)
    expect(page.locator(".picker").get_by_role("option", name="hole")).to_be_visible()


def test_one_label_stays_the_default(page: Page, http: httpx.Client) -> None:
    open_view(page, "#/")
    name = f"one-{uuid4().hex[:8]}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert http.get(f"/v1/collections/{name}").json()["labels"] == "one"
    expect(page.get_by_role("link", name="Report")).to_be_visible()


def test_chips_are_typed_completed_and_removed(page: Page, several: str) -> None:
    open_view(page, f"#/c/{several}")
    field = page.get_by_label("Labels", exact=True)
    typed = page.get_by_role("list", name="Labels so far").locator("li")
    field.press_sequentially("dog,beach, ball,")
    expect(typed).to_have_count(3)
    field.press("Backspace")
    expect(typed).to_have_count(2)
    page.get_by_role("button", name="Remove dog").click()
    expect(typed).to_have_text(["beach×"])
    expect(field).to_be_focused()
    offered = page.locator(f"datalist#{field.get_attribute('list')} option")
    expect(offered).to_have_count(5)


def test_pictures_without_labels_are_asked_about(
    page: Page, http: httpx.Client, several: str, digits: Digits
) -> None:
    before = len(supports_of(http, several))
    open_view(page, f"#/c/{several}")
    page.set_input_files(TEACH, as_files(digits(7, 0)))
    expect(page.locator(".stage .lead")).to_contain_text("Which labels does this picture have?")
    page.get_by_label("These are all its labels").check()
    expect(page.locator("#complete-help")).to_contain_text("none of the labels")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".ok")).to_have_text("Added 1 example with none of the labels")
    assert [(one["labels"], one["complete"]) for one in supports_of(http, several)[before:]] == [([], True)]


def test_same_picture_gets_the_labels_of_both(
    page: Page, http: httpx.Client, several: str, digits: Digits
) -> None:
    open_view(page, f"#/c/{several}")
    page.get_by_label("Labels", exact=True).fill("hole")
    page.set_input_files(TEACH, as_files(digits(0, 0)))
    now = page.get_by_role("list", name="Labels now").locator("li").first
    expect(now).to_contain_text("already there")
    expect(now.locator(".tag")).to_have_text(["digit/zero", "hole", "round"])
    assert labels_of(http, several)["hole"] == 1


def test_many_pictures_get_all_labels_in_one_job(
    page: Page, http: httpx.Client, several: str, digits: Digits
) -> None:
    open_view(page, f"#/c/{several}")
    page.get_by_label("Labels", exact=True).fill("open, straight")
    page.set_input_files(TEACH, as_files(*(digits(7, n) for n in range(20))))
    expect(page.locator(".ok")).to_have_text("Added 20 examples with open, straight")
    found = supports_of(http, several, label="open")
    assert [(one["labels"], one["complete"]) for one in found] == [(["open", "straight"], False)] * 20


def test_picture_in_several_folders_gets_the_labels_of_all(
    page: Page, http: httpx.Client, several: str, digits: Digits, tmp_path: Path
) -> None:
    for folder in ("open", "corner"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "7.png").write_bytes(digits(7, 0))
    open_view(page, f"#/c/{several}")
    page.set_input_files(TEACH_FOLDER, tmp_path)
    expect(page.locator(".ok")).to_be_visible()
    assert [one["labels"] for one in supports_of(http, several, label="open")] == [["corner", "open"]]


def test_labels_of_examples_are_added_and_removed(page: Page, http: httpx.Client, several: str) -> None:
    open_view(page, f"#/c/{several}/class/{'digit%2Fzero'}")
    expect(page.get_by_role("button", name="Treat as background")).to_have_count(0)
    tiles = page.locator(".grid > li")
    expect(tiles).to_have_count(6)
    expect(tiles.first.locator(".tag")).to_have_text(["digit/zero", "round"])
    tiles.first.locator("input").check()
    page.get_by_label("Label", exact=True).fill("hole")
    page.get_by_role("button", name="Add label", exact=True).click()
    page.get_by_role("button", name="Create class hole").click()
    expect(tiles.first.locator(".tag")).to_have_text(["digit/zero", "hole", "round"])
    tiles.first.locator("input").check()
    page.get_by_label("Label", exact=True).fill("digit/zero")
    page.get_by_role("button", name="Remove label").click()
    expect(tiles).to_have_count(5)
    assert supports_of(http, several, label="hole")[0]["labels"] == ["digit", "hole", "round"]
    page.locator(".toast").last.get_by_role("button", name="Undo").click()
    expect(tiles).to_have_count(6)
    open_view(page, f"#/c/{several}/pictures")
    expect(tiles).to_have_count(12)
    tiles.first.locator("input").check()
    page.get_by_role("button", name="Remove pictures").click()
    expect(tiles).to_have_count(11)
    open_view(page, f"#/c/{several}")
    expect(page.get_by_text("6 classes, 11 pictures")).to_be_visible()
    expect(page.locator(".class-card", has_text="digit/zero")).to_contain_text("5 pictures")


def test_what_is_for_one_label_is_left_out(page: Page, http: httpx.Client, several: str) -> None:
    open_view(page, f"#/c/{several}/settings")
    expect(page.get_by_label("Rule").locator("option")).to_have_count(3)
    page.get_by_label("Aim").select_option("precision")
    page.get_by_label("Precision, %").fill("80")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Rule saved")
    rule = http.get(f"/v1/collections/{several}").json()["rule"]
    assert (rule["aim"], rule["precision"]) == ("precision", 0.8)


def views_of(several: str, job: str) -> list[str]:
    return [
        f"#/c/{several}",
        f"#/c/{several}/pictures",
        f"#/c/{several}/report",
        f"#/c/{several}/settings",
        f"#/jobs/{job}",
        f"#/jobs/{job}/review",
    ]


def test_several_labels_have_no_finding_of_axe(page: Page, several: str, job: str) -> None:
    for view in views_of(several, job):
        open_view(page, view)
        if "/c/" in view and view.endswith(several):
            page.get_by_label("Labels", exact=True).fill("dog,")
        if view.endswith("review"):
            open_review(page, job)
            page.keyboard.press("2")
            is_reviewed(page, 1)
        else:
            page.wait_for_load_state("networkidle")
        assert in_short(findings(page)) == [], view


def test_several_labels_fit_on_a_phone(
    browser: Browser, service: Stack, http: httpx.Client, several: str, job: str
) -> None:
    with visit(browser, service.url, viewport=PHONE, has_touch=True) as page:
        for view in views_of(several, job):
            open_view(page, view)
            page.wait_for_load_state("networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
        page.locator(".tiles > li").first.tap()
        preview = page.locator("dialog.preview")
        preview.locator('[data-label="round"]').tap()
        is_reviewed(page, 1)
        expect(preview).to_contain_text("0.png")
        until(lambda: "round" not in results_of(http, job)[0]["final_labels"])
        assert page.evaluate("document.querySelector('.preview').scrollWidth") <= PHONE["width"]
