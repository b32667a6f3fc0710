"""The page in a real browser, on the running service: what people come to do, from beginning to end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from archives import make_zip
from browsing import as_files, drop, is_drawn, keep_undo, open_view, visit
from calls import WAIT, classify_archive, teach_two_digits
from playwright.sync_api import Browser, Page, Request, expect
from services import held
from waiting import until

from cli.stack import Stack
from core.settings import Settings
from store.record.keys import Scope
from store.store import open_store

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]

TEACH = '[aria-label="Examples: pictures"]'
TEACH_FOLDER = '[aria-label="Examples: folder"]'
ASK = '[aria-label="Classify: pictures"]'


@pytest.fixture
def own_page(browser: Browser, service: Stack) -> Iterator[Page]:
    """The page in a tab of its own, for a test that adds to the tab or leaves the page."""
    with visit(browser, service.url) as page:
        yield page


def labels_of(http: httpx.Client, collection: str) -> dict[str, int]:
    found = http.get(f"/v1/collections/{collection}/classes").json()["items"]
    return {class_["label"]: class_["supports"] for class_ in found}


def test_first_picture_is_named_from_nothing(page: Page, digits: Digits) -> None:
    open_view(page, "#/")
    name = f"first-{uuid4().hex[:8]}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create").click()
    for label, digit in (("zero", 0), ("one", 1)):
        page.set_input_files(TEACH, as_files(*(digits(digit, n) for n in range(3))))
        page.get_by_label("Label for these pictures").fill(label)
        page.keyboard.press("Enter")
        expect(page.locator(".class-card .label", has_text=label)).to_be_visible()
    page.set_input_files(ASK, as_files(digits(0, 5), name="new"))
    answer = page.locator(".answer")
    expect(answer.locator("strong")).to_have_text("zero")
    expect(answer.locator(".sure")).to_contain_text("%")
    expect(answer.locator(".badge")).to_have_text("recognised")
    expect(answer.locator(".file")).to_have_text("new-0.png")
    assert is_drawn(page, ".answer .shown") and is_drawn(page, ".because img")


def test_id_of_a_collection_is_derived_from_any_name(page: Page, http: httpx.Client) -> None:
    open_view(page, "#/")
    unique = uuid4().hex[:8]
    page.get_by_label("Name", exact=True).fill(f" Café, Été & {unique}! ")
    expect(page.locator("#name-help code")).to_have_text(f"cafe-ete-{unique}")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"cafe-ete-{unique}")
    assert http.get(f"/v1/collections/cafe-ete-{unique}").status_code == 200


def test_field_names_what_is_chosen(page: Page, http: httpx.Client, collection: str, digits: Digits) -> None:
    open_view(page, f"#/c/{collection}")
    page.get_by_label("Label", exact=True).fill("nought")
    page.set_input_files(TEACH, as_files(digits(0, 0), digits(0, 1)))
    expect(page.locator(".ok")).to_contain_text("2 examples of nought")
    assert labels_of(http, collection) == {"nought": 2}


def test_folders_name_what_is_in_them(
    page: Page, http: httpx.Client, collection: str, digits: Digits, tmp_path: Path
) -> None:
    for label, digit in (("zéro 0", 0), ("one", 1)):
        (tmp_path / label).mkdir()
        for n in range(10):
            (tmp_path / label / f"{n}.png").write_bytes(digits(digit, n))
    (tmp_path / "one" / "notes.txt").write_text("no picture")
    open_view(page, f"#/c/{collection}")
    drop(page, ".drop >> nth=0", tmp_path)
    expect(page.locator(".ok")).to_contain_text("20 examples of 2 classes")
    expect(page.locator(".message").first).to_contain_text("1 file skipped: 1 TXT file")
    assert labels_of(http, collection) == {"one": 10, "zéro 0": 10}


def test_files_that_are_no_pictures_are_counted_by_what_they_are(
    page: Page, http: httpx.Client, collection: str, digits: Digits, tmp_path: Path
) -> None:
    (tmp_path / "zero").mkdir()
    (tmp_path / "zero" / "IMG_1.JPG").write_bytes(digits(0, 0))
    for name in ("img_1.MOV", "a.mp4", "b.MKV", "Thumbs.db", ".DS_Store", "README"):
        (tmp_path / "zero" / name).write_bytes(b"x")
    open_view(page, f"#/c/{collection}")
    drop(page, ".drop >> nth=0", tmp_path)
    told = page.locator(".message").first
    expect(told).to_contain_text("5 files skipped:")
    for what in ("2 videos", "1 Thumbs.db", "1 hidden file", "1 other file"):
        expect(told).to_contain_text(what)
    expect(told).to_contain_text("1 Live Photo taken without the video.")
    expect(page.locator(".ok")).to_be_visible()
    assert labels_of(http, collection) == {"zero": 1}


def test_chosen_folder_is_read_as_a_dropped_one(
    page: Page, http: httpx.Client, collection: str, digits: Digits, tmp_path: Path
) -> None:
    (tmp_path / "zero").mkdir()
    (tmp_path / "zero" / "0.png").write_bytes(digits(0, 0))
    open_view(page, f"#/c/{collection}")
    page.set_input_files(TEACH_FOLDER, tmp_path)
    expect(page.locator(".ok")).to_be_visible()
    assert labels_of(http, collection) == {"zero": 1}


def test_folders_that_would_become_one_class_are_asked_about(
    page: Page, http: httpx.Client, collection: str, digits: Digits, tmp_path: Path
) -> None:
    for digit, label in enumerate(("zero", "one")):
        for folder in ("images", "images/@eaDir"):
            (tmp_path / label / folder).mkdir(parents=True)
            (tmp_path / label / folder / "0.png").write_bytes(digits(digit, 0))
    open_view(page, f"#/c/{collection}")
    page.set_input_files(TEACH_FOLDER, tmp_path)
    expect(page.locator(".stage .lead").first).to_contain_text("would become the class images")
    assert labels_of(http, collection) == {}
    page.get_by_role("button", name="Use the top folders").click()
    expect(page.locator(".ok")).to_contain_text("2 examples of 2 classes")
    assert labels_of(http, collection) == {"one": 1, "zero": 1}
    page.set_input_files(TEACH_FOLDER, tmp_path)
    page.get_by_role("button", name="Discard").click()
    assert labels_of(http, collection) == {"one": 1, "zero": 1}


def test_file_that_fails_says_why_beside_its_name(
    page: Page, http: httpx.Client, collection: str, digits: Digits
) -> None:
    open_view(page, f"#/c/{collection}")
    page.get_by_label("Label", exact=True).fill("zero")
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.set_input_files(TEACH, [*as_files(digits(0, 0)), broken])
    failed = page.locator(".answer.failed")
    expect(failed).to_contain_text("broken.png")
    expect(failed).to_contain_text("Picture unreadable")
    assert labels_of(http, collection) == {"zero": 1}


def test_example_of_another_class_is_moved_in_one_click(
    page: Page, http: httpx.Client, taught: str, digits: Digits
) -> None:
    before = labels_of(http, taught)
    open_view(page, f"#/c/{taught}")
    page.get_by_label("Label", exact=True).fill("one")
    page.set_input_files(TEACH, as_files(digits(0, 0)))
    panel = page.locator(".stage").first
    expect(panel).to_contain_text("1 picture also in zero")
    panel.get_by_role("button", name="Move here").click()
    expect(panel).to_contain_text("Moved 1 picture here")
    assert labels_of(http, taught) == {"zero": before["zero"] - 1, "one": before["one"] + 1}
    page.get_by_label("Label", exact=True).fill("one")
    page.set_input_files(TEACH, as_files(digits(0, 0)))
    expect(panel).to_contain_text("Already there: 1 example of one")


def test_wrong_answer_is_put_right_in_one_click(
    page: Page, http: httpx.Client, taught: str, digits: Digits
) -> None:
    open_view(page, f"#/c/{taught}")
    page.set_input_files(ASK, as_files(digits(0, 7)))
    page.locator(".fix").get_by_role("button", name="one", exact=True).click()
    expect(page.locator(".answer.fixed")).to_contain_text("Added to one")
    keep_undo(page)
    assert labels_of(http, taught) == {"zero": 4, "one": 5}
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator("#said")).to_have_text("Undone")
    assert labels_of(http, taught) == {"zero": 4, "one": 4}
    expect(page.locator(".answer.fixed")).to_have_count(0)
    page.locator(".fix").get_by_role("button", name="one", exact=True).click()  # the card can be used again
    expect(page.locator(".answer.fixed")).to_contain_text("Added to one")


def test_reviews_are_there_after_a_reload_and_can_be_undone(
    page: Page, http: httpx.Client, taught: str, digits: Digits
) -> None:
    http.patch(f"/v1/collections/{taught}", json={"rule": {"false_reject": 0.0}})  # each gets a label
    job = classify_archive(
        http, taught, ("a.png", digits(0, 6)), ("b.png", digits(1, 6)), ("c.png", digits(0, 8))
    )
    open_view(page, f"#/jobs/{job}")
    cards = page.locator(".answer")
    cards.nth(0).get_by_role("button", name="Accept").click()
    expect(cards.nth(0)).to_contain_text("Accepted")
    cards.nth(1).get_by_role("button", name="None of these").click()
    expect(cards.nth(1)).to_contain_text("None of the classes")
    cards.nth(2).get_by_role("button", name="one", exact=True).click()
    expect(cards.nth(2)).to_contain_text("Added to one")
    page.reload()
    expect(page.locator(".answer.fixed")).to_have_count(3)
    expect(cards.nth(2).locator(".verdict strong")).to_have_text("one")
    cards.nth(1).get_by_role("button", name="Undo review").click()
    expect(page.locator(".answer.fixed")).to_have_count(2)
    found = http.get(f"/v1/jobs/{job}/results").json()["items"]
    assert [one["reviewed"] for one in found] == [True, False, True]
    assert [one["final_label"] for one in found] == [found[0]["label"], found[1]["label"], "one"]
    page.reload()
    page.get_by_role("button", name="Reviewed 2").click()
    expect(page.locator(".answer")).to_have_count(2)


def test_unknowns_of_a_job_are_named_together(
    page: Page, http: httpx.Client, taught: str, digits: Digits
) -> None:
    http.patch(f"/v1/collections/{taught}/classes/one", json={"kind": "negative"})
    pictures = [("a.png", digits(1, 0)), ("b.png", digits(0, 0)), ("c.png", digits(1, 1))]
    open_view(page, f"#/jobs/{classify_archive(http, taught, *pictures)}")
    page.get_by_role("button", name="Not recognised 2").click()
    page.get_by_role("button", name="Select all").click()
    page.get_by_label("Label for the selected pictures").fill("stroke")
    page.get_by_role("button", name="Add to class").click()
    page.get_by_role("button", name="Create class stroke").click()
    expect(page.locator(".answer.fixed")).to_have_count(2)
    assert labels_of(http, taught)["stroke"] == 2


def test_job_is_held_let_go_on_and_taken_back(
    page: Page, service: Stack, http: httpx.Client, taught: str, digits: Digits
) -> None:
    path = f"/v1/collections/{taught}/bulk"
    headers = {"Content-Type": "application/zip"}
    archive = make_zip({"0.png": digits(0, 0)})
    with held(service):
        job = http.post(path, params={"kind": "classify"}, content=archive, headers=headers).json()
        http.post(f"/v1/jobs/{job['id']}/pause")
        open_view(page, "#/jobs")
        row = page.locator("li", has=page.locator(f'a[href="#/jobs/{job["id"]}"]'))
        expect(row).to_contain_text("paused")
        row.get_by_role("button", name="Resume").click()
        row.get_by_role("button", name="Pause").click()
        expect(row).to_contain_text("paused")
        row.get_by_role("button", name="Cancel").click()
        expect(row).to_contain_text("cancelled")
    assert http.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"


def test_report_shows_matrix_and_what_to_photograph(
    page: Page, http: httpx.Client, recognising: str, digits: Digits
) -> None:
    teach_two_digits(http, recognising, digits)
    open_view(page, f"#/c/{recognising}/report")
    expect(page.locator(".figures")).to_contain_text("accuracy, 8 pictures")
    matrix = page.get_by_role("region", name="Confusion matrix")
    expect(matrix.get_by_role("row", name="zero 4")).to_be_visible()
    expect(page.get_by_role("heading", name="What to photograph next")).to_be_visible()
    expect(page.get_by_role("heading", name="Left to people")).to_be_visible()
    expect(page.get_by_text("Accuracy by examples of each class: 1: ")).to_be_visible()
    expect(page.get_by_text("at most 1 % wrong by machine: 100 %")).to_be_visible()
    expect(page.get_by_text("Encoder: ")).to_contain_text("efficientnet_lite0")
    expect(page.get_by_role("row", name="zero 1.00")).to_be_visible()


def test_renamed_class_gets_its_name_back(page: Page, http: httpx.Client, taught: str) -> None:
    open_view(page, f"#/c/{taught}/class/zero")
    page.get_by_role("button", name="Rename").click()
    page.get_by_label("New name").fill("nought/0")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("nought/0")
    keep_undo(page)
    assert labels_of(http, taught) == {"nought/0": 4, "one": 4}
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("zero")
    assert labels_of(http, taught) == {"zero": 4, "one": 4}


@pytest.mark.parametrize("deed", ["delete", "merge"])
def test_what_has_no_way_back_waits_for_second_thoughts(
    own_page: Page, http: httpx.Client, taught: str, deed: str
) -> None:
    def act() -> None:
        open_view(own_page, f"#/c/{taught}/class/zero")
        if deed == "delete":
            own_page.get_by_role("button", name="Delete").click()
        else:
            own_page.get_by_role("button", name="Merge into…").click()
            own_page.get_by_label("Merge into").fill("one")
            own_page.keyboard.press("Enter")
        expect(own_page.locator(".class-card")).to_have_count(1)

    act()
    keep_undo(own_page)
    assert labels_of(http, taught) == {"zero": 4, "one": 4}
    own_page.get_by_role("button", name="Undo").click()
    expect(own_page.locator(".class-card")).to_have_count(2)
    own_page.clock.install()
    act()
    with own_page.expect_response(lambda response: response.request.method in ("DELETE", "POST")):
        own_page.clock.fast_forward(11_000)
    assert labels_of(http, taught) == ({"one": 4} if deed == "delete" else {"one": 8})


def test_deletion_that_waits_is_done_when_the_page_is_left(
    own_page: Page, http: httpx.Client, taught: str
) -> None:
    open_view(own_page, f"#/c/{taught}/class/zero")
    own_page.get_by_role("button", name="Delete").click()
    expect(own_page.locator(".toast")).to_be_visible()
    own_page.goto("about:blank")
    until(lambda: labels_of(http, taught) == {"one": 4})


def test_enrolling_into_a_class_that_waits_to_go_comes_after(
    page: Page, http: httpx.Client, taught: str, digits: Digits
) -> None:
    open_view(page, f"#/c/{taught}/class/zero")
    page.get_by_role("button", name="Delete").click()
    page.get_by_label("Label", exact=True).fill("zero")
    page.set_input_files(TEACH, as_files(digits(0, 9)))
    expect(page.locator(".ok")).to_be_visible()
    assert labels_of(http, taught) == {"zero": 1, "one": 4}


def test_support_is_moved_and_removed(page: Page, http: httpx.Client, taught: str) -> None:
    open_view(page, f"#/c/{taught}/class/zero")
    page.locator(".tile input").first.check()
    page.get_by_label("Move to").fill("one")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator(".tile")).to_have_count(3)
    assert labels_of(http, taught) == {"zero": 3, "one": 5}
    page.locator(".tile input").first.check()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".tile")).to_have_count(2)


def test_results_are_taken_home(page: Page, http: httpx.Client, taught: str, digits: Digits) -> None:
    open_view(page, f"#/jobs/{classify_archive(http, taught, ('a.png', digits(0, 0)))}")
    found = {}
    for form in ("CSV", "JSON lines", "Parquet"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download results as {form}").click()
        found[form] = Path(download.value.path()).read_bytes()
    assert found["CSV"].splitlines()[1].count(b"a.png") == 1
    assert json.loads(found["JSON lines"])["label"] == "zero"
    assert found["Parquet"].startswith(b"PAR1")


MANY = 402  # more than two pages of pictures


@pytest.fixture(scope="module")
def large(service: Stack, digits: Digits) -> str:
    """A collection of one large class, to be looked at."""
    name = f"large-{uuid4().hex[:8]}"
    archive = make_zip([(f"many/{n}.png", digits(n % 10, n // 10)) for n in range(MANY)])
    headers = {"Content-Type": "application/zip", **WAIT}
    with httpx.Client(base_url=service.url, timeout=90) as http:
        http.post("/v1/collections", json={"name": name}).raise_for_status()
        path = f"/v1/collections/{name}/bulk?kind=enroll"
        http.post(path, content=archive, headers=headers).raise_for_status()
    return name


NEAR = 400  # pixels below the window
PLACES = "tiles => tiles.map((tile) => tile.getBoundingClientRect().top - innerHeight)"


def test_large_class_comes_by_pages_and_its_pictures_when_they_are_near(own_page: Page, large: str) -> None:
    thumbnails: list[str] = []

    def note(request: Request) -> None:
        if "thumbnail" in request.url:
            thumbnails.append(request.url)

    own_page.on("request", note)
    open_view(own_page, f"#/c/{large}/class/many")
    expect(own_page.locator(".tile")).to_have_count(200)
    assert is_drawn(own_page, ".tile img")

    def no_more_come() -> bool:
        before = len(thumbnails)
        own_page.wait_for_timeout(500)
        return len(thumbnails) == before

    until(no_more_come)
    places: list[float] = own_page.locator(".tile img").evaluate_all(PLACES)
    assert 0 < len(thumbnails) <= sum(place <= NEAR for place in places) < 100
    own_page.remove_listener("request", note)

    def all_are_there() -> bool:
        own_page.locator(".more").evaluate("more => more.scrollIntoView()")
        return own_page.locator(".tile").count() == MANY

    until(all_are_there)


LATE = """
window.IntersectionObserver = class {
  constructor(tell) { this.tell = tell; }
  observe(target) {
    const entry = (isIntersecting) => ({ target, isIntersecting });
    if (target.matches("button.more")) setTimeout(() => this.tell([entry(false), entry(true)]));
  }
  unobserve() {}
  disconnect() {}
};
"""


def test_list_goes_on_where_its_end_comes_into_view_before_it_is_told(
    own_page: Page, service: Stack, large: str
) -> None:
    """A browser may tell in one call that the end was out of view and then in it: whoever scrolls fast."""
    own_page.add_init_script(LATE)
    own_page.goto(f"{service.url}/#/c/{large}/class/many")
    own_page.reload()
    expect(own_page.locator(".tile")).to_have_count(MANY)


def test_key_is_asked_for_and_stands_in_no_address(
    browser: Browser, service: Stack, http: httpx.Client, taught: str
) -> None:
    store = open_store(Settings(data=Path(service.environment["EXEMPLAR_DATA"])))
    key = store.keys.create("page", [Scope.ADMIN])
    addresses: list[str] = []
    try:
        with visit(browser, service.url) as page:
            open_view(page, "#/")
            page.on("request", lambda request: addresses.append(request.url))
            page.get_by_label("Key", exact=True).fill("ex_wrong_key")
            page.keyboard.press("Enter")
            expect(page.locator("dialog")).to_contain_text("unknown, revoked")
            page.get_by_label("Key", exact=True).fill(key)
            page.keyboard.press("Enter")
            open_view(page, f"#/c/{taught}/class/zero")
            assert is_drawn(page, ".tile img")
            page.reload()
            expect(page.locator(".tile")).to_have_count(4)
            page.get_by_role("button", name="Forget key").click()
            expect(page.get_by_label("Key", exact=True)).to_be_visible()
            assert page.evaluate("JSON.stringify({...localStorage}) + document.cookie") == "{}"
        assert not [address for address in addresses if key in address]
    finally:
        store.keys.revoke(key.split("_")[1])
        store.database.close()


def test_problem_is_shown_as_its_own_text(page: Page, taught: str) -> None:
    open_view(page, "#/")
    page.get_by_label("Name", exact=True).fill(taught)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("There is already a collection named")
    open_view(page, "#/c/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("There is no collection named 'nowhere'.")
