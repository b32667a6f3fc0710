"""Several labels a picture on the page in a real browser: examples, answers, review and pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import as_files, is_drawn, open_view, visit
from calls import WAIT, classify_archive, files
from playwright.sync_api import Browser, Locator, Page, Route, expect
from waiting import until

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

TEACH = '[aria-label="Examples: pictures"]'
ASK = '[aria-label="Classify: pictures"]'
LABELS = {0: ["digit/zero", "round"], 1: ["digit/one", "straight"]}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def several(http: httpx.Client, digits: Digits) -> str:
    """A collection of several labels a picture that knows two digits, with all their labels."""
    name = f"many-{uuid4().hex[:8]}"
    assert http.post("/v1/collections", json={"name": name, "labels": "many"}).status_code == 201
    for digit, labels in LABELS.items():
        pictures = files(*(digits(digit, n) for n in range(6)))
        path = f"/v1/collections/{name}/enroll"
        http.post(path, data={"label": labels, "complete": "true"}, files=pictures, headers=WAIT)
    return name


@pytest.fixture
def job(http: httpx.Client, several: str, digits: Digits) -> str:
    """A job of six answers, in turn of either digit."""
    return classify_archive(http, several, *((f"{n}.png", digits(n % 2, 20 + n)) for n in range(6)))


def results_of(http: httpx.Client, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get(f"/v1/jobs/{job}/results").json()["items"]
    return found


def supports_of(http: httpx.Client, collection: str, **query: str) -> list[dict[str, Any]]:
    found = http.get(f"/v1/collections/{collection}/supports", params={"limit": "1000", **query})
    items: list[dict[str, Any]] = found.json()["items"]
    return items


def labels_of(http: httpx.Client, collection: str) -> dict[str, int]:
    found = http.get(f"/v1/collections/{collection}/classes").json()["items"]
    return {class_["label"]: class_["supports"] for class_ in found}


def has_final(http: httpx.Client, job: str, item: int, labels: set[str]) -> None:
    until(lambda: set(results_of(http, job)[item]["final_labels"]) == labels)


def open_review(page: Page, job: str, query: str = "", *, answers: int = 6) -> Locator:
    open_view(page, f"#/jobs/{job}/review{query}")
    tiles = page.locator(".tiles > li")
    expect(tiles).to_have_count(answers)
    return tiles


def chip(page: Page, label: str) -> Locator:
    return page.locator(f'aside .verdicts [data-label="{label}"]')


def is_reviewed(page: Page, number: int, of: int = 6) -> None:
    expect(page.locator(".reviewed")).to_have_text(f"{number} of {of} reviewed")


def test_from_a_new_collection_to_a_reviewed_answer(page: Page, http: httpx.Client, digits: Digits) -> None:
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


def test_one_label_stays_the_default(page: Page, http: httpx.Client) -> None:
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


def test_answer_is_corrected_label_by_label(page: Page, http: httpx.Client, job: str) -> None:
    before = set(results_of(http, job)[0]["final_labels"])
    open_view(page, f"#/jobs/{job}")
    card = page.locator(".answer").first
    card.locator('[data-label="round"]').click()
    expect(card.locator(".because li").first).to_be_visible()
    card.get_by_role("button", name="Remove round").click()
    expect(card.locator('[data-label="round"]')).to_have_count(0)
    has_final(http, job, 0, before - {"round"})
    card.get_by_role("button", name="Add label…").click()
    card.get_by_label("Label to add").fill("straight")
    page.keyboard.press("Enter")
    expect(card.locator('[data-label="straight"]')).to_be_visible()
    has_final(http, job, 0, before - {"round"} | {"straight"})
    page.locator(".toast").last.get_by_role("button", name="Undo").click()
    has_final(http, job, 0, before - {"round"})
    card.get_by_role("button", name="None of the labels").click()
    expect(card).to_contain_text("None of the labels")
    has_final(http, job, 0, set())
    page.reload()
    expect(page.locator(".answer.fixed")).to_have_count(1)
    expect(page.get_by_role("button", name="Reviewed 1")).to_be_visible()


def as_unsure_and_none(route: Route) -> None:
    """Answer with the results of the service, of which the first is made unsure, the second none."""
    found = route.fetch()
    body = found.json()
    unsure, none = body["items"][:2]
    unsure |= {"decision": "ambiguous", "final_labels": []}
    unsure["labels"] = [{**one, "decision": "unsure"} for one in unsure["labels"]]
    none |= {"decision": "none", "final_labels": [], "labels": [], "confidence": 0.0}
    route.fulfill(response=found, json=body)


def test_unsure_labels_and_none_are_said_in_words(page: Page, http: httpx.Client, job: str) -> None:
    page.route("**/results?*", as_unsure_and_none)
    open_view(page, f"#/jobs/{job}")
    unsure, none = page.locator(".answer").nth(0), page.locator(".answer").nth(1)
    expect(unsure.locator(".badge")).to_have_text("not sure")
    expect(unsure.locator('[data-label="round"]')).to_have_text(re.compile(r"^\? round \d+ % unsure$"))
    dashed = unsure.locator('[data-label="round"]').evaluate("chip => getComputedStyle(chip).borderStyle")
    assert dashed == "dashed"
    expect(none.locator(".badge")).to_have_text("none of the labels")
    expect(none.locator(".chips")).to_have_text("None of the labels")
    expect(none.locator(".because")).to_contain_text("closest")
    tiles = open_review(page, job)
    expect(tiles.nth(0).locator(".label")).to_contain_text("? round")
    expect(tiles.nth(1).locator(".label")).to_have_text("None of the labels")
    page.keyboard.press("Enter")  # accepted as it stands: none of its labels is certain
    expect(tiles.nth(0).locator(".label")).to_have_text("None of the labels")


def test_enter_accepts_in_the_large_preview(page: Page, http: httpx.Client, job: str) -> None:
    before = results_of(http, job)[0]["final_labels"]
    open_review(page, job)
    page.keyboard.press("Space")
    preview = page.locator("dialog.preview")
    expect(preview).to_be_focused()
    page.keyboard.press("Enter")
    is_reviewed(page, 1)
    expect(preview).to_contain_text("1.png")
    until(lambda: results_of(http, job)[0]["reviewed"])
    assert results_of(http, job)[0]["final_labels"] == before


def test_review_by_keys_changes_labels_accepts_and_undoes(page: Page, http: httpx.Client, job: str) -> None:
    before = [set(one["final_labels"]) for one in results_of(http, job)]
    tiles = open_review(page, job)
    first = results_of(http, job)[0]["candidates"][0]["label"]
    assert first in before[0]
    gone = {label for label in before[0] if label == first or label.startswith(f"{first}/")}
    page.keyboard.press("1")
    has_final(http, job, 0, before[0] - gone)
    page.keyboard.press("1")
    has_final(http, job, 0, before[0] - gone | {first})
    expect(tiles.first).to_contain_text(first)
    page.keyboard.press("z")
    has_final(http, job, 0, before[0] - gone)
    page.keyboard.press("Enter")  # what was changed stands as it is
    expect(page.locator(".tiles .current")).to_have_attribute("id", "answer-1")
    page.keyboard.press("Enter")
    page.keyboard.press("u")
    is_reviewed(page, 3)
    has_final(http, job, 2, set())
    assert set(results_of(http, job)[0]["final_labels"]) == before[0] - gone
    assert [one["review"]["accepted"] for one in results_of(http, job)[:3]] == [False, True, False]
    page.reload()
    is_reviewed(page, 3)
    expect(tiles.nth(2)).to_contain_text("None of the labels")


def test_label_is_given_to_many_and_taken_from_many(page: Page, http: httpx.Client, job: str) -> None:
    tiles = open_review(page, job)
    tiles.nth(0).click()
    tiles.nth(3).click(modifiers=["Shift"])
    page.keyboard.press("/")
    page.keyboard.type("scan/paper")
    page.get_by_role("button", name="Create label scan/paper").click()
    is_reviewed(page, 4)
    expect(page.get_by_text("4 selected", exact=True)).to_be_visible()
    expect(chip(page, "scan/paper")).to_contain_text("4 of 4")
    finals = [set(one["final_labels"]) for one in results_of(http, job)]
    assert [{"scan", "scan/paper"} <= final for final in finals] == [True] * 4 + [False] * 2
    expect(chip(page, "round")).to_have_attribute("aria-pressed", "mixed")
    chip(page, "scan").click()
    expect(chip(page, "scan")).to_have_count(0)
    until(lambda: not any("scan" in one["final_labels"] for one in results_of(http, job)))
    page.keyboard.press("z")
    until(lambda: sum("scan/paper" in one["final_labels"] for one in results_of(http, job)) == 4)


def test_answers_are_filtered_by_a_label_and_the_decision(page: Page, http: httpx.Client, job: str) -> None:
    http.post(f"/v1/jobs/{job}/review", json={"items": [0, 1], "labels": ["hole"]})
    tiles = open_review(page, job)
    page.get_by_role("combobox", name="Label", exact=True).select_option("hole (2)")
    expect(tiles).to_have_count(2)
    assert "label=hole" in page.url
    expect(page.get_by_role("combobox", name="Decision")).to_contain_text("None of the labels")
    expect(page.get_by_role("button", name="Group the unknown")).to_have_count(0)


def test_keys_of_several_labels_are_listed(page: Page, job: str) -> None:
    open_review(page, job)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Add or remove the label of a chip")


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
    expect(page.get_by_role("navigation", name="Collection")).not_to_contain_text("Report")
    expect(page.get_by_label("Rule").locator("option")).to_have_count(3)
    page.get_by_label("Aim").select_option("precision")
    page.get_by_label("Precision, %").fill("80")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Rule saved")
    rule = http.get(f"/v1/collections/{several}").json()["rule"]
    assert (rule["aim"], rule["precision"]) == ("precision", 0.8)
    open_view(page, f"#/c/{several}/report")
    expect(page.locator(".hint")).to_contain_text("one label a picture")


def views_of(several: str, job: str) -> list[str]:
    return [
        f"#/c/{several}",
        f"#/c/{several}/pictures",
        f"#/c/{several}/settings",
        f"#/jobs/{job}",
        f"#/jobs/{job}/review",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_several_labels_have_no_finding_of_axe(
    browser: Browser, service: Stack, several: str, job: str, theme: str
) -> None:
    with visit(browser, service.url, color_scheme=theme) as page:
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
            found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
            assert not [(one["id"], one["nodes"][0]["html"][:200]) for one in found], view


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
