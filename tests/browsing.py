"""A real browser for the tests of the page, which notes what it must not do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from missing import skip_or_fail
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]
"""The first without windows, which takes a third less CPU time; both are Debian's, of one source."""
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 90_000  # for events that either come or never do
GO = """view => new Promise((resolve) => {
    const before = location.hash;
    location.hash = view;
    if (location.hash === before) resolve();
    else addEventListener("hashchange", resolve, { once: true });
})"""
"""Changes the view, which is then busy; sooner, what a test waits for may be found in the view before."""
PHONE = {"width": 360, "height": 740}


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


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """Open the page; at the end no request may have left its origin, no script failed, no alert shown."""
    outside: list[str] = []
    wrong: list[str] = []
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.on(
        "request", lambda request: outside.append(request.url) if not is_inside(request.url, url) else None
    )
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("console", lambda message: wrong.append(message.text) if is_ours(message) else None)
    page.goto(f"{url}/")
    yield page
    context.close()
    assert (outside, wrong) == ([], [])


def open_view(page: Page, view: str) -> None:
    """Go to a view of the page by its address, and wait until it is there."""
    page.evaluate(GO, view)
    page.wait_for_selector("main:not([aria-busy])")


def keep_undo(page: Page) -> None:
    """Keep the pointer on the undo message, which otherwise disappears after 10 s."""
    page.locator(".toast").last.hover()


def is_inside(asked: str, url: str) -> bool:
    return asked.startswith((f"{url}/", f"blob:{url}/", "about:"))


def is_ours(message: Any) -> bool:
    """Return whether a console message is an error of the scripts, not of a response that it handles."""
    return message.type == "error" and "Failed to load resource" not in message.text


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
