"""The review view in Chromium with many answers: first paint, scrolling by keyboard, longest task.

python -m benchmarks.page_review [--items 10000]
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.common import LITE0, emit, percentiles, picture, service
from benchmarks.page import ARGUMENTS, CHROMIUM, DRAWN

JOB_S = 900.0
ROUNDS = 3
PAGES = 200  # of the view, one after the other
WATCH = """
window.longest = 0; new PerformanceObserver(list => { for (const one of list.getEntries())
window.longest = Math.max(window.longest, one.duration); }).observe({ type: 'longtask' });
"""
SCROLL = """async pages => {
  const took = [];
  for (let n = 0; n < pages; n += 1) {
    const begun = performance.now();
    scrollBy(0, innerHeight);
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    took.push(performance.now() - begun);
  }
  return took;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    items = parser.parse_args().items
    with service(workers=1, encoders=LITE0) as stack, sync_playwright() as playwright:
        job = _classify(stack.url, items)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        _measure(browser, f"{stack.url}/#/jobs/{job}/review", items)
        browser.close()


def _classify(url: str, items: int) -> str:
    headers = {"Content-Type": "application/zip"}
    with httpx.Client(base_url=url, timeout=120) as http:
        http.post("/v1/collections", json={"name": "many"}).raise_for_status()
        for kind, files in (
            ("enroll", [(f"class-{n % 10}/{n}.png", n) for n in range(100)]),
            ("classify", [(f"{n}.png", 1000 + n) for n in range(items)]),
        ):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as archive:
                for name, n in files:
                    archive.writestr(name, picture(n))
            path = f"/v1/collections/many/bulk?kind={kind}"
            job = http.post(path, content=out.getvalue(), headers=headers).raise_for_status().json()
            until = time.monotonic() + JOB_S
            while http.get(job["links"]["self"]).json()["finished_at"] is None:
                if time.monotonic() > until:
                    raise TimeoutError(f"the job did not end within {JOB_S:.0f} s")
                time.sleep(0.5)
    return str(job["id"])


def _measure(browser: Browser, address: str, items: int) -> None:
    shown, drawn, loaded = [], [], []
    for _ in range(ROUNDS):
        page = _open(browser, address)
        shown.append(float(page.evaluate("performance.now()")))
        page.wait_for_function(DRAWN, arg=".tiles img")
        drawn.append(float(page.evaluate("performance.now()")))
        page.wait_for_selector(f'.tiles > li[aria-setsize="{items}"]', timeout=300_000)
        loaded.append(float(page.evaluate("performance.now()")))
        took = page.evaluate(SCROLL, PAGES)
        tiles, longest = page.locator(".tiles > li").count(), page.evaluate("window.longest")
        heap = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
        page.context.close()
    emit(
        "page_review",
        items=items,
        first_shown_ms=percentiles(shown),
        first_picture_ms=percentiles(drawn),
        all_loaded_ms=percentiles(loaded),
        one_page_scrolled_ms=percentiles(took),
        longest_task_ms=round(longest),
        tiles_in_document=tiles,
        heap_mib=round(heap, 1),
    )


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.add_init_script(WATCH)
    page.goto(address, wait_until="commit")
    page.wait_for_selector(".tiles > li")
    return page


if __name__ == "__main__":
    main()
