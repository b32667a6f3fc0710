"""Answers with several labels in a real browser: shown, corrected and reviewed."""

from __future__ import annotations

import re

import httpx
import pytest
from browsing import open_view
from playwright.sync_api import Page, Route, expect
from several import (
    Digits,
    chip,
    classify_digits,
    has_final,
    is_reviewed,
    make_several,
    open_review,
    results_of,
    supports_of,
)
from waiting import until

pytestmark = [pytest.mark.processes, pytest.mark.tiny]


@pytest.fixture
def several(http: httpx.Client, digits: Digits) -> str:
    """A collection of several labels a picture."""
    return make_several(http, digits)


@pytest.fixture
def job(http: httpx.Client, several: str, digits: Digits) -> str:
    """A job of six answers of that collection."""
    return classify_digits(http, several, digits)


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


def test_enter_accepts_in_the_large_preview(page: Page, http: httpx.Client, job: str) -> None:
    before = results_of(http, job)[0]["final_labels"]
    open_review(page, job)
    page.keyboard.press("Space")
    preview = page.locator("dialog.preview")
    expect(preview).to_be_focused()
    expect(preview.locator(".side")).not_to_contain_text(re.compile(r"Examples behind digit$"))
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

    def have_both() -> list[bool]:
        return [{"scan", "scan/paper"} <= set(one["final_labels"]) for one in results_of(http, job)]

    until(lambda: have_both() == [True] * 4 + [False] * 2)  # the page shows it before it is stored
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


def test_labels_make_examples_where_that_is_ticked(
    page: Page, http: httpx.Client, several: str, job: str
) -> None:
    before = len(supports_of(http, several))
    final = set(results_of(http, job)[0]["final_labels"])
    open_review(page, job)
    ticked = page.get_by_label("Labelled pictures become examples")
    expect(ticked).not_to_be_checked()
    ticked.check()
    chip(page, "round").click()
    expect(page.locator(".review-bar [role=status]")).to_contain_text("1 added as examples")
    found = supports_of(http, several)
    assert len(found) == before + 1
    assert (set(found[-1]["labels"]), found[-1]["complete"]) == (final ^ {"round"}, True)


def test_label_is_added_to_ticked_answers_and_taken_back(page: Page, http: httpx.Client, job: str) -> None:
    before = [set(one["final_labels"]) for one in results_of(http, job)]
    open_view(page, f"#/jobs/{job}")
    cards = page.locator(".answer")
    for place in (0, 2):
        cards.nth(place).get_by_role("checkbox").check()
    expect(page.locator(".selection")).to_contain_text("2 pictures selected")
    page.get_by_label("Label for the selected pictures").fill("straight")
    page.get_by_role("button", name="Add label", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("2 pictures: straight added")
    for place in (0, 2):
        expect(cards.nth(place).locator('[data-label="straight"]')).to_be_visible()
        has_final(http, job, place, before[place] | {"straight"})
    expect(page.locator(".selection")).to_be_hidden()
    has_final(http, job, 1, before[1])
    page.get_by_role("button", name="Undo").click()
    for place in (0, 2):
        has_final(http, job, place, before[place])
