"""The part of a picture that decided about a label, on the page in a real browser."""

from __future__ import annotations

import io
from typing import Any
from uuid import uuid4

import httpx
import pytest
from browsing import open_view
from calls import WAIT, classify_archive, files
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from several import LABELS, Digits, chip, open_review, results_of

pytestmark = pytest.mark.processes

SIDE = 64


@pytest.fixture
def tiled(http: httpx.Client, digits: Digits) -> str:
    """A collection that looks at parts of pictures, and knows two digits."""
    name = f"tiles-{uuid4().hex[:8]}"
    made = http.post("/v1/collections", json={"name": name, "labels": "many", "views": "tiles"})
    assert made.status_code == 201, made.text
    for digit, labels in LABELS.items():
        pictures = files(*(digits(digit, n) for n in range(6)))
        http.post(
            f"/v1/collections/{name}/enroll", data={"label": labels}, files=pictures, headers=WAIT
        ).raise_for_status()
    return name


def both(digits: Digits) -> bytes:
    """Return a wide picture: a zero on the left, a one on the right."""
    picture = Image.new("L", (2 * SIDE, SIDE))
    for place, digit in enumerate(LABELS):
        with Image.open(io.BytesIO(digits(digit, 30))) as one:
            picture.paste(one.convert("L").resize((SIDE, SIDE)), (place * SIDE, 0))
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def is_wide(page: Page) -> None:
    """Wait until the picture is drawn, which is twice as wide as high."""
    page.wait_for_function(
        """() => {
            const image = document.querySelector(".part img");
            return image && image.clientWidth === 2 * image.clientHeight;
        }"""
    )


def in_place(frame: Locator, part: dict[str, float]) -> None:
    """Expect a frame to be where a part of its picture is."""
    inner, outer = frame.bounding_box(), frame.locator("..").locator("img").bounding_box()
    assert inner is not None and outer is not None
    assert outer["width"] / outer["height"] == pytest.approx(2, abs=0.1)
    for start, size, at, extent in (("x", "width", "x", "width"), ("y", "height", "y", "height")):
        assert (inner[start] - outer[start]) / outer[size] == pytest.approx(part[at], abs=0.02)
        assert inner[size] / outer[size] == pytest.approx(part[extent], abs=0.02)


def test_frame_shows_the_part_behind_a_label(
    page: Page, http: httpx.Client, tiled: str, digits: Digits
) -> None:
    job = classify_archive(http, tiled, ("both.png", both(digits)))
    [result] = results_of(http, job)
    decided: list[dict[str, Any]] = [one for one in result["labels"] if one["part"]]
    assert decided, result["labels"]
    open_view(page, f"#/jobs/{job}")
    for one in decided:
        page.locator(f'.answer [data-label="{one["label"]}"]').click()
        alt = f"In a frame: the part that decided about {one['label']}"
        expect(page.get_by_alt_text(alt, exact=True)).to_be_visible()
        is_wide(page)
        in_place(page.locator(".part span"), one["part"])
    open_review(page, job, answers=1)
    chip(page, decided[0]["label"]).focus()
    expect(page.locator(".part img")).to_be_visible()


def test_new_collection_that_looks_at_parts_has_several_labels(page: Page, http: httpx.Client) -> None:
    open_view(page, "#/")
    name = f"tiles-{uuid4().hex[:8]}"
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_text("Options").click()
    page.get_by_label("Views").select_option("tiles")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    made = http.get(f"/v1/collections/{name}").json()
    assert (made["labels"], made["views"]) == ("many", "tiles")
