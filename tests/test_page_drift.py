"""Drift on the page, in a real browser, and from the command line."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from browsing import PHONE, findings, in_short, open_view
from calls import ask, enroll_classes
from playwright.sync_api import Page, expect
from test_cli_commands import run

from cli.stack import Stack

pytestmark = pytest.mark.processes

Digits = Callable[[int, int], bytes]


@pytest.fixture
def asked(http: httpx.Client, collection: str, digits: Digits) -> str:
    """A collection that has answered for twelve pictures."""
    enroll_classes(http, collection, {f"digit {n}": [digits(n, m) for m in range(6)] for n in (0, 1)})
    ask(http, collection, *(digits(n % 2, 20 + n) for n in range(12)))
    return collection


def test_report_leads_to_what_changed(page: Page, http: httpx.Client, asked: str) -> None:
    found = http.get(f"/v1/collections/{asked}/drift").json()
    [day] = found["periods"]
    open_view(page, f"#/c/{asked}/report")
    page.get_by_role("link", name="How answers change over time").click()
    figures = page.locator(".figures dd")
    expect(figures.nth(0)).to_have_text("12 answers")
    expect(figures.nth(1)).to_have_text(f"{round(found['whole']['unknown_share'] * 100)} %")
    expect(page.locator("svg.chart circle")).to_have_count(4)
    cells = page.locator(".matrix tbody tr").first.locator("th, td")
    expect(cells.nth(0)).to_have_text(day["begin"][:10])
    expect(cells.nth(1)).to_have_text("12")
    expect(cells.last).to_have_text("0")


def test_nothing_answered_is_said(page: Page, http: httpx.Client, collection: str) -> None:
    open_view(page, f"#/c/{collection}/drift")
    expect(page.locator(".hint")).to_have_text("Nothing was classified here in the last 30 days.")


def test_it_fits_on_a_phone_and_has_no_finding_of_axe(page: Page, asked: str) -> None:
    page.set_viewport_size(PHONE)
    open_view(page, f"#/c/{asked}/drift")
    expect(page.locator("svg.chart")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert in_short(findings(page)) == []


def test_command_prints_a_line_for_each_day(service: Stack, http: httpx.Client, asked: str) -> None:
    found = http.get(f"/v1/collections/{asked}/drift").json()
    done = run("drift", "-c", asked, url=service.url)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    day = next(line for line in lines if line.startswith(found["periods"][0]["begin"][:10]))
    assert day.split()[1] == "12"
    assert f"{asked}: 12 answers" in done.stdout
    assert "estimated accuracy of the labels given: " in done.stdout
    as_json = run("drift", "-c", asked, "--json", "--step", "hour", url=service.url)
    assert '"answers": 12' in as_json.stdout


def test_command_says_where_nothing_was_answered(service: Stack, collection: str) -> None:
    done = run("drift", "-c", collection, url=service.url)
    assert (done.returncode, done.stdout) == (0, f"{collection}: nothing was answered in this time\n")
