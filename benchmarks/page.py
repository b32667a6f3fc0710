"""The page in Chromium: first useful paint, bytes, a collection of many supports, and accessibility findings.

python -m benchmarks.page [--supports 10000]
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from typing import Any

import httpx
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.common import emit, percentiles, picture, service

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CLASSES = 20
ROUNDS = 7
JOB_S = 900.0
SCROLL_S = 300.0
USEFUL = {"home": ".maker", "collection": ".class-card", "class": ".tile", "pictures": ".tile"}
DRAWN = "selector => document.querySelector(selector)?.naturalWidth > 20"
SCROLL = "window.scrollTo(0, document.documentElement.scrollHeight)"
BYTES = """() => performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
  .filter(one => !one.name.includes('/v1/')).reduce((sum, one) => sum + one.transferSize, 0)"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supports", type=int, default=10_000)
    arguments = parser.parse_args()
    with service(workers=1) as stack, sync_playwright() as playwright:
        _enroll(stack.url, arguments.supports)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        _first_paint(browser, stack.url)
        for view in ("collection", "class", "pictures"):
            _large(browser, stack.url, view, arguments.supports)
        _scroll(browser, stack.url, arguments.supports)
        for theme in ("light", "dark"):
            _findings(browser, stack.url, theme)
        browser.close()


def _enroll(url: str, supports: int) -> None:
    """Enrol supports of which half are of one class."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(supports):
            label = "half" if n % 2 else f"class-{n // 2 % (CLASSES - 1)}"
            archive.writestr(f"{label}/{n}.png", picture(n))
    with httpx.Client(base_url=url, timeout=120) as http:
        http.post("/v1/collections", json={"name": "many"}).raise_for_status()
        headers = {"Content-Type": "application/zip"}
        answer = http.post("/v1/collections/many/bulk?kind=enroll", content=out.getvalue(), headers=headers)
        answer.raise_for_status()
        until = time.monotonic() + JOB_S
        while http.get(answer.json()["links"]["self"]).json()["finished_at"] is None:
            if time.monotonic() > until:
                raise TimeoutError(f"the supports were not enrolled within {JOB_S:.0f} s")
            time.sleep(0.5)


def _first_paint(browser: Browser, url: str) -> None:
    """Time the home page until it can be used, with an empty cache and with a full one."""
    for cache in ("empty", "full"):
        painted, useful, moved = [], [], []
        for _ in range(ROUNDS):
            context = browser.new_context()
            page = context.new_page()
            if cache == "full":
                page.goto(url)
                page.wait_for_selector(USEFUL["home"])
            useful.append(_until(page, f"{url}/", USEFUL["home"]))
            painted.append(
                page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0")
            )
            moved.append(page.evaluate(BYTES))
            context.close()
        emit(
            "page_first_paint",
            cache=cache,
            first_contentful_paint_ms=percentiles(painted),
            usable_ms=percentiles(useful),
            bytes=max(moved),
        )


def _until(page: Page, url: str, selector: str) -> float:
    """Open an address and return how many ms it took until something was there, by the page's own clock."""
    page.goto(url, wait_until="commit")
    page.wait_for_selector(selector)
    return float(page.evaluate("performance.now()"))


def _address(url: str, view: str) -> str:
    return f"{url}/#/c/many{ {'collection': '', 'class': '/class/half', 'pictures': '/pictures'}[view] }"


def _large(browser: Browser, url: str, view: str, supports: int) -> None:
    shown, drawn = [], []
    for _ in range(ROUNDS):
        context = browser.new_context()
        page = context.new_page()
        shown.append(_until(page, _address(url, view), USEFUL[view]))
        page.wait_for_function(DRAWN, arg=f"{USEFUL[view]} img")
        drawn.append(float(page.evaluate("performance.now()")))
        context.close()
    emit(
        "page_large",
        view=view,
        supports=supports,
        first_shown_ms=percentiles(shown),
        first_picture_ms=percentiles(drawn),
    )


def _scroll(browser: Browser, url: str, supports: int) -> None:
    """Scroll through all supports and time it, with the longest task that held the page meanwhile."""
    page = browser.new_page()
    page.add_init_script(
        "window.longest = 0; new PerformanceObserver(list => { for (const one of list.getEntries()) "
        "window.longest = Math.max(window.longest, one.duration); }).observe({ type: 'longtask' });"
    )
    _until(page, _address(url, "pictures"), ".tile")
    begun = time.perf_counter()
    while page.locator(".tile").count() < supports:
        if time.perf_counter() > begun + SCROLL_S:
            raise TimeoutError(f"{supports} supports were not shown within {SCROLL_S:.0f} s")
        page.evaluate(SCROLL)
        page.wait_for_timeout(20)
    emit(
        "page_scroll",
        supports=supports,
        to_the_end_s=round(time.perf_counter() - begun, 2),
        longest_task_ms=round(page.evaluate("window.longest")),
        heap_mib=round(page.evaluate("performance.memory.usedJSHeapSize") / 2**20, 1),
    )
    page.close()


def _findings(browser: Browser, url: str, theme: str) -> None:
    context = browser.new_context(color_scheme=theme)
    page = context.new_page()
    found: dict[str, Any] = {}
    for view in ("", "#/c/many", "#/c/many/class/half", "#/c/many/report", "#/jobs"):
        page.goto(f"{url}/{view}")
        page.wait_for_selector("main:not([aria-busy])", timeout=120_000)
        for one in Axe().run(page).response["violations"]:
            found.setdefault(one["impact"], set()).add(one["id"])
    emit("page_axe", theme=theme, findings={impact: sorted(ids) for impact, ids in found.items()})
    context.close()


if __name__ == "__main__":
    main()
