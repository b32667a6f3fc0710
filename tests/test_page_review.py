"""The review of answers in a real browser: by keyboard, by pointer, on a phone, and after a reload."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from archives import make_zip
from browsing import PHONE, findings, in_short, is_drawn, open_view, visit
from calls import classify_archive, enroll
from playwright.sync_api import Browser, Locator, Page, Route, expect
from services import held
from waiting import until

from cli.stack import Stack
from core.jobs import Item, JobKind, JobRequest, Lane
from core.settings import Settings
from store.blobs import PICTURES
from store.store import open_store
from store.work.jobs import new_job_id
from store.work.settlement import Settlement

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def job(http: httpx.Client, taught: str, digits: Digits) -> str:
    """A job of eight answers of a collection that knows two digits and calls nothing unknown."""
    http.patch(f"/v1/collections/{taught}", json={"rule": {"false_reject": 0.0, "certainty": 0.0}})
    pictures = [(f"album/{n}.png", digits(n % 2, 10 + n)) for n in range(8)]
    return classify_archive(http, taught, *pictures)


def open_review(page: Page, job: str, query: str = "", *, answers: int = 8) -> Locator:
    open_view(page, f"#/jobs/{job}/review{query}")
    tiles = page.locator(".tiles > li")
    expect(tiles).to_have_count(answers)
    return tiles


def results_of(http: httpx.Client, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get(f"/v1/jobs/{job}/results").json()["items"]
    return found


def finals_of(http: httpx.Client, job: str) -> list[tuple[str | None, bool]]:
    return [(one["final_label"], one["reviewed"]) for one in results_of(http, job)]


def is_reviewed(page: Page, number: int, of: int = 8) -> None:
    expect(page.locator(".reviewed")).to_have_text(f"{number} of {of:,} reviewed")


def test_answers_are_reviewed_by_keyboard_alone(page: Page, http: httpx.Client, job: str) -> None:
    before = results_of(http, job)
    open_review(page, job)
    page.keyboard.press("Enter")
    is_reviewed(page, 1)
    page.keyboard.press("2")  # the second candidate
    page.keyboard.press("u")
    page.keyboard.press("/")
    page.keyboard.type("ze")
    page.keyboard.press("Enter")  # completes the name and goes back to the grid
    is_reviewed(page, 4)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".tiles .current")).to_have_attribute("id", "answer-4")
    expected = [before[0]["label"], before[1]["candidates"][1]["label"], None, "zero"]
    until(lambda: finals_of(http, job)[:4] == [(label, True) for label in expected])
    assert not any(reviewed for _, reviewed in finals_of(http, job)[4:])


def test_review_given_while_answers_are_counted_stays_counted(page: Page, job: str) -> None:
    asked: list[Route] = []

    def hold_the_second(route: Route) -> None:
        asked.append(route)
        if len(asked) != 2:
            route.continue_()

    page.route("**/summary", hold_the_second)
    open_review(page, job)
    until(lambda: page.evaluate("true") and len(asked) == 2)  # the count after the last page
    page.keyboard.press("Enter")
    is_reviewed(page, 1)
    asked[1].continue_()
    expect(page.locator(".review-bar [role=status]")).to_contain_text("1 answer accepted")
    is_reviewed(page, 1)


def test_undo_gives_the_answer_back(page: Page, http: httpx.Client, collection: str, job: str) -> None:
    before = finals_of(http, job)
    tiles = open_review(page, job)
    shown = tiles.first.inner_text()
    supports = http.get(f"/v1/collections/{collection}").json()["supports"]
    page.keyboard.press("2")
    expect(page.locator(".review-bar [role=status]")).to_contain_text("1 added as examples")
    page.keyboard.press("z")
    expect(page.locator(".review-bar [role=status]")).to_have_text("Undone")
    expect(tiles.first).to_have_text(shown, use_inner_text=True)
    expect(page.locator(".tiles .current")).to_have_attribute("id", "answer-0")
    is_reviewed(page, 0)
    assert finals_of(http, job) == before
    assert http.get(f"/v1/collections/{collection}").json()["supports"] == supports
    page.keyboard.press("Enter")
    is_reviewed(page, 1)  # and it can be reviewed again


def test_undo_gives_an_earlier_review_back(page: Page, http: httpx.Client, job: str) -> None:
    http.patch(f"/v1/jobs/{job}/items/0", json={"label": None})
    open_review(page, job)
    page.keyboard.press("Enter")
    expect(page.locator(".tiles > li").first).to_contain_text("accepted")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tiles > li").first).to_contain_text("None of the classes")
    until(lambda: finals_of(http, job)[0] == (None, True))


def test_range_is_labelled_at_once_and_progress_survives_a_reload(
    page: Page, http: httpx.Client, job: str
) -> None:
    tiles = open_review(page, job)
    tiles.nth(1).click()
    tiles.nth(4).click(modifiers=["Shift"])
    expect(page.locator('.tiles [aria-selected="true"]')).to_have_count(4)
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("5 selected", exact=True)).to_be_visible()
    page.get_by_label("Labelled pictures become examples").uncheck()
    page.locator(".picker").get_by_role("option", name="one").click()
    is_reviewed(page, 5)
    expect(page.locator('.tiles [aria-selected="true"]')).to_have_count(0)
    page.reload()
    is_reviewed(page, 5)
    assert [reviewed for _, reviewed in finals_of(http, job)] == [n in range(1, 6) for n in range(8)]
    assert {label for label, reviewed in finals_of(http, job) if reviewed} == {"one"}


def test_filters_stand_in_the_address(page: Page, http: httpx.Client, job: str) -> None:
    http.post(f"/v1/jobs/{job}/review", json={"items": [0, 1, 2], "accepted": True})
    tiles = open_review(page, job)
    page.get_by_role("combobox", name="Reviewed").select_option("Not reviewed")
    expect(tiles).to_have_count(5)
    assert "reviewed=false" in page.url
    page.reload()
    expect(tiles).to_have_count(5)
    is_reviewed(page, 3)
    page.keyboard.press("Enter")  # it stays in place until the filter is used again
    is_reviewed(page, 4)
    expect(tiles).to_have_count(5)
    page.get_by_label("Class", exact=True).first.select_option("one (4)")
    expect(tiles.first).to_contain_text("one")
    page.get_by_label("Confidence to, in percent").fill("0")
    page.keyboard.press("Tab")
    expect(page.get_by_text("No answers match.")).to_be_visible()


def test_all_recognised_from_a_confidence_on_are_accepted(page: Page, http: httpx.Client, job: str) -> None:
    least = sorted(one["confidence"] for one in results_of(http, job))[4]
    share = int(least * 100)  # as whole percent: the answers are those of at least so many
    sure = [one["item"] for one in results_of(http, job) if one["confidence"] >= share / 100]
    open_review(page, job)
    page.get_by_label("Least confidence, in percent").fill(str(share))
    page.get_by_role("button", name="Accept all recognised from").click()
    is_reviewed(page, len(sure))
    until(lambda: [one["item"] for one in results_of(http, job) if one["reviewed"]] == sure)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Undo").click()
    is_reviewed(page, 0)


def test_answers_are_dragged_onto_a_class(page: Page, http: httpx.Client, job: str) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    tiles = open_review(page, job)
    tiles.nth(2).click()
    tiles.nth(3).click(modifiers=["Control"])
    tiles.nth(3).drag_to(page.locator(".picker").get_by_role("option", name="one"))
    is_reviewed(page, 2)
    until(lambda: finals_of(http, job)[2:4] == [("one", True), ("one", True)])


def test_new_class_is_made_on_purpose_only(page: Page, http: httpx.Client, collection: str, job: str) -> None:
    open_review(page, job)
    page.keyboard.press("/")
    page.keyboard.type("onee")
    page.keyboard.press("Enter")
    is_reviewed(page, 0)
    expect(page.get_by_role("button", name="Create class onee")).to_be_focused()
    page.keyboard.press("Enter")
    is_reviewed(page, 1)
    until(lambda: finals_of(http, job)[0] == ("onee", True))
    until(lambda: http.get(f"/v1/collections/{collection}/classes/onee").status_code == 200)


def test_space_shows_the_picture_large_with_its_evidence(page: Page, job: str) -> None:
    open_review(page, job)
    page.keyboard.press("Space")
    preview = page.locator("dialog.preview")
    expect(preview).to_be_visible()
    expect(preview).to_contain_text("album/0.png")
    assert is_drawn(page, ".preview .large") and is_drawn(page, ".preview .because img")
    page.keyboard.press("ArrowRight")
    expect(preview).to_contain_text("album/1.png")
    page.keyboard.press("Enter")
    is_reviewed(page, 1)
    expect(preview).to_contain_text("album/2.png")
    preview.locator(".thumb").first.click()
    expect(page.locator("dialog.lightbox")).to_contain_text("of the decision")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.lightbox")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(preview).to_have_count(0)
    expect(page.locator("aside .large")).to_be_visible()


def test_keys_are_listed(page: Page, job: str) -> None:
    open_review(page, job)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Accept the answer")
    page.keyboard.press("u")  # no verdict while the list is open
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    expect(page.get_by_text("1 selected", exact=True)).to_be_visible()
    page.keyboard.press("Control+a")
    expect(page.get_by_text("8 selected", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator('.tiles [aria-selected="true"]')).to_have_count(0)
    is_reviewed(page, 0)


def test_failed_review_is_told_and_taken_back(page: Page, job: str) -> None:
    tiles = open_review(page, job)
    page.route("**/review", lambda route: route.abort())
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Service unreachable")
    is_reviewed(page, 0)
    expect(tiles.first).to_contain_text("recognised")


def test_review_has_no_finding_of_axe(page: Page, job: str) -> None:
    open_review(page, job)
    page.keyboard.press("Enter")
    is_reviewed(page, 1)
    for key in ("", "Space", "?"):
        if key:
            page.keyboard.press("Escape")
            page.keyboard.press(key)
            expect(page.locator("dialog[open]")).to_be_visible()
        assert in_short(findings(page)) == [], key


def test_review_on_a_phone(browser: Browser, service: Stack, http: httpx.Client, job: str) -> None:
    with visit(browser, service.url, viewport=PHONE, has_touch=True) as page:
        tiles = open_review(page, job)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        tiles.first.tap()
        preview = page.locator("dialog.preview")
        preview.get_by_role("button", name="None of the classes").tap()
        is_reviewed(page, 1)
        expect(preview).to_contain_text("album/1.png")
        assert page.evaluate("document.querySelector('.preview').scrollWidth") <= PHONE["width"]
        preview.get_by_role("button", name="Close").tap()
        page.get_by_role("button", name="Select", exact=True).tap()
        tiles.nth(1).tap()
        tiles.nth(2).tap()
        expect(page.get_by_text("2 selected", exact=True)).to_be_visible()


@pytest.fixture
def long_job(service: Stack, http: httpx.Client, collection: str, digits: Digits) -> str:
    """A job of 1,100 pictures, each with the answer that the service gave for one of them."""
    enroll(http, collection, "zero", digits(0, 0))
    one = classify_archive(http, collection, ("0.png", digits(0, 1)))
    encoder = http.get(f"/v1/collections/{collection}").json()["encoder"]
    store = open_store(Settings(data=Path(service.environment["EXEMPLAR_DATA"])))
    [answer] = store.jobs.results(one).results
    picture = store.blobs.put(PICTURES, digits(0, 1))
    request = JobRequest(
        collection, JobKind.CLASSIFY, Lane.BULK, [Item(n, picture, custom_id=f"{n}.png") for n in range(1100)]
    )
    with held(service):
        job = store.jobs.submit(new_job_id(), request).job.id
        while chunks := store.chunks.claim("test", encoder, [Lane.BULK], len(request.items)):
            for chunk in chunks:
                made = [{**answer, "item": item.index, "custom_id": item.custom_id} for item in chunk.items]
                assert store.chunks.settle("test", [Settlement(chunk, made)]) == [True]
    store.database.close()
    assert http.get(f"/v1/jobs/{job}").json()["state"] == "succeeded"
    return job


def test_many_answers_are_in_the_document_only_where_they_are_seen(page: Page, long_job: str) -> None:
    open_view(page, f"#/jobs/{long_job}/review")
    tiles = page.locator(".tiles > li")
    expect(tiles.first).to_have_attribute("aria-setsize", "1100")
    assert tiles.count() < 150
    page.keyboard.press("End")
    expect(page.locator("#answer-1099")).to_be_visible()
    assert tiles.count() < 150
    is_reviewed(page, 0, of=1100)


def test_jobs_and_results_lead_to_the_review(page: Page, job: str) -> None:
    open_view(page, f"#/jobs/{job}")
    page.get_by_role("link", name="Review answers").click()
    expect(page.locator(".tiles > li")).to_have_count(8)
    expect(page.locator(".tiles")).to_be_focused()
    expect(page.get_by_label("Order")).to_have_value("value")
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")


def test_running_job_is_reviewed_as_its_answers_come(
    page: Page, service: Stack, http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", digits(0, 0))
    headers = {"Content-Type": "application/zip"}
    path = f"/v1/collections/{collection}/bulk?kind=classify"
    archive = make_zip([(f"{n}.png", digits(0, n)) for n in range(3)])
    made = http.post(path, content=archive, headers=headers).json()["id"]
    open_review(page, made, answers=3)
    page.keyboard.press("Enter")
    is_reviewed(page, 1, of=3)


def test_answers_are_asked_again_after_teaching(
    page: Page, http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", *(digits(0, n) for n in range(4)))
    http.patch(f"/v1/collections/{collection}", json={"rule": {"false_reject": 0.0}})
    job = classify_archive(http, collection, *((f"{n}.png", digits(1, n)) for n in range(6)))
    open_review(page, job, answers=6)
    page.keyboard.press("/")
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # creates the class
    expect(page.locator(".review-bar [role=status]")).to_contain_text("1 added as examples")
    page.get_by_role("button", name="Ask 5 answers again").click()
    expect(page.locator(".review-bar [role=status]")).to_have_text("Asked 5 answers again: 5 changed")
    assert [one["label"] for one in results_of(http, job)[1:]] == ["one"] * 5
    expect(page.locator(".tiles > li").nth(1)).to_contain_text("one")
    is_reviewed(page, 1, of=6)


def test_groups_of_the_unknown_are_named_together(
    page: Page, http: httpx.Client, collection: str, digits: Digits
) -> None:
    enroll(http, collection, "zero", *(digits(0, n) for n in range(6)))
    enroll(http, collection, "background", *(digits(1, n) for n in range(6)))
    http.patch(f"/v1/collections/{collection}/classes/background", json={"kind": "negative"})
    job = classify_archive(http, collection, *((f"{n}.png", digits(1, n)) for n in range(6, 14)))
    open_review(page, job)
    page.get_by_role("button", name="Group the unknown").click()
    group = page.locator(".groups > li").first
    size = int(group.locator("strong").inner_text().split()[0])
    assert size > 1 and is_drawn(page, ".groups .member")
    group.get_by_label(f"Class of these {size} pictures").fill("stroke")
    page.keyboard.press("Enter")
    create = group.get_by_role("button", name="Create class stroke")
    create.click()
    is_reviewed(page, size)
    assert sum(one["final_label"] == "stroke" for one in results_of(http, job)) == size
    assert http.get(f"/v1/collections/{collection}/classes/stroke").json()["supports"] == min(size, 5)


def test_order_and_text_of_the_name_are_chosen(page: Page, http: httpx.Client, job: str) -> None:
    tiles = open_review(page, job, "?order=confidence")
    least = min(results_of(http, job), key=lambda one: one["confidence"])
    expect(tiles.first).to_have_attribute("id", f"answer-{least['item']}")
    page.get_by_label("Text in the file name").fill("7.PNG")
    page.keyboard.press("Tab")
    expect(tiles).to_have_count(1)
    expect(tiles.first).to_have_attribute("id", "answer-7")


def test_reviews_make_no_job_in_the_list_of_jobs(page: Page, http: httpx.Client, job: str) -> None:
    before = [one["id"] for one in http.get("/v1/jobs").json()["items"]]
    open_review(page, job)
    page.keyboard.press("2")
    expect(page.locator(".review-bar [role=status]")).to_contain_text("1 added as examples")
    assert [one["id"] for one in http.get("/v1/jobs").json()["items"]] == before
