"""Collections with several labels a picture, for the tests of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
from browsing import open_view
from calls import as_json, classify_archive, enroll_together
from playwright.sync_api import Locator, Page, expect
from waiting import until

Digits = Callable[[int, int], bytes]

LABELS = {0: ["digit/zero", "round"], 1: ["digit/one", "straight"]}


def make_several(http: httpx.Client, digits: Digits) -> str:
    """Make a collection that knows two digits, with all their labels, and return its name."""
    name = f"many-{uuid4().hex[:8]}"
    assert http.post("/v1/collections", json={"name": name, "labels": "many"}).status_code == 201
    enroll_labelled(
        http, name, *((labels, [digits(digit, n) for n in range(6)]) for digit, labels in LABELS.items())
    )
    return name


def enroll_labelled(http: httpx.Client, name: str, *pictures: tuple[list[str], list[bytes]]) -> None:
    """Enrol pictures with all their labels by one call."""
    bodies = (as_json(*same, labels=labels, complete=True) for labels, same in pictures)
    enroll_together(http, name, *bodies)


def classify_digits(http: httpx.Client, several: str, digits: Digits) -> str:
    """Classify six pictures, in turn of either digit, and return the job."""
    return classify_archive(http, several, *((f"{n}.png", digits(n % 2, 20 + n)) for n in range(6)))


def results_of(http: httpx.Client, job: str) -> list[dict[str, Any]]:
    """Return the results of a job."""
    found: list[dict[str, Any]] = http.get(f"/v1/jobs/{job}/results").json()["items"]
    return found


def supports_of(http: httpx.Client, collection: str, **query: str) -> list[dict[str, Any]]:
    """Return the supports of a collection, or those of a query."""
    found = http.get(f"/v1/collections/{collection}/supports", params={"limit": "1000", **query})
    items: list[dict[str, Any]] = found.json()["items"]
    return items


def labels_of(http: httpx.Client, collection: str) -> dict[str, int]:
    """Return the labels of a collection with their counts."""
    found = http.get(f"/v1/collections/{collection}/classes").json()["items"]
    return {class_["label"]: class_["supports"] for class_ in found}


def has_final(http: httpx.Client, job: str, item: int, labels: set[str]) -> None:
    """Wait until an answer has these labels."""
    until(lambda: set(results_of(http, job)[item]["final_labels"]) == labels)


def open_review(page: Page, job: str, query: str = "", *, answers: int = 6) -> Locator:
    """Open the review of a job, and return its tiles."""
    open_view(page, f"#/jobs/{job}/review{query}")
    tiles = page.locator(".tiles > li")
    expect(tiles).to_have_count(answers)
    return tiles


def chip(page: Page, label: str) -> Locator:
    """Return the chip of a label in the review."""
    return page.locator(f'aside .verdicts [data-label="{label}"]')


def is_reviewed(page: Page, number: int, of: int = 6) -> None:
    """Wait until so many answers are reviewed."""
    expect(page.locator(".reviewed")).to_have_text(f"{number} of {of} reviewed")
