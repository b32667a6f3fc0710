"""A real browser for the tests of the page, which notes what it must not do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from missing import skip_or_fail
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from cli.stack import Stack

CHROMIUM = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]
"""The first without windows, which takes a third less CPU time; both are Debian's, of one source."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
"""With the last one, a request to another host fails, which the console tells."""
PATIENCE_MS = 90_000  # for events that either come or never do
GO = """view => new Promise((resolve) => {
    const before = location.hash;
    location.hash = view;
    if (location.hash === before) resolve();
    else addEventListener("hashchange", resolve, { once: true });
})"""
"""Changes the view, which is then busy; sooner, what a test waits for may be found in the view before."""
NO_VIEW = "#/-"
"""Asks nothing of the service, and shows nothing of what other tests left there."""
FORGET = "place => { localStorage.clear(); sessionStorage.clear(); history.replaceState(null, '', place); }"
"""Leaves nothing stored, and the view at the next load."""
ASKED = "performance.getEntriesByType('resource').map((one) => one.name)"
PHONE = ViewportSize(width=360, height=740)
AXE = """async (options) => {
    await Promise.allSettled(document.getAnimations().map((one) => one.finished));
    return (await axe.run({ resultTypes: ["violations"], ...options })).violations;
}"""
OF_COLOURS = ["color-contrast", "link-in-text-block"]
Findings = list[dict[str, Any]]


@contextmanager
def set_aside(browser: Browser) -> Iterator[None]:
    """Let other event loops run on this thread; that of a browser counts as running also between calls."""
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(browser._loop)


@contextmanager
def taken_up(browser: Browser) -> Iterator[None]:
    """Use a browser that was set aside."""
    asyncio._set_running_loop(browser._loop)
    yield
    asyncio._set_running_loop(None)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium; without it a test is skipped on a laptop and fails in CI."""
    there = [path for path in CHROMIUM if path.exists()]
    if not there:
        skip_or_fail(f"{CHROMIUM[0]} is missing")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(there[0]), args=ARGUMENTS)
        yield browser
        browser.close()


class Tab:
    """A tab for one visit after the other: a new one would compile the scripts again.

    Each visit reloads the page, with nothing stored and nothing intercepted. One that adds listeners or
    scripts, sets the clock or leaves the page needs a tab of its own.
    """

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self._url = url
        self._outside: list[str] = []
        self._wrong: list[str] = []
        self._page = page = self.context.new_page()
        self._size = page.viewport_size
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self._wrong.append(str(error)))
        page.on("dialog", lambda dialog: (self._wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("console", self._note)

    @contextmanager
    def visited(self) -> Iterator[Page]:
        """Open the page; at the end no request may have left its origin, no script failed, no alert shown."""
        page = self._page
        page.unroute_all()
        page.mouse.move(0, 0)
        if self._size is not None and page.viewport_size != self._size:
            page.set_viewport_size(self._size)
        self._outside.clear()
        self._wrong.clear()
        if page.url.startswith(f"{self._url}/"):
            page.evaluate(FORGET, f"/{NO_VIEW}")
            page.reload()
        else:
            page.goto(f"{self._url}/{NO_VIEW}")
        yield page
        asked = [page.url, *page.evaluate(ASKED)]
        self._outside += [one for one in asked if not is_inside(one, self._url)]
        assert (self._outside, self._wrong) == ([], [])

    def _note(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        if not message.text.startswith("Failed to load resource"):
            self._wrong.append(message.text)
        elif not is_inside(asked := message.location["url"], self._url):
            self._outside.append(asked)


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """Open the page in a tab and a window of its own, with options of the window."""
    own = Tab(browser, url, **options)
    with closing(own.context), own.visited() as page:
        yield page


def open_view(page: Page, view: str) -> None:
    """Go to a view of the page by its address, and wait until it is there."""
    page.evaluate(GO, view)
    page.wait_for_selector("main:not([aria-busy])")


def keep_undo(page: Page) -> None:
    """Keep the pointer on the undo message, which otherwise disappears after 10 s."""
    page.locator(".toast").last.hover()


def is_inside(asked: str, url: str) -> bool:
    return asked.startswith((f"{url}/", f"blob:{url}/", "about:"))


def as_files(*pictures: bytes, name: str = "picture") -> list[dict[str, Any]]:
    """Return pictures as Playwright gives them to a file input."""
    return [
        {"name": f"{name}-{number}.png", "mimeType": "image/png", "buffer": picture}
        for number, picture in enumerate(pictures)
    ]


def drop(page: Page, selector: str, *paths: Path) -> None:
    """Drop files or folders from disk as the system does, which gives the page real entries."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 20}
    dragged = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, **place, "data": dragged})


def is_drawn(page: Page, selector: str) -> bool:
    """Return whether an image has pixels, that is, whether it was fetched and decoded."""
    page.wait_for_function("selector => document.querySelector(selector)?.naturalWidth > 20", arg=selector)
    return True


def findings(page: Page) -> Findings:
    """Return what axe finds in the light theme, and in the dark one of what depends on colours."""
    page.emulate_media(color_scheme="light")
    found = findings_of(page, {})
    page.emulate_media(color_scheme="dark")
    found += findings_of(page, {"runOnly": {"type": "rule", "values": OF_COLOURS}})
    page.emulate_media(color_scheme="null")
    return found


def findings_but_of_colours(page: Page) -> Findings:
    """Return what axe finds by the rules that do not depend on colours, which take a tenth of the time."""
    return findings_of(page, {"rules": {rule: {"enabled": False} for rule in OF_COLOURS}})


def findings_of(page: Page, options: dict[str, Any]) -> Findings:
    """Return what axe finds with these options."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: Findings = page.evaluate(AXE, options)
    return found


def serious(found: Findings) -> Findings:
    """Return the findings that keep somebody from using the page."""
    return [one for one in found if one["impact"] in ("serious", "critical")]


def in_short(found: Findings) -> list[tuple[str, str, str]]:
    """Return of each finding its rule, the first element and what is wrong with it."""
    firsts = [(one["id"], one["nodes"][0]) for one in found]
    return [(rule, first["html"][:200], first["failureSummary"]) for rule, first in firsts]


@pytest.fixture(scope="session")
def shared_browser() -> Iterator[Browser]:
    """A real browser, set aside except in the files that use it."""
    with running_browser() as browser, set_aside(browser):
        yield browser


@pytest.fixture(scope="module")
def browser(shared_browser: Browser) -> Iterator[Browser]:
    """A real browser."""
    with taken_up(shared_browser):
        yield shared_browser


@pytest.fixture(scope="module")
def tab(browser: Browser, service: Stack) -> Iterator[Tab]:
    """A tab of a real browser, for one test after the other."""
    tab = Tab(browser, service.url)
    with closing(tab.context):
        yield tab


@pytest.fixture
def page(tab: Tab) -> Iterator[Page]:
    """The page of the running service in a browser, before any view."""
    with tab.visited() as page:
        yield page
