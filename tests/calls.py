"""Calls of the running service that many tests make."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

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


def enroll(http: httpx.Client, collection: str, label: str, *pictures: bytes) -> list[dict[str, Any]]:
    """Enrol pictures and return their results."""
    path = f"/v1/collections/{collection}/enroll"
    response = http.post(path, data={"label": label}, files=files(*pictures), headers=WAIT)
    assert response.status_code == 200, response.text
    return response.json()["results"]


def enroll_classes(http: httpx.Client, collection: str, classes: Mapping[str, Sequence[bytes]]) -> None:
    """Enrol the pictures of several classes by one call."""
    items = [item for label, pictures in classes.items() for item in as_json(*pictures, label=label)["items"]]
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
