"""The settings of a collection and its report on the page, in a real browser."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from browsing import PHONE, findings, in_short, is_drawn, keep_undo, open_view, serious, visit
from calls import enroll
from playwright.sync_api import Browser, Page, expect
from tiny import TINY
from waiting import until

from cli.stack import Stack
from core.settings import Settings
from store.record.keys import Scope
from store.store import open_store

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def taught(http: httpx.Client, collection: str, digits: Digits) -> str:
    """A collection of two digits in which two ones are called zero."""
    for label, digit in (("zero", 0), ("one", 1)):
        enroll(http, collection, label, *(digits(digit, n) for n in range(6)))
    enroll(http, collection, "zero", digits(1, 8), digits(1, 9))
    return collection


def rule_of(http: httpx.Client, collection: str) -> dict[str, object]:
    rule: dict[str, object] = http.get(f"/v1/collections/{collection}").json()["rule"]
    return rule


def test_rule_is_changed_and_changed_back(page: Page, http: httpx.Client, taught: str) -> None:
    before = rule_of(http, taught)
    open_view(page, f"#/c/{taught}")
    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Rule").select_option("prototype")
    page.get_by_label("Certainty, %").fill("70")
    page.get_by_role("button", name="Save").click()
    keep_undo(page)
    assert rule_of(http, taught) == {**before, "name": "prototype", "certainty": 0.7}
    page.get_by_role("button", name="Undo").click()
    until(lambda: rule_of(http, taught) == before)
    expect(page.get_by_label("Certainty, %")).to_have_value("50")


def test_admin_makes_and_revokes_keys(
    browser: Browser, service: Stack, http: httpx.Client, taught: str
) -> None:
    store = open_store(Settings(data=Path(service.environment["EXEMPLAR_DATA"])))
    admin = store.keys.create("page", [Scope.ADMIN])
    try:
        with visit(browser, service.url) as page:
            open_view(page, "#/")
            page.get_by_label("Key", exact=True).fill(admin)
            page.keyboard.press("Enter")
            open_view(page, f"#/c/{taught}/settings")
            expect(page.get_by_text("in use here")).to_be_visible()
            page.locator("#key-name").fill("gate <b>camera</b>")
            page.get_by_label("Expires after days").fill("90")
            page.get_by_role("button", name="Create key").click()
            expect(page.get_by_text("it is not shown again")).to_be_visible()
            found = store.keys.active(page.locator("code.secret").inner_text())
            assert found is not None
            assert (found.scopes, found.collections) == ({Scope.CLASSIFY}, {taught})
            assert found.expires_at is not None
            assert in_short(serious(findings(page))) == []
            page.get_by_role("button", name="Revoke key gate <b>camera</b>").click()
            expect(page.get_by_role("button", name="Revoke key gate")).to_have_count(0)
            page.locator("#toasts").get_by_role("button", name="Undo").click()
            page.get_by_role("button", name="Revoke key gate <b>camera</b>").click()
            page.reload()  # which does what waits
            until(lambda: [key.revoked for key in store.keys.page() if key.id == found.id] == [True])
    finally:
        store.keys.revoke(admin.split("_")[1])
        store.database.close()


def test_collection_is_renamed(page: Page, http: httpx.Client, taught: str) -> None:
    other = http.post("/v1/collections", json={"name": f"{taught}-b"}).json()["name"]
    open_view(page, f"#/c/{taught}/settings")
    page.get_by_label("Name").fill(other)
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_text(f"there is already a collection named '{other}'")).to_be_visible()
    page.get_by_label("Name").fill(f"{taught} Ünder test!")
    page.get_by_role("button", name="Rename").click()
    page.wait_for_url(f"**/#/c/{taught}-under-test/settings")
    expect(page.get_by_text(f"exemplar keys create NAME --collection {taught}-under-test")).to_be_visible()
    assert http.get(f"/v1/collections/{taught}").status_code == 404
    classes = http.get(f"/v1/collections/{taught}-under-test/classes").json()["items"]
    assert {one["label"] for one in classes} == {"zero", "one"}


def test_collection_is_exported(page: Page, taught: str) -> None:
    open_view(page, f"#/c/{taught}/settings")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert zipfile.is_zipfile(Path(download.value.path()))
    expect(page.get_by_role("button", name="Embed all pictures with it")).to_be_visible()
    expect(page.get_by_text(f"exemplar keys create NAME --collection {taught}")).to_be_visible()


def test_service_of_one_encoder_says_how_to_offer_others(
    page: Page, http: httpx.Client, collection: str
) -> None:
    offered = http.get("/v1/models").json()
    page.route("**/v1/models", lambda asked: asked.fulfill(json={**offered, "data": offered["data"][:1]}))
    open_view(page, f"#/c/{collection}/settings")
    expect(page.get_by_text("This service offers no other encoder.")).to_be_visible()


def test_encoder_of_a_new_collection_is_chosen_with_what_is_known_of_it(
    page: Page, http: httpx.Client
) -> None:
    name = f"enc-{uuid4().hex[:8]}"
    open_view(page, "#/")
    page.get_by_text("Options", exact=True).click()
    expect(page.get_by_label("Encoder")).to_have_value(TINY)
    page.get_by_label("Encoder").select_option("efficientnet_lite0")
    expect(page.locator("#encoder-hint")).to_contain_text("74 / 90 %")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert http.get(f"/v1/collections/{name}").json()["encoder"] == "efficientnet_lite0"


def test_report_says_what_to_do_first_and_its_cells_open_their_pictures(
    page: Page, http: httpx.Client, taught: str
) -> None:
    open_view(page, f"#/c/{taught}/report")
    expect(page.get_by_role("region", name="Do this first").locator("li").first).to_contain_text("Check")
    report = http.get(f"/v1/collections/{taught}/report").json()
    mistake = report["mistakes"]["items"][0]
    cell = page.get_by_role("button", name=f"of {mistake['label']} predicted as {mistake['named']}")
    cell.click()
    opened = page.get_by_role("region", name="Confusions").locator(".answer")
    row = report["confusion"]["labels"].index(mistake["label"])
    column = report["confusion"]["labels"].index(mistake["named"])
    expect(opened).to_have_count(report["confusion"]["counts"][row][column])
    expect(opened.first.locator(".file")).to_have_text(f"number {mistake['support_id']}")
    assert is_drawn(page, ".answer .shown") and is_drawn(page, ".answer .because img")


def test_settings_and_report_have_no_finding_and_fit_a_phone(page: Page, taught: str) -> None:
    page.set_viewport_size(PHONE)
    for view, there in (("settings", "#certainty"), ("report", ".matrix td button")):
        open_view(page, f"#/c/{taught}/{view}")
        page.locator(there).first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
        assert in_short(findings(page)) == [], view
