"""The pictures of the page in the docs, drawn anew from pictures that may be published.

scikit-learn's digits (UCI, CC BY 4.0) and its sample photographs (CC BY).

python -m benchmarks.page_pictures
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.common import service
from benchmarks.page import ARGUMENTS, CHROMIUM
from benchmarks.sklearn_pictures import read_digits, read_photographs

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SIDE = 128  # px of a piece of a photograph
ENROLLED = 8
PHONE = {"width": 360, "height": 720}
SCREEN = {"width": 1100, "height": 800}
WAIT = {"Prefer": "wait=60"}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    pictures = dict(_pictures())
    with service(workers=1) as stack, sync_playwright() as playwright:
        with httpx.Client(base_url=stack.url, timeout=60, headers=WAIT) as http:
            http.post("/v1/collections", json={"name": "my-things"}).raise_for_status()
            for label, files in pictures.items():
                parts = [("image", ("picture.png", file)) for file in files[:ENROLLED]]
                http.post("/v1/collections/my-things/enroll", data={"label": label}, files=parts)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        address = f"{stack.url}/#/c/my-things"
        asked = [files[ENROLLED + n] for n in (0, 1) for files in pictures.values()]
        _shoot(browser, address, "page-answers", SCREEN, "light", asked)
        _shoot(browser, address, "page-phone", PHONE, "dark", asked[:3])
        _shoot(browser, f"{address}/report", "page-report", SCREEN, "light", [])
        browser.close()


def _pictures() -> Iterator[tuple[str, list[bytes]]]:
    for photograph, label in zip(read_photographs(), ("pagoda", "flower"), strict=True):
        whole = Image.fromarray(photograph)
        middle = whole.crop((120, 40, 520, 400))
        places = [(x, y) for y in range(0, 360 - SIDE + 1, 77) for x in range(0, 400 - SIDE + 1, 90)]
        yield label, [_png(middle.crop((x, y, x + SIDE, y + SIDE))) for x, y in places]
    digits, names = read_digits()
    for label, digit in (("zero", 0), ("three", 3), ("seven", 7)):
        yield label, [_png(_digit(image)) for image in digits[names == digit][:12]]


def _digit(image: np.ndarray) -> Image.Image:
    grey = (255 - image * 255 / 16).astype(np.uint8)
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _shoot(
    browser: Browser, address: str, name: str, size: dict[str, int], theme: str, asked: list[bytes]
) -> None:
    page = browser.new_page(viewport=size, color_scheme=theme)
    page.goto(address)
    page.wait_for_selector("main:not([aria-busy])", timeout=60_000)
    if asked:
        files = [
            {"name": f"photo-{n + 1}.png", "mimeType": "image/png", "buffer": one}
            for n, one in enumerate(asked)
        ]
        page.set_input_files('[aria-label="Classify: pictures"]', files)
        page.wait_for_selector(".answer .because img")
        page.evaluate("document.querySelector('.asked').scrollIntoView()")
        page.evaluate("window.scrollBy(0, -80)")
    page.wait_for_timeout(2000)  # until the pictures have come
    _save(page, name)
    page.close()


def _save(page: Page, name: str) -> None:
    shot = Image.open(io.BytesIO(page.screenshot()))
    shot.convert("RGB").save(FOLDER / f"{name}.webp", "WEBP", quality=82, method=6)


if __name__ == "__main__":
    main()
