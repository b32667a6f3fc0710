"""Calls of the running service that many tests make."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx
from archives import make_zip

WAIT = {"Prefer": "wait=60"}


def files(*pictures: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    """Return pictures as the parts of a form."""
    return [("image", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]


def as_json(*pictures: bytes, **more: Any) -> dict[str, Any]:
    """Return pictures as the items of a JSON body, `more` in each."""
    encoded = [base64.b64encode(picture).decode() for picture in pictures]
    return {"items": [{"image": {"base64": text}, **more} for text in encoded]}


def make_collection(http: httpx.Client, **options: Any) -> str:
    """Make a collection with a new name, and return it."""
    name = f"c-{uuid4().hex[:12]}"
    response = http.post("/v1/collections", json={"name": name, **options})
    assert response.status_code == 201, response.text
    return name


def enroll(http: httpx.Client, collection: str, label: str, *pictures: bytes) -> list[dict[str, Any]]:
    """Enrol pictures and return their results."""
    path = f"/v1/collections/{collection}/enroll"
    response = http.post(path, data={"label": label}, files=files(*pictures), headers=WAIT)
    assert response.status_code == 200, response.text
    return response.json()["results"]


def enroll_classes(http: httpx.Client, collection: str, classes: Mapping[str, Sequence[bytes]]) -> None:
    """Enrol the pictures of several classes by one call."""
    enroll_together(http, collection, *(as_json(*classes[label], label=label) for label in classes))


def teach_two_digits(http: httpx.Client, collection: str, digits: Callable[[int, int], bytes]) -> None:
    """Enrol four pictures of either digit."""
    classes = {label: [digits(digit, n) for n in range(4)] for label, digit in (("zero", 0), ("one", 1))}
    enroll_classes(http, collection, classes)


def enroll_together(http: httpx.Client, collection: str, *bodies: dict[str, Any]) -> None:
    """Enrol the items of several bodies by one call."""
    items = [item for body in bodies for item in body["items"]]
    response = http.post(f"/v1/collections/{collection}/enroll", json={"items": items}, headers=WAIT)
    assert response.status_code == 200, response.text


def ask(
    http: httpx.Client, collection: str, *pictures: bytes, call: str = "classify"
) -> list[dict[str, Any]]:
    """Classify pictures, or search with them, and return the results."""
    path = f"/v1/collections/{collection}/{call}"
    response = http.post(path, files=files(*pictures), headers=WAIT)
    assert response.status_code == 200, response.text
    return response.json()["results"]


def classify_archive(http: httpx.Client, collection: str, *pictures: tuple[str, bytes]) -> str:
    """Classify pictures, each with its path, in one bulk job and return its id."""
    answer = http.post(
        f"/v1/collections/{collection}/bulk",
        params={"kind": "classify"},
        content=make_zip(pictures),
        headers={"Content-Type": "application/zip", "Prefer": "wait=60"},
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def codes(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the error codes of results, "" for those without an error."""
    return [result.get("error", {}).get("code", "") for result in results]
